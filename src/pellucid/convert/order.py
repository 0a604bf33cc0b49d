"""Which module of a state dict is which layer where names do not tell: by shapes, and by order among equal ones.

Shapes alone tell where no two modules have the same. Modules of the same shapes are taken in the order in which PyTorch
lists them, that of their definition, if each of ours reads what the one before it gives, however far behind. A batch
norm goes with the convolution it follows. What lies side by side in equal shapes nobody can tell apart: then nothing is
taken.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pellucid.convert.source import Wanted, in_numbers
from pellucid.layers.graph import Graph
from pellucid.ops.geometry import Shape

Shapes = tuple[tuple[str, Shape], ...]


class Unclear(Exception):
    """Why order and shapes do not tell."""


@dataclass(frozen=True)
class _Module:
    """label: what people call it. shapes: of its arrays, by the last part of their names. node: in our graph."""

    path: str
    label: str
    shapes: Shapes
    node: int = -1
    in_head: bool = False

    @property
    def is_norm(self) -> bool:
        return any(part == "running_mean" for part, _ in self.shapes)

    @property
    def is_dense(self) -> bool:
        return all(len(shape) <= 2 for _, shape in self.shapes)


Unit = tuple[_Module, ...]
"""A module, or a convolution and the batch norm that reads it."""


def pair(
    graph: Graph, wanted: Sequence[Wanted], stored: Mapping[str, Shape], *, ordered: bool, no_top: bool
) -> dict[str, str]:
    """The path of each module in the file -> the path that `wanted` has for it.

    stored: the file's arrays. ordered: they stand in the order of their definition; otherwise names that differ in
    their numbers alone are taken in the order of these. The head may be missing as a whole; the last module may have
    other sizes; no_top: dense layers may be left over.
    Errors: Unclear.
    """
    nodes = {layer: number for number, layer in enumerate(graph.layers)}
    items = {item.tensor.rpartition(".")[0]: item for item in wanted}
    ours = [
        _Module(path, items[path].layer.name, shapes, nodes[items[path].layer], items[path].in_head)
        for path, shapes in _modules((item.tensor, item.shape) for item in wanted).items()
    ]
    names = list(stored) if ordered else sorted(stored, key=in_numbers)
    theirs = [_Module(path, path, shapes) for path, shapes in _modules((name, stored[name]) for name in names).items()]
    below = _below(graph)
    attempts: list[tuple[list[Unit], list[Unit]]] = [([(one,) for one in ours], [(one,) for one in theirs])]
    if ordered:
        attempts.insert(0, (_with_norms(ours, graph), _following(theirs)))
    reasons = []
    for own, found in attempts:
        try:
            units = _assigned(own, found, below, ordered=ordered, no_top=no_top)
        except Unclear as reason:
            reasons.append(reason)
            continue
        return {there.path: here.path for a, b in units for here, there in zip(a, b, strict=True)}
    raise reasons[0]


def _modules(arrays: Iterable[tuple[str, Shape]]) -> dict[str, Shapes]:
    found: dict[str, list[tuple[str, Shape]]] = {}
    for name, shape in arrays:
        path, _, part = name.rpartition(".")
        found.setdefault(path, []).append((part, shape))
    return {path: tuple(sorted(parts)) for path, parts in found.items()}


def _below(graph: Graph) -> list[int]:
    """For each node, those that it reads, directly or not, as the bits of a number."""
    found: list[int] = []
    for node in graph.nodes:
        own = 0
        for i in node.inputs:
            own |= 0 if i < 0 else found[i] | 1 << i
        found.append(own)
    return found


def _with_norms(modules: Sequence[_Module], graph: Graph) -> list[Unit]:
    """Ours: a norm with the module it reads."""
    norms = {graph.nodes[module.node].inputs: module for module in modules if module.is_norm}
    rows: list[Unit] = []
    taken: set[_Module] = set()
    for module in modules:
        norm = None if module.is_norm else norms.get((module.node,))
        rows.append((module,) if norm is None else (module, norm))
        taken.update(rows[-1][1:])
    return [row for row in rows if row[0] not in taken]


def _following(modules: Sequence[_Module]) -> list[Unit]:
    """The file's: a norm with the module listed before it, where that gives as many channels."""
    rows: list[Unit] = []
    for module in modules:
        before = rows[-1] if rows else ()
        if module.is_norm and len(before) == 1 and not before[0].is_norm and not before[0].is_dense:
            channels, weights = dict(module.shapes)["running_mean"], dict(before[0].shapes).get("weight", ())
            if weights[:1] == channels:
                rows[-1] = (*before, module)
                continue
        rows.append((module,))
    return rows


def _assigned(
    ours: list[Unit], theirs: list[Unit], below: Sequence[int], *, ordered: bool, no_top: bool
) -> list[tuple[Unit, Unit]]:
    """Each unit of ours and the file's that it is; a unit of the head may be left out, see `pair`."""
    here, there = _by_shapes(ours), _by_shapes(theirs)
    found: list[tuple[Unit, Unit]] = []
    missing: list[Unit] = []
    extra: list[Unit] = []
    for shapes in dict.fromkeys((*here, *there)):
        own, given = here.get(shapes, []), there.get(shapes, [])
        if len(own) != len(given):
            missing += own
            extra += given
            continue
        for one, other in itertools.pairwise(own):
            if not below[other[0].node] >> one[0].node & 1:
                raise Unclear(f"{one[0].label} and {other[0].label} have the same shapes and stand side by side")
        patterns = {re.sub(r"\d+", "0", unit[0].path): unit for unit in given}
        if not ordered and len(patterns) > 1:
            names = " and ".join(unit[0].label for unit in patterns.values())
            raise Unclear(f"{names} have the same shapes, and the file does not keep their order")
        found += zip(own, given, strict=True)
    if not extra and missing == [unit for unit in ours if unit[0].in_head]:
        return found
    if no_top and all(unit[0].in_head for unit in missing) and all(unit[0].is_dense for unit in extra):
        return found
    if missing == ours[-1:] and extra == theirs[-1:] and _sizes_alone_differ(ours[-1], theirs[-1]):
        return [*found, (ours[-1], theirs[-1])]
    if missing or extra:
        differ = [f"the network has {_several(missing)}"] if missing else []
        differ += [f"the file has {_several(extra)}"] if extra else []
        raise Unclear(" where ".join(differ))
    return found


def _by_shapes(units: Iterable[Unit]) -> dict[tuple[Shapes, ...], list[Unit]]:
    found: dict[tuple[Shapes, ...], list[Unit]] = {}
    for unit in units:
        found.setdefault(tuple(module.shapes for module in unit), []).append(unit)
    return found


def _sizes_alone_differ(one: Unit, other: Unit) -> bool:
    def form(unit: Unit) -> list[list[tuple[str, int]]]:
        return [[(part, len(shape)) for part, shape in module.shapes] for module in unit]

    return form(one) == form(other)


def _several(units: Sequence[Unit]) -> str:
    """The first of them with its shapes, and how many more there are."""
    first = f"{units[0][0].label} {', '.join(f'{part} {shape}' for part, shape in units[0][0].shapes)}"
    return first if len(units) == 1 else f"{first} and {len(units) - 1} more"
