"""From layers to work on buffers: what a node is, and the walk that makes the nodes of a network.

A node is one pattern of layers (a convolution with its activation, say), lowered: where its output lies, the work
that computes it, and the work that takes a gradient back through it. `patterns.py` holds the table; a layer that no
pattern matches runs by its own `forward` and `backward`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from pellucid.layers import Activation, Dense, Layer, Sigmoid, Softmax
from pellucid.ops.geometry import Array, Shape
from pellucid.ops.memory import aligned_empty
from pellucid.parameters import FlatParameters
from pellucid.plan.work import Work

Backward = Callable[[Array, Array | None], Sequence[Work]]
"""(dy, dx) -> work that fills the parameter gradients, and dx unless it is None. dy may be overwritten."""


def _no_backward(dy: Array, dx: Array | None) -> Sequence[Work]:
    return ()


@dataclass
class Node:
    """One lowered pattern.

    needs_output: backward reads y, so nobody may overwrite it. in_place: backward turns dy into dx where it lies.
    """

    layers: tuple[Layer, ...]
    y: Array
    forward: Sequence[Work] = ()
    backward: Backward = _no_backward
    needs_output: bool = False
    in_place: bool = False

    @property
    def trainable(self) -> bool:
        return any(layer.trainable and layer.params for layer in self.layers)


@dataclass
class Context:
    """What a pattern may ask for while it lowers.

    capacity: the batch size N that buffers are made for. counter: uint32 (seed, step), written before each step;
    counter-based generators read it. finish: work for after the backward pass (running statistics).
    """

    capacity: int
    training: bool
    parameters: FlatParameters
    positions: dict[str, int]
    counter: Array
    buffers: list[Array] = field(default_factory=list)
    finish: list[Work] = field(default_factory=list)

    def buffer(self, shape: Shape, dtype: type = np.float32) -> Array:
        """A new array the plan owns."""
        array = aligned_empty(shape, dtype)
        self.buffers.append(array)
        return array

    def output(self, shape: Shape) -> Array:
        """A new activation (N, *shape)."""
        return self.buffer((self.capacity, *shape))

    def parameter(self, layer: Layer, name: str) -> Array | None:
        """The live parameter of a layer, or None where the layer has none of that name."""
        segment = self.parameters.of(layer).get(name)
        return None if segment is None else self.parameters.view(segment)

    def gradient(self, layer: Layer, name: str) -> Array | None:
        """Where a parameter's gradient goes, or None where it is frozen or absent."""
        segment = self.parameters.of(layer).get(name)
        return None if segment is None or not segment.trainable else self.parameters.gradient(segment)

    def key(self, layer: Layer) -> tuple[int, int, int]:
        """(seed, step, position of the layer) for the pass about to run."""
        return int(self.counter[0]), int(self.counter[1]), self.positions[layer.name]

    @property
    def num_bytes(self) -> int:
        """Bytes of all buffers made so far."""
        return sum(array.nbytes for array in self.buffers)


Lower = Callable[[Context, tuple[Layer, ...], Node], Node | None]
"""Lowers matched layers after the node that makes their input; None where these arguments need the layer's own code."""


def lower(context: Context, layers: Sequence[Layer], x: Array) -> list[Node]:
    """The nodes of a network whose input buffer is x, the first node standing for the input itself."""
    from pellucid.plan.patterns import match

    nodes = [Node((), x, needs_output=True)]
    rest = list(layers)
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
    areas = [context.buffer((context.capacity, largest)) for _ in range(2)] if first < len(nodes) - 1 else []
    work: list[Work] = []
    for i in range(len(nodes) - 1, first - 1, -1):
        node, shape = nodes[i], nodes[i - 1].y.shape
        dx: Array | None = None
        if node.in_place:
            dx = dy.reshape(shape)
        elif i > first:
            area = areas[0] if not np.shares_memory(dy, areas[0]) else areas[1]
            dx = area.reshape(-1)[: int(np.prod(shape))].reshape(shape)
        work.extend(node.backward(dy, dx))
        if dx is not None:
            dy = dx
    return work


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
        logits = copy.copy(last)
        logits.activation = None
        body[-1] = logits
    return body
