"""Models within the model that a config of Keras's describes: which layers are of which call of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pellucid.convert.keras_config import config_in, ends_of
from pellucid.layers import Layer
from pellucid.layers.symbolic import Symbolic, Value


@dataclass
class InnerCall:
    """One call of a model within: its record, the names of the models around it and its own, and its ends."""

    record: Mapping[str, Any]
    names: tuple[str, ...]
    given: Sequence[Symbolic]
    answers: list[Symbolic] = field(default_factory=list)

    @property
    def kind(self) -> str:
        """The class that it is of here."""
        return "Sequential" if self.record["class_name"] == "Sequential" else "Functional"

    def heads(self) -> list[str]:
        """Its inputs' names, where the record has them."""
        ends = [] if self.kind == "Sequential" else ends_of(config_in(self.record)["input_layers"])
        return [name for name, _, _ in ends]

    def values(self) -> set[Symbolic]:
        """What its layers give."""
        found: set[Symbolic] = set()
        todo = list(self.answers)
        while todo:
            value = todo.pop()
            if isinstance(value, Value) and value not in found and value not in self.given:
                found.add(value)
                todo.extend(value.inputs)
        return found


def nested(
    inside: Sequence[InnerCall], names: Mapping[Layer, str], numbers: Mapping[Symbolic, int]
) -> dict[str, Any] | None:
    """`Model.nested` of a network, whose values have these numbers; None where no model is within.

    inside: outermost first. names: of layers in the models that they stand in.
    """
    layers = {number: value.layer for value, number in numbers.items() if isinstance(value, Value)}
    count = 1 + max(numbers.values(), default=-1)
    within: list[list[int]] = [[] for _ in range(count)]
    models: dict[tuple[str, ...], int] = {}
    kinds: list[dict[str, Any]] = []
    calls: list[dict[str, Any]] = []
    for one in inside:
        given, answers = ([numbers.get(value) for value in each] for each in (one.given, one.answers))
        outputs = [number for number in answers if number is not None]  # those that somebody reads
        own = [numbers[value] for value in one.values() if value in numbers]
        if not own or not outputs or None in given:
            continue
        for number in own:
            within[number].append(len(calls))
        if one.names not in models:
            models[one.names] = len(kinds)
            kinds.append({"name": one.names[-1], "kind": one.kind, "inputs": one.heads()})
        calls.append({"model": models[one.names], "inputs": given, "outputs": outputs})
    said = [names.get(layers[i], layers[i].name) if i in layers else "" for i in range(count)]
    return {"models": kinds, "calls": calls, "within": within, "names": said} if calls else None
