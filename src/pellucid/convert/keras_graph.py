"""The architecture in a config of Keras's (JSON, of version 1, 2 or 3): its layers called on values, nested models too.

Where the file's pictures have their channels first they come last here: its maps are "turned", and what depends on the
order of axes is turned with them, or gets a Permute.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pellucid import layers
from pellucid.convert.keras_config import (
    MAX_DEPTH,
    MODELS,
    all_layers,
    calls_of,
    channels_first,
    config_in,
    ends_of,
    flags_of,
    is_custom,
    kind_of,
    layers_of,
    model_of,
    name_of,
    paths_of,
    without_masks,
)
from pellucid.convert.keras_inner import InnerCall, nested
from pellucid.convert.keras_layers import BY_KERAS, CODE, IDENTITY, OPERATIONS, SAID, Row, arguments_of, row_of
from pellucid.convert.keras_values import named
from pellucid.convert.network import Draft
from pellucid.errors import CheckpointError, ConfigError, PellucidError, shown
from pellucid.layers import Layer
from pellucid.layers.older import MERGES, modern
from pellucid.layers.shape import side_by_side
from pellucid.layers.symbolic import Symbolic
from pellucid.model.blank import FAULTS
from pellucid.model.file import MAX_LAYERS

MAX_CALLS, MAX_READ = 2_000, 5_000
"""Calls of layers in all, models within models too; values that the layers of one model read."""
TO_FIRST, TO_LAST = (3, 1, 2), (2, 3, 1)
"""Dims of a Permute that brings the channels of maps to the front, and to the end."""

_LITERAL_AXES = {1: 3, 2: 1, 3: 2}
"""Axes of (N, C, H, W) -> the same ones of (N, H, W, C)."""
_BY_AXIS = (
    *("BatchNormalization", "LayerNormalization", "GroupNormalization", "Normalization"),
    *("Softmax", "Concatenate"),
)


@dataclass(frozen=True)
class Maps:
    """A value. turned: in the file its channels come first, here last."""

    value: Symbolic
    turned: bool = False


@dataclass(frozen=True)
class Place:
    """Where a layer stands in the file: the names of the models around it and its own, and its path in .weights.h5.

    keras: its class. first: its data_format is channels_first.
    """

    layer: Layer
    names: tuple[str, ...]
    path: str
    keras: str
    first: bool


class ConfigReader:
    """Goes through one config. version: Keras's, 1, 2 or 3.

    Errors: CheckpointError for what is no config, and for layers that have no counterpart, all of them by name.
    """

    draft: Draft
    name: str

    def __init__(self, path: Path, config: Any, version: int) -> None:
        self.path, self.version = path, version
        self.places: list[Place] = []
        self.notes: list[str] = []
        self._names: set[str] = set()
        self._made: dict[tuple[tuple[str, ...], str], Layer] = {}
        """Layers by the names and the path of their places: one that is called twice is made once."""
        self._called = 0
        self._inside: list[InnerCall] = []
        self._input: layers.Input | None = None
        try:
            self.model = without_masks(model_of(config))
            self._expect_known(self.model)
            self._turned = any(channels_first(record) for record in all_layers(self.model))
            outputs = self._network(self.model, None, (), "", trainable=True)
            if self._input is None:
                raise ConfigError("it has no input")
        except CheckpointError:
            raise
        except FAULTS as error:
            what = str(error) or type(error).__name__
            raise CheckpointError(f"{path}: its architecture cannot be followed: {what:.1000}") from error
        if self._turned:
            self.notes.append("the file's pictures have their channels first; here they come last, (H, W, C)")
        self.name = str(config_in(self.model).get("name") or "model")
        in_row = self.model["class_name"] == "Sequential"
        self.draft = Draft(path, self._input, [maps.value for maps in outputs], in_row=in_row)

    def nested(self, numbers: Mapping[Symbolic, int]) -> dict[str, Any] | None:
        """`Model.nested` of the network, whose values have these numbers; None where no model is within."""
        return nested(self._inside, {place.layer: place.names[-1] for place in self.places}, numbers)

    def _expect_known(self, model: Mapping[str, Any]) -> None:
        """Errors: CheckpointError that names every layer without a counterpart, and what to do."""
        unknown = []
        for count, record in enumerate(all_layers(model)):
            if count > MAX_LAYERS:
                raise ConfigError(f"it has more than {MAX_LAYERS} layers")
            try:
                kind = kind_of(record)
                if kind not in ("InputLayer", "Merge", *IDENTITY) and kind not in OPERATIONS:
                    row_of(kind)
            except ConfigError:
                own = " of a class of your own" if is_custom(record) else ""
                unknown.append(f"{record['class_name']} {name_of(record)!r}{own}")
        if unknown:
            more = f" and {len(unknown) - 8} more" if len(unknown) > 8 else ""
            code = any(text.startswith(CODE) for text in unknown)
            why = "programs in a file are not run" if code else "they have no counterpart here"
            raise CheckpointError(
                f"{self.path}: {', '.join(unknown[:8])}{more}: {why}; write them as other layers of Keras "
                f"({', '.join(sorted({row.keras for row in BY_KERAS.values()})[:6])}, ...) and save again"
            )

    # Networks

    def _network(
        self, model: Mapping[str, Any], given: list[Maps] | None, names: tuple[str, ...], path: str, *, trainable: bool
    ) -> list[Maps]:
        """What comes out of a model. given: what goes in; None for the outermost."""
        if len(names) > MAX_DEPTH:
            raise ConfigError(f"models lie within models more than {MAX_DEPTH} deep")
        config, records = config_in(model), layers_of(model)
        paths = paths_of(records, f"{path}/layers/" if path else "")
        trainable = trainable and bool(config.get("trainable", True))
        if model["class_name"] != "Sequential":
            return self._functional(config, records, paths, given, names, trainable=trainable)
        values = given
        for record, own in zip(records, paths, strict=True):
            if values is None:
                values = [self._given(record, config)]
            values = self._layer(record, values, names, own, trainable=trainable)
        if values is None:
            raise ConfigError("it has no layers")
        return values

    def _functional(
        self,
        config: Mapping[str, Any],
        records: Sequence[Mapping[str, Any]],
        paths: Sequence[str],
        given: list[Maps] | None,
        names: tuple[str, ...],
        *,
        trainable: bool,
    ) -> list[Maps]:
        sources = [name for name, _, _ in ends_of(config["input_layers"])]
        if given is None and len(sources) > 1:
            given = self._several(sources, {name_of(record): record for record in records})
        if given is not None and len(given) != len(sources):
            raise ConfigError(f"the model {names[-1]!r} takes {len(sources)} values, it is given {len(given)}")
        calls = {name_of(record): calls_of(record) for record in records}
        answers: dict[tuple[str, int], list[Maps]] = {}
        for record in records:
            name = name_of(record)
            if name in sources:
                answers[name, 0] = [self._given(record, {})] if given is None else [given[sources.index(name)]]
        waiting = [
            (record, path, number)
            for record, path in zip(records, paths, strict=True)
            if name_of(record) not in sources
            for number in range(len(calls[name_of(record)]))
        ]

        references = [each for nodes in calls.values() for node in nodes for each in node[0]]
        references += ends_of(config["output_layers"])
        if len(waiting) > MAX_CALLS or len(references) > MAX_READ:
            raise ConfigError(f"its layers are called more than {MAX_CALLS} times, or read more than {MAX_READ} values")
        last: dict[str, int] = {}
        for name, node, _ in references:
            last[name] = max(last.get(name, 0), node)

        def read(reference: tuple[str, int, int]) -> Maps | None:
            name, node, tensor = reference
            count = max(len(calls[name]), 1)  # an input has none
            number = 0 if count == 1 else node - (last[name] - count + 1)  # nested models count from 1
            found = answers.get((name, number))
            return None if found is None else found[tensor]

        while waiting:
            left = []
            for record, path, number in waiting:
                read_by, constants = calls[name_of(record)][number]
                values = [read(reference) for reference in read_by]
                if not values or any(value is None for value in values):
                    left.append((record, path, number))
                    continue
                if constants:
                    raise ConfigError(
                        f"{name_of(record)!r} computes with {shown(constants[0])}; operations with constants have no "
                        "counterpart here"
                    )
                known = [value for value in values if value is not None]
                answers[name_of(record), number] = self._layer(record, known, names, path, trainable=trainable)
            if len(left) == len(waiting):
                raise ConfigError(f"layer {name_of(left[0][0])!r} waits for a value that nobody gives, or for its own")
            waiting = left
        found = [read(reference) for reference in ends_of(config["output_layers"])]
        return [value for value in found if value is not None]

    def _several(self, sources: Sequence[str], records: Mapping[str, Mapping[str, Any]]) -> list[Maps]:
        """Several inputs, which lie behind one another in one row."""
        inputs, turned = [], []
        for name in sources:
            turned.append(self._given(records[name], {}).turned)
            assert self._input is not None
            inputs.append(layers.Input(self._input.sizes, name=self._free((name,))))
        self._input, parts = side_by_side(inputs, "the model")
        return [Maps(part(self._input), first) for part, first in zip(parts, turned, strict=True)]

    def _given(self, record: Mapping[str, Any], outer: Mapping[str, Any]) -> Maps:
        """The pictures that go in, whose shape stands in the first layer or in the model."""
        config = {} if record["class_name"] in MODELS and isinstance(record.get("config"), list) else config_in(record)
        if record["class_name"] in MODELS and not any("shape" in key for key in config):
            return self._given(layers_of(record)[0], config_in(record))
        built = (each.get("build_config") or {} for each in (record, outer))
        shapes = [config.get("batch_shape"), config.get("batch_input_shape"), config.get("build_input_shape")]
        shapes += [outer.get("build_input_shape"), *(each.get("input_shape") for each in built)]
        if isinstance(config.get("input_dim"), int):
            shapes.append([None, config["input_dim"]])
        shape = next((shape for shape in shapes if isinstance(shape, list) and len(shape) > 1), None)
        if shape is None:
            raise ConfigError("it does not say the shape of its input; call it on a batch in Keras, and save again")
        sizes, turned = shape[1:], self._turned and len(shape) == 4
        sizes = [*sizes[1:], sizes[0]] if turned else sizes
        if None in sizes:
            raise ConfigError(f"it takes pictures of any size, {sizes}; give its Input one in Keras, and save again")
        self._input = layers.Input(sizes, name=config.get("name") if record["class_name"] == "InputLayer" else None)
        return Maps(self._input, turned)

    # Layers

    def _layer(
        self, record: Mapping[str, Any], values: list[Maps], names: tuple[str, ...], path: str, *, trainable: bool
    ) -> list[Maps]:
        """What a layer, or a model, gives."""
        name = name_of(record)
        self._called += 1
        if self._called > MAX_CALLS:
            raise ConfigError(f"its layers are called more than {MAX_CALLS} times")
        if record["class_name"] == "InputLayer":
            return values
        if record["class_name"] in MODELS:
            inside = InnerCall(record, (*names, name), [each.value for each in values])
            self._inside.append(inside)
            found = self._network(record, values, (*names, name), path, trainable=trainable)
            inside.answers = [each.value for each in found]
            return found
        kind = kind_of(record)
        try:
            return self._row(record, kind, values, (*names, name), path, trainable=trainable)
        except PellucidError as error:
            if kind not in IDENTITY:
                raise ConfigError(f"{kind} {name!r}: {error}") from error
        self.notes.append(f"{kind} {name!r} acts in training alone, and is left out")
        return values

    def _row(
        self,
        record: Mapping[str, Any],
        kind: str,
        values: list[Maps],
        names: tuple[str, ...],
        path: str,
        *,
        trainable: bool,
    ) -> list[Maps]:
        given = dict(config_in(record))
        if kind in OPERATIONS:
            kind, given = OPERATIONS[kind](given)
        if kind == "Merge":
            kind = MERGES.get(str(given.pop("mode", "sum")), "Merge")
            given = {"axis": given.get("concat_axis", -1)} if kind == "Concatenate" else {}
        row = row_of(kind, given)
        config = modern(row.arguments, given)
        first = config.pop("data_format", None) == "channels_first"
        values = self._ready(row, config, values, first=first)
        after = self._own_activation(config)
        arguments, left = arguments_of(row, config)
        said = flags_of(record)
        arguments |= {name: True for name in SAID if row.ours.role == "attention" and name in said}
        self._expect_same_activation(arguments)
        if left:
            self.notes.append(f"{kind} {names[-1]!r} comes without {', '.join(left)}, which act in training alone")
        kept = trainable and bool(config.get("trainable", True))
        layer = self._made.get((names, path))
        if layer is None:
            layer = self._made[names, path] = row.ours(**arguments, name=self._free(names), trainable=kept)
            self.places.append(Place(layer, names, path, kind, first))
        answer: Any = layer([each.value for each in values])
        if isinstance(answer, list):
            return [Maps(each) for each in answer]
        found = replace(values[0], value=answer)
        if after is not None:
            found = replace(found, value=after(found.value))
        return [found if len(found.value.shape) == 3 else Maps(found.value)]

    def _ready(self, row: Row, config: dict[str, Any], values: list[Maps], *, first: bool) -> list[Maps]:
        """What a layer reads, with axes in the order that it needs; its arguments that count axes follow."""
        kind = row.keras
        if any(each.turned for each in values) and row.ours.role in ("dropout", "noise", "merge", "activation"):
            literal = kind == "PReLU" or "softmax" in str(config.get("activation"))
        else:
            literal = not first and kind not in _BY_AXIS
        want = any(each.turned for each in values) and not literal
        want = want or (first and len(values[0].value.shape) == 3)
        values = [self._turned_to(each, turned=want) if len(each.value.shape) == 3 else each for each in values]
        axis = config.get("axis", -1)
        if kind in _BY_AXIS and axis is not None:
            rank = len(values[0].value.shape) + 1
            axes = axis if isinstance(axis, list) else [axis]
            axes = [axis % rank for axis in axes]
            axes = [_LITERAL_AXES[axis] if values[0].turned else axis for axis in axes]
            axes = [-1 if axis == rank - 1 else axis for axis in axes]
            config["axis"] = axes[0] if len(axes) == 1 else axes
        if kind == "Multiply":
            values = [self._as_row(each, values) for each in values]
        return values

    @staticmethod
    def _turned_to(maps: Maps, *, turned: bool) -> Maps:
        if maps.turned == turned:
            return maps
        return Maps(layers.Permute(TO_LAST if turned else TO_FIRST)(maps.value), turned)

    @staticmethod
    def _as_row(maps: Maps, others: Sequence[Maps]) -> Maps:
        """(1, 1, C), which Keras multiplies each place of maps by, as ours take it: (C,)."""
        shape = maps.value.shape
        if shape[:-1] != (1, 1) or all(other.value.shape == shape for other in others):
            return maps
        return Maps(layers.Reshape(shape[-1:])(maps.value))

    @staticmethod
    def _own_activation(config: dict[str, Any]) -> Layer | None:
        """A layer that was given as another one's activation: it stands behind it here."""
        spec = config.get("activation")
        if not isinstance(spec, dict) or spec.get("class_name") not in BY_KERAS:
            return None
        del config["activation"]
        kind, given = named(spec)
        row = row_of(kind)
        return row.ours(**arguments_of(row, modern(row.arguments, given))[0])

    def _expect_same_activation(self, arguments: Mapping[str, Any]) -> None:
        if arguments.get("activation") == "hard_sigmoid" and self.version < 3:
            raise ConfigError(
                "hard_sigmoid was another function before Keras 3; write sigmoid there, or save the model with Keras 3"
            )

    def _free(self, names: tuple[str, ...]) -> str:
        """A name no other layer has: its own, with the models' around it in front, or a number behind."""
        own = names[-1] if names[-1] not in self._names else "_".join(names)
        number = 0
        while (name := f"{own}_{number}" if number else own) in self._names:
            number += 1
        self._names.add(name)
        return name
