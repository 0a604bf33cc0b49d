"""A network for Keras as models within models: at each level its layers, and models as one each, in Keras's order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pellucid.convert.keras_layers import SAID, config_of
from pellucid.convert.keras_values import REGISTERED, class_path, keras_object
from pellucid.export.keras_parts import Part, Within
from pellucid.layers import MultiHeadAttention
from pellucid.ops.geometry import Shape


@dataclass
class Unit:
    """One call of a layer, or of a model within, in a level. key: its own; of: that of the first call of the same.

    reads, gives: names of parts, or of the level's inputs.
    """

    key: str
    of: str
    name: str
    reads: tuple[str, ...]
    gives: tuple[str, ...]
    shapes: tuple[Shape, ...]
    part: Part | None = None
    level: Level | None = None

    @property
    def is_first(self) -> bool:
        """Whether it is not the same layer, or model, again."""
        return self.key == self.of

    def arrays(self) -> list[tuple[str, Any]]:
        """As .h5 has them, with their names: of a model within those that are trained first."""
        if self.part is not None:
            return [(f"{self.name}/{number}", array) for number, array in enumerate(self.part.arrays)]
        trained, others = [], []
        for path, part in self.level.parts() if self.level else ():
            count = len(part.arrays) - part.states if part.trainable else 0
            named = [(f"{path}/{number}", array) for number, array in enumerate(part.arrays)]
            trained += named[:count]
            others += named[count:]
        return trained + others


@dataclass
class Level:
    """A model: its name, its inputs by the names under which parts read them, and the units in Keras's order."""

    name: str
    inputs: Mapping[str, tuple[str, Shape]]
    ends: Sequence[str]
    units: list[Unit] = field(default_factory=list)
    row: bool = False
    """Whether it is a Sequential."""

    def first(self) -> list[Unit]:
        """Its layers and models, each once."""
        return [unit for unit in self.units if unit.is_first]

    def parts(self) -> Iterator[tuple[str, Part]]:
        """Those of all levels below, each once, with the names of the models around them and their own."""
        for unit in self.first():
            if unit.part is not None:
                yield unit.name, unit.part
            for path, part in unit.level.parts() if unit.level else ():
                yield f"{unit.name}/{path}", part

    def config(self) -> dict[str, Any]:
        """As Keras describes it."""
        inputs = [
            {"batch_shape": [None, *shape], "dtype": "float32", "name": name} for name, shape in self.inputs.values()
        ]
        records = [_record("InputLayer", each) for each in inputs] + [_described(unit) for unit in self.first()]
        config: dict[str, Any] = {"name": self.name, "trainable": True, "layers": records}
        if self.row:
            return keras_object("keras", "Sequential", config)
        config |= self._graph({record["name"]: record for record in records})
        return keras_object("keras.src.models.functional", "Functional", config)  # as Keras itself calls it

    def _graph(self, records: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
        """Who reads what, written into the records; and the level's ends."""
        places: dict[str, tuple[str, int, int]] = {}
        shapes: dict[str, Shape] = {}
        for read, (name, shape) in self.inputs.items():
            records[name]["inbound_nodes"] = []
            places[read], shapes[read] = (name, 0, 0), shape
        calls: Counter[str] = Counter()
        for unit in self.units:
            for number, given in enumerate(unit.gives):
                places[given] = unit.name, calls[unit.name], number
            shapes |= zip(unit.gives, unit.shapes, strict=True)
            calls[unit.name] += 1

        def tensor(name: str) -> dict[str, Any]:
            given = {"shape": [None, *shapes[name]], "dtype": "float32", "keras_history": list(places[name])}
            return {"class_name": "__keras_tensor__", "config": given}

        for unit in self.units:
            tensors = [tensor(name) for name in unit.reads]
            layer = unit.part.layer if unit.part else None
            one = len(tensors) > 1 if layer is None else layer.merges and layer.role != "recurrent"
            one = one and not isinstance(layer, MultiHeadAttention)
            said = {name: True for name in SAID if getattr(layer, name, False)}
            node: dict[str, Any] = {"args": [tensors] if one else tensors, "kwargs": said}
            records[unit.name].setdefault("inbound_nodes", []).append(node)
        return {
            "input_layers": _ends([(name, 0, 0) for name, _ in self.inputs.values()]),
            "output_layers": _ends([places[name] for name in self.ends]),
        }

    def weights(self, place: str = "layers") -> Iterator[tuple[str, Part]]:
        """Of each layer, where model.weights.h5 keeps it: by class and number, models within in groups of their own."""
        counts: Counter[str] = Counter()
        for unit in self.first():
            row = unit.level.row if unit.level else False
            kind = "Sequential" if row else "Functional"
            kind = config_of(unit.part.layer)[0].keras.removeprefix(REGISTERED) if unit.part else kind
            kind = class_path(kind)
            name = f"{place}/{kind}_{counts[kind]}" if counts[kind] else f"{place}/{kind}"
            counts[kind] += 1
            if unit.part:
                yield name, unit.part
            elif unit.level:
                yield from unit.level.weights(f"{name}/layers")


def _record(kind: str, config: Mapping[str, Any]) -> dict[str, Any]:
    return {**keras_object("keras.layers", kind, config), "name": config["name"]}


def _described(unit: Unit) -> dict[str, Any]:
    if unit.level is not None:
        return {**unit.level.config(), "name": unit.name}
    assert unit.part is not None
    row, config = config_of(unit.part.layer)
    del config["trainable"]  # which not all layers without weights take
    trainable = {"trainable": unit.part.trainable} if unit.part.arrays else {}
    return _record(row.keras, {**config, "name": unit.name, **trainable})


def _ends(places: Sequence[tuple[str, int, int]]) -> list[Any]:
    """Inputs or outputs of a functional model, which answer of which call of which layer: one, or a list of them."""
    found = [list(place) for place in places]
    return found[0] if len(found) == 1 else found


def levels(
    name: str, inputs: Mapping[str, Shape], parts: Sequence[Part], ends: Sequence[str], calls: Sequence[Within],
    *, row: bool,
) -> Level:  # fmt: skip
    """The outermost level of these parts. row: whether a network whose layers stand in a row is a Sequential."""
    return _level(name, {each: (each, shape) for each, shape in inputs.items()}, parts, ends, calls, 0, row=row)


def _level(
    name: str, inputs: Mapping[str, tuple[str, Shape]], parts: Sequence[Part], ends: Sequence[str],
    calls: Sequence[Within], depth: int, *, row: bool,
) -> Level:  # fmt: skip
    shapes = {**{read: shape for read, (_, shape) in inputs.items()}, **{part.name: part.shape for part in parts}}
    units: dict[str, Unit] = {}
    models: dict[int, str] = {}
    own = {part.name for part in parts if len(part.within) <= depth}
    for part in parts:
        if len(part.within) <= depth:
            of = part.of if part.of in own else part.name
            label = part.inner if depth else part.name
            label = units[of].name if of in units else label
            units[part.name] = Unit(part.name, of, label, part.reads, (part.name,), (part.shape,), part)
            continue
        number = part.within[depth]
        one, key = calls[number], f"call {number}"
        if key not in units:
            of = models.setdefault(one.model, key)
            units[key] = Unit(key, of, one.title, one.given, one.gives, tuple(shapes[name] for name in one.gives))
            if of == key:
                heads = one.heads if len(one.heads) == len(one.given) else [f"input_{i}" for i in range(len(one.given))]
                given = {read: (head, shapes[read]) for read, head in zip(one.given, heads, strict=True)}
                inside = [each for each in parts if len(each.within) > depth and each.within[depth] == number]
                units[key].level = _level(
                    one.title, given, inside, one.gives, calls, depth + 1, row=one.kind == "Sequential"
                )
    found = Level(name, inputs, ends, _as_keras_orders(_in_order(list(units.values())), ends))
    before = list(inputs)
    for unit in found.units if row and len(inputs) == 1 and len(ends) == 1 else ():
        if not unit.is_first or unit.reads != tuple(before) or len(unit.gives) != 1:
            return found
        before = list(unit.gives)
    found.row = row and len(inputs) == 1 and before == list(ends)
    return found


def _in_order(units: Sequence[Unit]) -> list[Unit]:
    """Each after what it reads."""
    giver = {name: unit for unit in units for name in unit.gives}
    found: dict[str, Unit] = {}
    for start in units:
        todo = [start]
        while todo:
            missing = [one for name in todo[-1].reads if (one := giver.get(name)) is not None and one.key not in found]
            if missing:
                todo.extend(missing)
            else:
                unit = todo.pop()
                found[unit.key] = unit
    return list(found.values())


def _as_keras_orders(units: Sequence[Unit], ends: Sequence[str]) -> list[Unit]:
    """The units in the order in which Keras counts the layers of a network that it makes of a config, by which
    .weights.h5 calls them: farthest from the answers first, then as a search from the answers meets them.

    Source: map_graph and _build_map in keras/src/ops/function.py.
    """
    giver = {name: unit for unit in units for name in unit.gives}
    depths: dict[str, int] = {}
    deepest: dict[str, int] = {}
    for unit in reversed(units):
        depth = max(depths.get(unit.key, 0), deepest.get(unit.of, 0))
        deepest[unit.of] = depth
        for read in unit.reads:
            if read in giver:
                depths[giver[read].key] = max(depths.get(giver[read].key, 0), depth + 1)
    met: dict[str, int] = {}
    seen: set[str] = set()
    todo = list(reversed(ends))
    while todo:
        reached = giver.get(todo.pop())
        if reached is not None and reached.key not in seen:
            seen.add(reached.key)
            met.setdefault(reached.of, len(met))
            todo.extend(reversed(reached.reads))
    return sorted(units, key=lambda unit: (-deepest[unit.of], met[unit.of]))
