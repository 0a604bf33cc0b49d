"""Layers in use, on large maps a few pictures at a time, so that what one step writes is in the cache for the next.

A picture's result does not depend on what else is in its batch, so the bits are those of whole batches.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass
from typing import cast

from pellucid.layers.graph import INPUT, Graph
from pellucid.ops import native
from pellucid.ops.geometry import Array
from pellucid.plan.lowered import Context
from pellucid.plan.lowering import lower
from pellucid.plan.work import SubBatches, Work

CACHE_BYTES = 8 * 2**20
"""What a layer reads and writes for the pictures of a sub-batch, at most, unless one picture alone takes more."""
LEAST_GAIN = 2
"""A part of the network has so many times the pictures of the part before it at a time: it is a program by itself."""


@dataclass(frozen=True)
class Part:
    """Nodes that run for so many pictures at a time."""

    numbers: range
    pictures: int


def whole(graph: Graph, capacity: int) -> Part:
    """All of it, for whole batches."""
    return Part(range(len(graph.nodes)), capacity)


@dataclass(frozen=True)
class InUse:
    """Lowered layers: the contexts of their buffers, their work, and what they give for a whole batch."""

    context: Context
    work: list[Work]
    values: dict[int, Array]


def lower_in_use(graph: Graph, inputs: Array, context_of: Callable[[int], Context]) -> InUse:
    """The graph's layers in use, for batches as large as `inputs`.

    context_of: makes a context whose areas have so many bytes. Where a layer runs in Python, everything is done for
    whole batches.
    """
    for parts in (parts_of(graph, inputs, context_of), [whole(graph, len(inputs))]):
        lowered = _lower_parts(graph, parts, inputs, context_of(area_bytes(graph, parts)))
        if lowered is not None:
            return lowered
    raise AssertionError("whole batches can always be lowered")


def _lower_parts(graph: Graph, parts: list[Part], inputs: Array, context: Context) -> InUse | None:
    """None where a layer of a part that takes a few pictures at a time runs in Python."""
    readers = graph.readers()
    work: list[Work] = []
    values = {INPUT: inputs}
    for part in parts:
        context.capacity = part.pictures
        given = {number: value[: part.pictures] for number, value in values.items()}
        lowered = lower(context, graph, given, part.numbers)
        steps = [each for value in lowered.values() for each in value.forward]
        if part.pictures == len(inputs):
            work += steps
            values |= {number: value.y for number, value in lowered.items()}
            continue
        read = list(values.values())
        for number in sorted(lowered.keys() - given.keys()):
            if number in graph.outputs or any(reader not in part.numbers for reader in readers[number]):
                y = lowered[number].y
                values[number] = context.buffer((len(inputs), *y.shape[1:]))
                steps.append(native.activation(y, values[number][: part.pictures], "linear"))
                read.append(values[number])
        if not all(isinstance(step, native.Step) for step in steps):
            return None
        work.append(SubBatches(cast(list[native.Step], steps), read))
    context.capacity = len(inputs)
    return InUse(context, work, values)


def parts_of(graph: Graph, inputs: Array, context_of: Callable[[int], Context]) -> list[Part]:
    """How a batch goes through the network: nodes in order, and how many pictures of it at a time.

    One picture is lowered to see which values are written, and which are known within one step.
    """
    capacity = len(inputs)
    if not native.available or capacity == 1:
        return [whole(graph, capacity)]
    context = context_of(area_bytes(graph, [whole(graph, 1)]))
    context.capacity = 1
    written = lower(context, graph, {INPUT: inputs[:1]}).keys()
    parts: list[Part] = []
    for numbers, num_bytes in _stretches(graph, written):
        runs = math.ceil(capacity / max(CACHE_BYTES // num_bytes, 1))
        pictures = math.ceil(capacity / runs) if runs > 1 else capacity
        if parts and pictures < LEAST_GAIN * parts[-1].pictures:
            last = parts.pop()
            numbers, pictures = range(last.numbers.start, numbers.stop), min(last.pictures, pictures)
        parts.append(Part(numbers, pictures))
    return parts


def _stretches(graph: Graph, written: Set[int]) -> Iterator[tuple[range, int]]:
    """The network cut where what follows reads one written value alone and begins with a convolution or a dense layer;
    and the most bytes that a step of each stretch reads and writes for a picture."""
    last = {number: found[-1] if found else number for number, found in graph.readers().items()}
    read_later, first, most, passed = {INPUT}, 0, 1, 0
    for visit in graph.walk():
        alone = len(read_later) == 1 and read_later <= written
        if visit.number > first and alone and visit.layer.role in ("convolution", "dense"):
            yield range(first, visit.number), most
            first, most = visit.number, 1
        reads = zip(graph.nodes[visit.number].inputs, visit.input_shapes, strict=True)
        passed += sum(4 * math.prod(shape) for number, shape in reads if number in written)
        if visit.number in written:
            most, passed = max(most, passed + 4 * math.prod(visit.output_shape)), 0
        read_later = {number for number in (*read_later, visit.number) if last[number] > visit.number}
    yield range(first, len(graph.nodes)), most


def area_bytes(graph: Graph, parts: list[Part]) -> int:
    """Of the largest value for as many pictures as go together."""
    pictures = {number: part.pictures for part in parts for number in part.numbers}
    return max((4 * pictures[visit.number] * math.prod(visit.output_shape) for visit in graph.walk()), default=0)
