"""What a model of Keras's lists: its layers, models within it as one each, its inputs, and the values they give."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from pellucid.errors import CheckpointError
from pellucid.keras.inner import adopt, description
from pellucid.keras.nesting import Call, Calls, arranged, calls_of, name_as_keras, once, within
from pellucid.keras.tensor import InputLayer
from pellucid.layers import Layer
from pellucid.layers.graph import INPUT
from pellucid.layers.stack import Row, Stack
from pellucid.layers.store import again
from pellucid.layers.symbolic import Symbolic, Value, call, calls_behind
from pellucid.model import Model as Base
from pellucid.model import Sequential
from pellucid.model.blank import FAULTS
from pellucid.ops import Shape


class Listed(Base if TYPE_CHECKING else object):  # type: ignore[misc]
    """Of `Model`."""

    lists_inputs: ClassVar[bool] = False
    """Whether its inputs are listed among its layers."""
    _listed: Any
    _symbols: Any
    _placing: Calls = ()
    """In whose calls what is attached next came about."""

    # In its graph

    def _stand(self, sources: Sequence[Any], answers: Sequence[Any]) -> None:
        super()._stand(sources, answers)
        calls, order = self.__dict__.pop("_arrangement")
        self._order = [each for each in order if self.lists_inputs or not isinstance(each, Symbolic)]
        if len(sources) > 1:
            for number, source in enumerate(sources):
                self._around[number] = (Call(source),)
        own = [*(sources if len(sources) > 1 else ()), *calls]
        self._symbols = list(sources), own if len(own) == len(self._nodes) else []
        if len(sources) == 1 and self.graph.parts:  # a row that a file had for several inputs
            self._symbols = self._order = None
        self._changed()

    def _calls(self, answers: Sequence[Any], sources: Sequence[Any]) -> list[Value]:
        calls, order = arranged(calls_behind(answers, sources, self.name), answers, sources)
        self.__dict__["_arrangement"] = calls, order
        return calls

    def _place(self, value: Value, reads: tuple[int, ...]) -> None:
        self._placing = calls_of(value)
        try:
            super()._place(value, reads)
        finally:
            self._placing = ()

    def attach(self, layer: Layer, inputs: tuple[int, ...], shapes: Sequence[Shape] = ()) -> None:
        before = len(self._nodes)
        super().attach(layer, inputs, shapes)
        if isinstance(layer, Symbolic):
            self._free, self._symbols = getattr(layer, "free", ()), ([layer], [])
            return
        stands_behind = before > 0 and self._nodes[before - 1].layer.behind is layer
        alone = len(self._nodes) == before + 1 and layer.behind is None  # no mask before, no activation behind
        calls = self._around[before - 1] if stands_behind else self._placing or (() if alone else (Call(layer),))
        self._around[before:] = [calls] * (len(self._nodes) - before)
        self._order = None

    def detach(self) -> Layer:
        layer: Layer = super().detach()
        del self._around[len(self._nodes) :]
        if self._symbols is not None:
            del self._symbols[1][len(self._nodes) :]
        self._order = None
        return layer

    def _named(self, layer: Layer, taken: set[str]) -> Layer:
        """As Keras names it. A further call, and a layer of a model within whose name is taken, is another for the
        graph, with the same weights."""
        name_as_keras(layer)
        if layer.name not in taken:
            return layer
        further = layer._base_name is not None
        if not further and not self._placing and not layer.auto_named:
            layer.take_name(taken, self.name)  # which refuses it
        owner = self._placing[0].owner if self._placing else None
        stem = f"{layer.name}_call" if further or owner is None else f"{owner.name}_{layer.name}"
        other, number = layer if further else again(layer), 2
        other._name = stem
        while other.name in taken or other.name == layer._base_name:
            other._name, number = f"{stem}_{number}", number + 1
        return other

    @property
    def _around(self) -> list[Calls]:
        """Of each node in whose calls it stands, outermost first."""
        if self._listed is None:
            self._listed = [], None
        calls: list[Calls] = self._listed[0]
        calls.extend([()] * (len(self._nodes) - len(calls)))
        return calls

    @property
    def _order(self) -> list[Any] | None:
        """What is listed, in Keras's order, where that is known."""
        return None if self._listed is None else self._listed[1]

    @_order.setter
    def _order(self, order: list[Any] | None) -> None:
        self._listed = self._around, order

    @property
    def nested(self) -> Any:
        """Which of its layers are models within, see `inner.py`; None where none is."""
        return description(self._nodes, self._around, self.graph.outputs)

    def as_read(self) -> None:
        if (nested := self.__dict__.pop("_nested", None)) is not None:
            try:
                adopt(self, nested)
            except FAULTS as error:
                raise CheckpointError(f"{self.name}: its model within cannot be followed: {error!s:.500}") from error

    # What is listed

    @property
    def layers(self) -> Row:
        """The layers in Keras's order: a model, or a layer made of layers, is one; arithmetic is none."""
        if callable(getattr(self, "call", None)):
            return Row(held(self))
        return Row(self._order if self._order is not None else once(self._by_node()))

    def _by_node(self) -> list[Any]:
        """What stands at each node, behind its inputs."""
        shown: list[Any] = [
            calls[0].owner if calls else node.layer for calls, node in zip(self._around, self._nodes, strict=True)
        ]
        if not self.lists_inputs or not self._nodes:
            return shown
        sources = self._own_values()[0]
        return [*sources, *(each for number, each in enumerate(shown) if number not in self.graph.parts)]

    def get_layer(self, name: str | None = None, index: int | None = None) -> Any:
        layer = super().get_layer(name, index)
        if isinstance(layer, Layer) and (layer.owner is None or layer.owner() is None):  # who had it is gone
            self._claim()
        return layer

    def value_of(self, layer: Layer) -> Any:
        """What a layer gives in this model."""
        self.build()
        number = next((i for i, own in enumerate(self._layers) if own.store is layer.store), None)
        return None if number is None else self._own_values()[1][number]

    # Values of its own, for other models

    def _own_values(self) -> tuple[list[Any], list[Any]]:
        """Its inputs, and what each layer gives: one that gives an input that input itself."""
        parts = self.graph.parts
        sources, values = self._symbols or ([], [])
        if len(sources) != (len(parts) or 1):
            made = {part: InputLayer(part.target_shape, name=part.name) for part in parts.values()}
            sources, values = list(made.values()) or [InputLayer(self.graph.input_shape, name=self.input_name)], []
        if len(values) < len(self._nodes):
            known = dict(zip(parts, sources, strict=True)) if parts else {INPUT: sources[0]}
            found = self.recalled({**known, **dict(enumerate(values))})
            self._symbols = sources, [found[number] for number in range(len(self._nodes))]
        kept: tuple[list[Any], list[Any]] = self._symbols
        return kept

    def recalled(self, values: dict[int, Any], training: Any = None) -> dict[int, Any]:
        """These values, by number, and what the other layers give for them, called anew as they were."""
        calls: dict[int, Call] = {}
        for number, node in enumerate(self._nodes):
            if number not in values:
                anew = [calls.setdefault(id(one), one.again()) for one in self._around[number]]
                with within(*anew):
                    values[number] = call(node.layer, [values[i] for i in node.inputs], training)
        return values

    @property
    def input_names(self) -> list[str]:
        """Of its inputs."""
        return [source.name for source in self.inputs]

    @property
    def output_names(self) -> list[str]:
        """Of the layers, or models, that answer; of several answers of one model, those of its layers."""
        calls = [self._around[number] for number in self.graph.outputs]
        owners = [None if not each else each[0].owner for each in calls]
        layers = [self._nodes[number].layer for number in self.graph.outputs]
        named = [owner or layer for owner, layer in zip(owners, layers, strict=True)]
        return [(one if named.count(one) == 1 else own).name for one, own in zip(named, layers, strict=True)]


def held(thing: Any) -> list[Any]:
    """The layers and models that an object of one's own has as attributes, in lists and dictionaries, too."""
    found: list[Any] = []

    def look(value: Any) -> None:
        if isinstance(value, Layer | Stack):
            found.append(value)
        elif isinstance(value, list | tuple | dict):
            for one in value.values() if isinstance(value, dict) else value:
                look(one)

    every = vars(Sequential()).keys()  # what any model has
    for name, value in vars(thing).items():
        if name not in every:
            look(value)
    return once(found)
