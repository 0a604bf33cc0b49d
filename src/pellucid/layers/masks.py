"""How masks find their way through a network: from what says which steps count to what asks for it, as Keras unseen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pellucid.layers.graph import INPUT, Node
from pellucid.layers.layer import Layer
from pellucid.layers.masking import StepWeights
from pellucid.ops import Shape

if TYPE_CHECKING:
    from pellucid.layers.stack import Stack


def with_mask(
    stack: Stack, layer: Layer, inputs: tuple[int, ...], shapes: Sequence[Shape]
) -> tuple[tuple[int, ...], Sequence[Shape]]:
    """What a layer reads, and which steps of it count, where it asks for that and a layer before says it."""
    # a recurrent layer that is given its first states gets no mask in Keras 3, either
    own = layer.reads_mask and (len(inputs) == 1 or layer.masked_read > 0)
    asks = inputs and (own or layer.averages_steps)
    found = mask_behind(stack.nodes, inputs[layer.masked_read]) if asks else None
    if found is None or any(i != INPUT and stack.flat_layers[i].role == "mask" for i in inputs[1:]):
        return inputs, shapes
    mask, read = found
    same = (i for i, node in enumerate(stack.nodes) if node.inputs == read and is_same(node.layer, mask))
    number = next(same, -1)
    if number < 0:
        stack.attach(mask, read)
        number = len(stack.nodes) - 1
    more = (shapes[layer.masked_read][0], 1) if shapes else ()
    if layer.averages_steps:
        stack.attach(StepWeights(), (inputs[0], number), [shapes[0], more] if shapes else ())
        return (len(stack.nodes) - 1,), shapes
    return (*inputs, number), (*shapes, more) if shapes else ()


def mask_behind(nodes: Sequence[Node], number: int) -> tuple[Layer, tuple[int, ...]] | None:
    """The layer that says which steps of a node's value count, and what it reads."""
    found: dict[int, tuple[Layer, tuple[int, ...]] | None] = {INPUT: None}
    for i in before(nodes, number):
        layer, read = nodes[i].layer, nodes[i].inputs
        mask = layer.step_mask()
        if mask is not None:
            found[i] = mask, read
            continue
        behind = [found[k] for k in (read if layer.role == "merge" else read[:1])] if layer.supports_masking else []
        first = behind[0] if behind else None
        same = [one for one in behind if one and first and one[1] == first[1] and is_same(one[0], first[0])]
        found[i] = first if len(same) == len(behind) else None
    return found[number]


def before(nodes: Sequence[Node], number: int) -> list[int]:
    """The nodes that a value is made from, with its own, in order."""
    needed = {number}
    for i in range(number, INPUT, -1):
        if i in needed:
            needed.update(nodes[i].inputs)
    return sorted(needed - {INPUT})


def is_same(layer: Layer, other: Layer) -> bool:
    """Whether two layers without weights do the same."""
    names = ("name", "trainable", "input_shape")
    own, given = ({k: v for k, v in each.config().items() if k not in names} for each in (layer, other))
    return type(layer) is type(other) and own == given
