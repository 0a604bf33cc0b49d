"""The graph of a network: which layer reads what, in the order they run. Whoever walks a network walks it here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pellucid.layers.layer import Layer
from pellucid.ops.geometry import Array, Shape

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
    def keeps_place(self) -> bool:
        """Whether number (i, j) of what it gives belongs to (i, j) of what it reads, as far as shapes tell."""
        return self.layer.window() is None and all(shape == self.output_shape for shape in self.input_shapes)

    @property
    def ends_maps(self) -> bool:
        """Whether maps end here and a row of numbers begins: up to here features are found, the rest is the head."""
        return self.layer.role == "flatten" or len(self.output_shape) == 1 < len(self.input_shape)


@dataclass(frozen=True)
class Graph:
    """Nodes in topological order: each reads only what comes before it. output: the number of the node that answers.

    Shapes: input_shape without the batch axis.
    """

    input_shape: Shape
    nodes: tuple[Node, ...]
    output: int

    @classmethod
    def chain(cls, layers: Sequence[Layer], input_shape: Shape) -> Graph:
        """Layers in a row: each reads what the one before gives."""
        return cls(input_shape, tuple(Node(layer, (i - 1,)) for i, layer in enumerate(layers)), len(layers) - 1)

    @property
    def layers(self) -> list[Layer]:
        """The layers in the order they run."""
        return [node.layer for node in self.nodes]

    @property
    def is_chain(self) -> bool:
        """Whether each layer reads what the one before gives, and nothing else."""
        return all(node.inputs == (number - 1,) for number, node in enumerate(self.nodes))

    @property
    def last(self) -> Layer | None:
        """The layer that answers; None in a graph without layers."""
        return self.nodes[self.output].layer if self.nodes else None

    def walk(self) -> Iterator[Visit]:
        """Every layer with its shapes. Errors: ShapeError at a layer that does not fit."""
        shapes: dict[int, Shape] = {INPUT: self.input_shape}
        for number, node in enumerate(self.nodes):
            read = tuple(shapes[i] for i in node.inputs)
            shapes[number] = node.layer.output_of(read)
            yield Visit(number, node.inputs, node.layer, read, shapes[number])

    def run(self, x: Array, each: Callable[[int, Layer, Any], Array | None]) -> Array | None:
        """What comes out for a batch, where each(number, layer, read) gives what a layer does; None ends it there.

        Shapes: x (N, *input_shape); read (N, ...), for a layer that merges a list of such.
        """
        values, readers = {INPUT: x}, self.readers()
        for number, node in enumerate(self.nodes):
            read = [values[i] for i in node.inputs]
            y = each(number, node.layer, read if node.layer.merges else read[0])
            if y is None:
                return None
            values[number] = y
            for i in node.inputs:  # let go of what nobody reads any more
                if i != self.output and readers[i][-1] == number:
                    values.pop(i, None)
        return values[self.output]

    def back(self, dy: Array, each: Callable[[int, Layer, Array], Any]) -> Array | None:
        """The gradient of what goes in, from that of what comes out, where each(number, layer, dy) gives a layer's dx.

        A dx of None goes no further. Gradients of a value that several layers read are added, the last reader's first;
        None where none arrives.
        """
        gradients = {self.output: dy}
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
        """What comes out for one picture."""
        shapes = [self.input_shape, *(visit.output_shape for visit in self.walk())]
        return shapes[self.output + 1]

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
        output = next(number for number, node in enumerate(self.nodes) if node.layer is layer)
        needed = {output}
        for number in range(output, -1, -1):
            if number in needed:
                needed.update(self.nodes[number].inputs)
        kept = sorted(needed - {INPUT})
        places = {INPUT: INPUT, **{number: place for place, number in enumerate(kept)}}
        nodes = [Node(self.nodes[i].layer, tuple(places[j] for j in self.nodes[i].inputs)) for i in kept]
        return Graph(self.input_shape, tuple(nodes), places[output])

    def split(self, depth: int) -> tuple[Graph, Graph]:
        """The first nodes, and the rest, which reads nothing of them but the value of the last. See `cuts`."""
        head = Graph(self.input_shape, self.nodes[:depth], depth - 1)
        rest = [replace(node, inputs=tuple(i - depth for i in node.inputs)) for node in self.nodes[depth:]]
        return head, Graph(head.output_shape, tuple(rest), self.output - depth)

    def cuts(self, depth: int) -> bool:
        """Whether one value alone, the last of the first nodes, goes from them to the rest."""
        return all(i >= depth - 1 for node in self.nodes[depth:] for i in node.inputs)

    def with_last(self, layer: Layer) -> Graph:
        """The same with another layer in place of the one that answers."""
        nodes = list(self.nodes)
        nodes[self.output] = replace(nodes[self.output], layer=layer)
        return replace(self, nodes=tuple(nodes))

    def without_last(self) -> Graph:
        """The same without the layer that answers: the value it reads is the answer. Nobody else may read it."""
        return Graph(self.input_shape, self.nodes[: self.output], self.nodes[self.output].inputs[0])
