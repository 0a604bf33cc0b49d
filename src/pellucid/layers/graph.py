"""The graph of a network: which layer reads what, in the order they run. Whoever walks a network walks it here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from pellucid.errors import ConfigError
from pellucid.layers.layer import Layer
from pellucid.layers.shape import Slice
from pellucid.ops.geometry import Array, Shape

T = TypeVar("T")

INPUT = -1
"""The number under which nodes read what goes into the network."""


@dataclass(frozen=True)
class Node:
    """A layer at its place. inputs: the numbers of the nodes it reads, in order; INPUT for the pictures."""

    layer: Layer
    inputs: tuple[int, ...]


@dataclass(frozen=True)
class Visit:
    """A layer as a walk passes it: the number of its node, and what it reads. Shapes: without the batch axis."""

    number: int
    inputs: tuple[int, ...]
    layer: Layer
    input_shapes: tuple[Shape, ...]
    output_shape: Shape

    @property
    def input_shape(self) -> Shape:
        """Of the value it reads, or the first of them."""
        return self.input_shapes[0]

    @property
    def macs(self) -> int:
        """What its layer multiplies for one picture."""
        several: Any = list(self.input_shapes)
        return self.layer.macs(several if self.layer.merges else self.input_shape)

    @property
    def keeps_place(self) -> bool:
        """Whether number (i, j) of what it gives belongs to (i, j) of what it reads, as far as shapes tell."""
        moved = self.layer.window() is not None or self.layer.role in ("rearrangement", "cropping", "padding")
        return not moved and all(shape == self.output_shape for shape in self.input_shapes)

    @property
    def ends_maps(self) -> bool:
        """Whether maps end here and a row of numbers begins: up to here features are found, the rest is the head."""
        return self.layer.role == "flatten" or len(self.output_shape) == 1 < len(self.input_shape)


@dataclass(frozen=True)
class Graph:
    """Nodes in topological order: each reads only what comes before it. outputs: the numbers of those that answer.

    Shapes: input_shape without the batch axis.
    """

    input_shape: Shape
    nodes: tuple[Node, ...]
    outputs: tuple[int, ...]

    @classmethod
    def chain(cls, layers: Sequence[Layer], input_shape: Shape) -> Graph:
        """Layers in a row: each reads what the one before gives."""
        return cls(input_shape, tuple(Node(layer, (i - 1,)) for i, layer in enumerate(layers)), (len(layers) - 1,))

    @property
    def layers(self) -> list[Layer]:
        """The layers in the order they run."""
        return [node.layer for node in self.nodes]

    @property
    def is_chain(self) -> bool:
        """Whether each layer reads what the one before gives, and nothing else."""
        return all(node.inputs == (number - 1,) for number, node in enumerate(self.nodes))

    @property
    def output(self) -> int:
        """The number of the node that answers. Errors: ConfigError where several do."""
        if len(self.outputs) > 1:
            names = " and ".join(repr(self.nodes[i].layer.name) for i in self.outputs)
            raise ConfigError(
                f"this network gives {len(self.outputs)} outputs, {names}, which predict returns as a list; what "
                "trains, judges or explains answers needs a Model with one (Concatenate joins several)"
            )
        return self.outputs[0]

    @property
    def last(self) -> Layer | None:
        """The layer that answers; None in a graph without layers."""
        return self.nodes[self.output].layer if self.nodes else None

    @property
    def parts(self) -> dict[int, Slice]:
        """Its inputs where there are several: slices of the row in which they lie behind one another, by number."""
        readers = {number: node.layer for number, node in enumerate(self.nodes) if INPUT in node.inputs}
        found = {number: layer for number, layer in readers.items() if type(layer) is Slice}
        return found if 1 < len(found) == len(readers) and INPUT not in self.outputs else {}

    def walk(self) -> Iterator[Visit]:
        """Every layer with its shapes. Errors: ShapeError at a layer that does not fit."""
        shapes: dict[int, Shape] = {INPUT: self.input_shape}
        for number, node in enumerate(self.nodes):
            read = tuple(shapes[i] for i in node.inputs)
            shapes[number] = node.layer.output_of(read)
            yield Visit(number, node.inputs, node.layer, read, shapes[number])

    def features_depth(self) -> int | None:
        """How many nodes find features: up to the first flatten or global pooling; None where there is none.

        Where a convolution's maps are averaged and nothing behind has weights, they are the classes': up to what makes
        them.
        """
        end = next((visit for visit in self.walk() if visit.ends_maps), None)
        if end is None:
            return None
        last = max((number for number, node in enumerate(self.nodes) if node.layer.params), default=end.number)
        classes = last < end.number and end.layer.role == "pooling" and self.nodes[last].layer.role == "convolution"
        return last if classes else end.number + 1

    def run(self, x: Array | Mapping[int, Array], each: Callable[[int, Layer, Any], Array | None]) -> Any:
        """What comes out for a batch, where each(number, layer, read) gives what a layer does; None ends it there.

        x: of several inputs one each, by the numbers of `parts`.
        Shapes: x (N, *input_shape); read (N, ...), for a layer that merges a list of such; what comes out (N, ...), a
        list of such for several outputs.
        """
        values, readers = dict(x) if isinstance(x, Mapping) else {INPUT: x}, self.readers()
        for number, node in enumerate(self.nodes):
            if number in values:
                continue
            read = [values[i] for i in node.inputs]
            y = each(number, node.layer, read if node.layer.merges else read[0])
            if y is None:
                return None
            values[number] = y
            for i in node.inputs:  # let go of what nobody reads any more
                if i not in self.outputs and readers[i][-1] == number:
                    values.pop(i, None)
        return self.answers(values)

    def answers(self, values: Mapping[int, T]) -> T | list[T]:
        """What belongs to the output, of what belongs to each node; a list where there are several."""
        found = [values[number] for number in self.outputs]
        return found[0] if len(found) == 1 else found

    def back(self, dy: Any, each: Callable[[int, Layer, Array], Any]) -> Array | None:
        """The gradient of what goes in, from that of what comes out, where each(number, layer, dy) gives a layer's dx.

        dy: a list for several outputs. A dx of None goes no further. Gradients of a value that several layers read are
        added, the last reader's first; None where none arrives.
        """
        gradients: dict[int, Array] = {}
        for number, d in zip(self.outputs, dy if isinstance(dy, list) else [dy], strict=True):
            gradients[number] = gradients[number] + d if number in gradients else d
        for number in range(len(self.nodes) - 1, -1, -1):
            if number not in gradients:
                continue
            node = self.nodes[number]
            dx = each(number, node.layer, gradients.pop(number))
            for i, d in zip(node.inputs, dx if node.layer.merges and dx is not None else [dx], strict=True):
                if d is not None:
                    gradients[i] = gradients[i] + d if i in gradients else d
        return gradients.get(INPUT)

    @property
    def output_shape(self) -> Shape:
        """What comes out for one picture. Errors: ConfigError where several outputs do."""
        number = self.output
        return self.input_shape if number == INPUT else next(v for v in self.walk() if v.number == number).output_shape

    def readers(self) -> dict[int, list[int]]:
        """For each value the nodes that read it, in order; what answers is read by nobody unless by a node too."""
        found: dict[int, list[int]] = {number: [] for number in range(INPUT, len(self.nodes))}
        for number, node in enumerate(self.nodes):
            for i in node.inputs:
                found[i].append(number)
        return found

    def trained(self) -> list[bool]:
        """For each node, whether anything that is trained lies in it or before it, so that its gradient is wanted."""
        wanted: list[bool] = []
        for node in self.nodes:
            own = node.layer.trainable and bool(node.layer.params)
            wanted.append(own or any(wanted[i] for i in node.inputs if i != INPUT))
        return wanted

    def up_to(self, layer: Layer) -> Graph:
        """The part that one layer's answer needs."""
        number = next(number for number, node in enumerate(self.nodes) if node.layer is layer)
        return self._part(self.input_shape, self._needed(number), INPUT, (number,))

    def split(self, number: int) -> tuple[Graph, Graph]:
        """The part that one node's value needs, and the rest, which reads nothing of it but that value. See `cuts`."""
        needed = self._needed(number)
        head = self._part(self.input_shape, needed, INPUT, (number,))
        rest = [i for i in range(len(self.nodes)) if i not in needed]
        return head, self._part(head.output_shape, rest, number, self.outputs)

    def cuts(self, number: int) -> bool:
        """Whether the rest of the network reads this value alone of all that it is made from, and no picture."""
        needed = set(self._needed(number))
        inside = {INPUT, *needed} - {number}
        rest = [node for i, node in enumerate(self.nodes) if i not in needed]
        return inside.isdisjoint(self.outputs) and all(inside.isdisjoint(node.inputs) for node in rest)

    def _needed(self, number: int) -> list[int]:
        """The nodes that a value is made from, with its own, in order."""
        needed = {number}
        for i in range(number, -1, -1):
            if i in needed:
                needed.update(self.nodes[i].inputs)
        return sorted(needed - {INPUT})

    def _part(self, input_shape: Shape, kept: Sequence[int], source: int, outputs: Sequence[int]) -> Graph:
        """These nodes as a graph, of which one value goes in."""
        places = {source: INPUT, **{number: place for place, number in enumerate(kept)}}
        nodes = [replace(self.nodes[i], inputs=tuple(places[j] for j in self.nodes[i].inputs)) for i in kept]
        return Graph(input_shape, tuple(nodes), tuple(places[i] for i in outputs))

    def with_last(self, layer: Layer) -> Graph:
        """The same with another layer in place of the one that answers."""
        nodes = list(self.nodes)
        nodes[self.output] = replace(nodes[self.output], layer=layer)
        return replace(self, nodes=tuple(nodes))

    def without_last(self) -> Graph:
        """The same without the layer that answers: the value it reads is the answer. Nobody else may read it."""
        return Graph(self.input_shape, self.nodes[: self.output], self.nodes[self.output].inputs)
