"""What `model.layers` lists: a model called in a model, or a layer made of layers, is one, whatever it is made of.

The graph of a network has the layers within, too. A value knows in whose calls it came about, outermost first, and so
does each layer of a graph.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from contextvars import ContextVar
from typing import Any

from pellucid.convert.keras_layers import BY_OURS
from pellucid.convert.keras_values import class_path
from pellucid.layers import Layer
from pellucid.layers.graph import Node
from pellucid.layers.numbering import next_number, start_anew
from pellucid.layers.symbolic import Symbolic, Value
from pellucid.model.summary import InnerSummary, LayerSummary

Calls = tuple["Call", ...]


class Call:
    """One call of a model, or of a layer made of layers. owner: whose; None for arithmetic, which is no layer."""

    def __init__(self, owner: Any = None) -> None:
        self.owner = owner

    def again(self) -> Call:
        """Another call of the same."""
        return Call(self.owner)


_around: ContextVar[Calls] = ContextVar("around", default=())


def around() -> Calls:
    """The calls that are going on, outermost first."""
    return _around.get()


@contextlib.contextmanager
def within(*calls: Call) -> Iterator[None]:
    """Meanwhile these calls are going on, too."""
    before = _around.set((*_around.get(), *calls))
    try:
        yield
    finally:
        _around.reset(before)


def calls_of(value: Any) -> Calls:
    """In whose calls a value came about."""
    found: Calls = getattr(value, "calls", ())
    return found


def auto_name(kind: str, number: int | None = None) -> str:
    """What Keras calls the next, or this, layer or model of a kind."""
    count = next_number(kind) if number is None else number
    return f"{class_path(kind)}_{count}" if count else class_path(kind)


def clear_session(free_memory: bool = True) -> None:
    """Layers and models without a name are numbered from 0 again; models go when nobody holds them."""
    start_anew()


def name_as_keras(layer: Layer) -> None:
    """Give a layer that has no name of its own the one that Keras would: by its kind and number in the process."""
    if layer.auto_named and layer._number is not None and layer._base_name is None:
        row = BY_OURS.get(type(layer))
        layer._name = auto_name(row.keras if row else type(layer).__name__, layer._number)


def arranged(calls: Sequence[Value], answers: Sequence[Any], sources: Sequence[Any]) -> tuple[list[Value], list[Any]]:
    """The same calls of layers in Keras's order, and the layers, models and inputs that it lists.

    Those come first that lead to the answers by the longest way; of these as they are met on the way back from the
    answers. Weights lie in Keras's files in this order, and programs freeze "the first 100 layers" of it.
    Source: map_graph and _build_map in keras/src/ops/function.py.
    """
    steps: dict[Any, list[Value]] = {}  # what happens at once, as far as this network sees
    for value in calls:
        steps.setdefault(_step(value), []).append(value)
    reads = {
        step: list(dict.fromkeys(other for value in values for read in value.inputs if (other := _step(read)) != step))
        for step, values in steps.items()
    }
    depths: dict[Any, int] = {}
    deepest: dict[Any, int] = {}
    for step in reversed(list(steps)):
        depth = max(depths.get(step, 0), deepest.get(_listed(step), 0))
        depths[step] = deepest[_listed(step)] = depth
        for read in reads[step]:
            depths[read] = max(depths.get(read, 0), depth + 1)
    met: dict[Any, int] = {}
    seen: set[Any] = set()
    todo = [_step(answer) for answer in reversed(answers)]
    while todo:
        step = todo.pop()
        if step not in seen:
            seen.add(step)
            met.setdefault(_listed(step), len(met))
            todo.extend(reversed(reads.get(step, ())))
    every = sorted({**steps, **dict.fromkeys(sources)}, key=lambda s: (-depths.get(s, 0), met.get(_listed(s), -1)))
    return [value for step in every for value in steps.get(step, ())], once(map(_shown, every))


def _step(value: Symbolic) -> Any:
    return calls[0] if (calls := calls_of(value)) else value


def _shown(step: Any) -> Any:
    """What is listed of a step; None for what is no layer."""
    return step.owner if isinstance(step, Call) else step.layer if isinstance(step, Value) else step


def _listed(step: Any) -> Any:
    """The same for all steps of which one is listed."""
    shown = _shown(step)
    return step if shown is None else _identity(shown)


def _identity(layer: Any) -> int:
    """The same for layers that have their weights in common."""
    return id(layer.store if isinstance(layer, Layer) else layer)


def once(layers: Any) -> list[Any]:
    """Of these the first of each that have their weights in common, or are one model."""
    found: dict[int, Any] = {}
    for layer in layers:
        if layer is not None:
            found.setdefault(_identity(layer), layer)
    return list(found.values())


def rows_of(
    rows: Sequence[LayerSummary], nodes: Sequence[Node], around: Sequence[Calls], *, expand_nested: bool
) -> list[LayerSummary]:
    """Of the rows of a graph's layers one for each that is listed; what a model is made of behind it, if asked for."""
    return _rows(range(len(rows)), rows, nodes, around, 0, expand_nested)


def _rows(
    numbers: Iterable[int],
    rows: Sequence[LayerSummary],
    nodes: Sequence[Node],
    around: Sequence[Calls],
    depth: int,
    expand: bool,
) -> list[LayerSummary]:
    groups: dict[int, tuple[Any, list[int]]] = {}
    for number in numbers:
        calls = around[number][depth:]
        listed = calls[0].owner if calls and calls[0].owner is not None else nodes[number].layer
        groups.setdefault(_identity(listed), (listed, []))[1].append(number)
    found: list[LayerSummary] = []
    for listed, own in groups.values():
        found.append(_together(listed, [rows[number] for number in own], depth))
        if expand and not isinstance(listed, Layer):
            found += _rows(own, rows, nodes, around, depth + 1, expand)
    return found


def _together(listed: Any, rows: Sequence[LayerSummary], depth: int) -> LayerSummary:
    """One row for what several layers of a graph are."""
    last = rows[-1]
    kind = InnerSummary if depth else LayerSummary
    return kind(
        name="   " * (depth - 1) + "\u2514 " * (depth > 0) + listed.name,
        type=type(listed).__name__,
        output_shape=last.output_shape,
        kernel=last.kernel if isinstance(listed, Layer) else f"{len(rows)} layers",
        parameters=sum(row.parameters for row in rows),
        trainable_parameters=sum(row.trainable_parameters for row in rows),
        trainable=listed.trainable,
        macs=sum(row.macs for row in rows),
        receptive_field=last.receptive_field,
        activation_bytes=sum(row.activation_bytes for row in rows),
    )
