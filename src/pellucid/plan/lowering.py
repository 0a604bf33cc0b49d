"""From a graph to work on buffers, and the way back through it.

`patterns.py` holds the table of what is lowered together; a layer that no pattern matches runs by its own `forward` and
`backward`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import replace
from functools import partial

from pellucid.layers import Layer
from pellucid.layers.activation import without_activation
from pellucid.layers.graph import INPUT, Graph
from pellucid.ops import native, reference
from pellucid.ops.geometry import Array
from pellucid.plan.lowered import Context, Lowered
from pellucid.plan.patterns import match
from pellucid.plan.work import Work, for_no_batch

Told = Callable[[Sequence[Layer]], Sequence[Work]]


def lower(
    context: Context, graph: Graph, given: Mapping[int, Array], numbers: Iterable[int] | None = None
) -> dict[int, Lowered]:
    """What nodes of a graph are lowered to, under the number of the last of each pattern, in order.

    given: where the values lie that these nodes read and that are computed elsewhere, the pictures under INPUT; they
    come first in the answer. numbers: of the nodes, in order; None: all.
    """
    readers = graph.readers()
    values = {number: Lowered((), y, needs_output=True) for number, y in given.items()}
    context.shapes |= {visit.layer.name: visit.output_shape for visit in graph.walk()}
    left = list(range(len(graph.nodes)) if numbers is None else numbers)
    inside, done = set(left), set[int]()
    with native.direct_convolution(context.exact):
        for number in left:
            if number in done:
                continue
            row = _row(graph, readers, number, inside, values.keys())
            done.add(number)
            context.kept = [
                value.y for i, value in values.items() if i in graph.outputs or not done.issuperset(readers[i])
            ]
            before = [[values[i] for i in reads] for _, reads in row]
            lowered = match(context, [graph.nodes[i].layer for i, _ in row], before)
            row = row[: len(lowered.layers)]
            last = row[-1][0]
            several = len(readers[last]) > 1 or (last in graph.outputs and bool(readers[last]))
            read = tuple(i for _, reads in row for i in reads)
            if lowered.ending is not None:
                lowered.ending.readers = len(readers[last])
            values |= {i: replace(values[i], ending=None) for i in read}  # only the first that reads it may end it
            values[last] = replace(lowered, reads=read, needs_output=lowered.needs_output or several)
            done.update(i for i, _ in row)
    return values


def _row(
    graph: Graph, readers: dict[int, list[int]], number: int, inside: Set[int], known: Set[int]
) -> list[tuple[int, tuple[int, ...]]]:
    """A node and those behind it, as long as each alone reads the one before, and otherwise only what is known already.

    With each comes what it reads besides the one before.
    """
    row = [(number, graph.nodes[number].inputs)]
    while number not in graph.outputs and len(readers[number]) == 1:
        reader = readers[number][0]
        others = tuple(i for i in graph.nodes[reader].inputs if i != number)
        if reader not in inside or not known >= set(others):
            break
        row.append((reader, others))
        number = reader
    return row


def backward_work(
    context: Context, graph: Graph, lowered: dict[int, Lowered], dy: Array, told: Told | None = None
) -> list[Work]:
    """The way back: from the gradient of the last output to every trainable parameter, and no further.

    A gradient between layers lies in an area of its own until it has been passed on. Those of a value that several
    layers read are added, the last reader's first, where the pattern can by the step that makes the next one. told:
    asked after each pattern, whose layers' gradients are then whole, for what is done besides.
    """
    trained = graph.trained()
    shapes = {number: value.y.shape for number, value in lowered.items()}
    wanted = {number: number != INPUT and trained[number] for number in lowered}
    sizes = (max(math.prod(shapes[number]), lowered[number].inner) for number, want in wanted.items() if want)
    context.largest = max(sizes, default=0)
    gradients = {graph.output: dy}
    work: list[Work] = []
    for number, value in reversed(lowered.items()):
        if not wanted[number] or number not in gradients:
            continue
        dy = gradients.pop(number)
        context.waiting = list(gradients.values())
        passed: list[Array | None] = [None] * len(value.reads)
        twice = value.adds and value.reads[0] in value.reads[1:]
        asked = [k for k, i in enumerate(value.reads) if wanted[i] and not (twice and k and i == value.reads[0])]
        for k in asked:
            if value.in_place and k == asked[-1] and not twice:
                passed[k] = dy.reshape(shapes[value.reads[k]])
            else:
                context.waiting.append(context.gradient_area(shapes[value.reads[k]], dy))
                passed[k] = context.waiting[-1]
        adds = value.adds and not twice and passed[0] is not None and value.reads[0] in gradients
        other = {"addend": gradients.pop(value.reads[0])} if adds else {}
        with native.direct_convolution(context.exact):
            work.extend(value.backward(dy, *passed, **other))
        work.extend(() if told is None else told(value.layers))
        for i, dx in zip(value.reads, passed, strict=True):
            if dx is None or not wanted[i]:
                continue
            if i in gradients:
                work.append(_added(gradients[i], dx))
            else:
                gradients[i] = dx
    return work


def _added(total: Array, more: Array) -> Work:
    """total += more."""
    if native.available:
        return native.add(more, total)
    return lambda n: reference.data.add(more[:n], total[:n])


def added_up(context: Context) -> list[Work]:
    """To the gradients of weights that several layers have, those of all but the first of these, in order."""
    pairs = sorted(context.shared_gradients.items(), key=lambda one: context.positions[one[0][0]])
    if native.available:
        return for_no_batch([native.add(more, total) for _, (more, total) in pairs])
    return [partial(_all_added, more, total) for _, (more, total) in pairs]


def _all_added(more: Array, total: Array, n: int) -> None:
    reference.data.add(more, total)


def convolves_directly(graph: Graph) -> bool:
    """Whether plans of these layers of one model compute convolutions directly."""
    return native.convolves_directly() or (bool(graph.nodes) and graph.nodes[0].layer.exact_convolution)


def strip_head(graph: Graph, joint: str | None) -> Graph:
    """The graph up to the logits, for a loss that contains the final softmax or sigmoid itself.

    joint: "softmax", "sigmoid" or None. A final layer of that kind, in any spelling, is left off (or, in a layer
    with an activation, that is); any other network is returned as it is, and its output is read as logits.
    """
    last = graph.last
    if last is None or joint is None:
        return graph
    ends_in_it = last.nonlinearity is not None and last.nonlinearity.kind == joint and not last.custom
    if ends_in_it and last.role == "activation":
        return graph.without_last()
    if ends_in_it and hasattr(last, "activation"):
        bare = without_activation(last)
        bare._store = last.store  # it is the same layer, which may stand at another place, too
        return graph.with_last(bare)
    return graph
