"""From layers to work on buffers: the walk that makes the nodes of a network, and the way back through them.

`patterns.py` holds the table of what is lowered together; a layer that no pattern matches runs by its own `forward` and
`backward`.
"""

from __future__ import annotations

from collections.abc import Sequence

from pellucid.layers import Activation, Dense, Layer, Sigmoid, Softmax
from pellucid.layers.activation import without_activation
from pellucid.ops import native
from pellucid.ops.geometry import Array
from pellucid.plan.node import Context, Node
from pellucid.plan.patterns import match
from pellucid.plan.work import Work


def lower(context: Context, layers: Sequence[Layer], x: Array) -> list[Node]:
    """The nodes of a network whose input buffer is x, the first node standing for the input itself."""
    nodes = [Node((), x, needs_output=True)]
    rest = list(layers)
    with native.direct_convolution(context.exact):
        while rest:
            node = match(context, rest, nodes[-1])
            nodes.append(node)
            del rest[: len(node.layers)]
    return nodes


def backward_work(context: Context, nodes: Sequence[Node], dy: Array) -> list[Work]:
    """The way back: from the gradient of the last output to every trainable parameter, and no further.

    Gradients between layers live in two areas used in turn, since nobody looks at one twice.
    """
    first = next((i for i, node in enumerate(nodes) if node.trainable), len(nodes))
    largest = max((node.y[0].size for node in nodes[first:]), default=0)
    areas = [context.area(4 * context.capacity * largest) for _ in range(2)] if first < len(nodes) - 1 else []
    work: list[Work] = []
    for i in range(len(nodes) - 1, first - 1, -1):
        node, shape = nodes[i], nodes[i - 1].y.shape
        dx: Array | None = None
        if node.in_place:
            dx = dy.reshape(shape)
        elif i > first:
            dx = next(area for area in areas if not area.holds(dy)).array(shape)
        with native.direct_convolution(context.exact):
            work.extend(node.backward(dy, dx))
        if dx is not None:
            dy = dx
    return work


def convolves_directly(layers: Sequence[Layer]) -> bool:
    """Whether plans of these layers of one model compute convolutions directly."""
    return native.convolves_directly() or (bool(layers) and layers[0].exact_convolution)


def strip_head(layers: Sequence[Layer], joint: str | None) -> list[Layer]:
    """The layers up to the logits, for a loss that contains the final softmax or sigmoid itself.

    joint: "softmax", "sigmoid" or None. A final layer of that kind, in any spelling, is left off (or, in a Dense
    layer, its activation is); any other network is returned as it is, and its output is read as logits.
    """
    body = list(layers)
    if not body or joint is None:
        return body
    last = body[-1]
    alone = {"softmax": Softmax, "sigmoid": Sigmoid}[joint]
    if type(last) is alone or (type(last) is Activation and last.activation == joint):
        return body[:-1]
    if type(last) is Dense and last.activation == joint:
        body[-1] = without_activation(last)
    return body
