"""A whole model of Keras's: the architecture in its config, the weights beside it, and what it was compiled with."""

from __future__ import annotations

import inspect
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from pellucid import losses, metrics, optimizers
from pellucid.convert.keras import UNKNOWN_TURN, KerasWeights, arrays_at, turned_round
from pellucid.convert.keras_file import HDF5_START, is_archive
from pellucid.convert.keras_graph import ConfigReader, Place
from pellucid.convert.keras_layers import inner_of
from pellucid.convert.keras_values import named, read_rate
from pellucid.convert.network import Held, Read, take_pixels
from pellucid.convert.source import Arrange
from pellucid.convert.weights import WHOSE, open_weights
from pellucid.errors import CheckpointError, PellucidError
from pellucid.layers import Conv1D, DepthwiseConv2D, Normalization
from pellucid.model import Model
from pellucid.model.blank import FAULTS
from pellucid.ops.geometry import Shape


def fits(path: Path, start: bytes) -> bool:
    """Whether it is a file of Keras's, by its first bytes."""
    return start.startswith(HDF5_START) or is_archive(path, start)


def read(path: Path) -> Read:
    """The model in a .keras or .h5. Errors: as `model_of`, and as the file's class."""
    with open_weights(path) as source:
        assert isinstance(source, KerasWeights)
        model, notes = model_of(source)
        return Read(model, source.form.replace("weights", "model", 1), "raw", tuple(notes))


def model_of(source: KerasWeights) -> tuple[Model, list[str]]:
    """The model in an open file, and what was left out or turned, in words.

    Whole numbers are given to it as they are, as Keras gives them: no file says what was done to
    pictures before.
    Errors: CheckpointError for a file of weights alone, and for what has no counterpart here.
    """
    if source.config is None:
        source.refuse(
            f"holds weights alone, and no network; say whose they are, {WHOSE}, or "
            "pellucid.convert.import_weights(model, FILE)"
        )
    config = _json(source, source.config)
    reader = ConfigReader(source.path, config, source.version)
    for place in reader.places:
        held = _held(source, place)
        if isinstance(place.layer, Normalization):  # which Keras counts among the weights
            if held:
                place.layer.take(*(each.read() for each in held))
        elif held:
            reader.draft.arrays[place.layer] = held
    taken = {name for place in reader.places for name in _arrays(source, place)}
    spare = [name for name, stored in source.tensors.items() if name not in taken and stored.is_float]
    if spare:
        source.refuse(f"{len(spare)} arrays are of no layer in its architecture: {', '.join(spare[:4]):.300}")
    model = reader.draft.network(reader.name)
    model.keep_nested(reader.nested(reader.draft.numbers(model)))
    notes = [*source.notes, *reader.notes, *take_pixels(model)]
    training = config.get("compile_config") if source.training is None else _json(source, source.training)
    if training:
        notes += _compile(model, training)
    names = source.own.get("class_names") if isinstance(source.own, dict) else None
    if isinstance(names, list):
        try:
            model.class_names = names  # type: ignore[assignment]  # which is checked there
        except PellucidError as error:
            notes.append(f"its names of classes are not taken over: {error!s:.200}")
    broken = reader.draft.broken()
    if broken:
        notes.append(f"NaN or infinite numbers are in {', '.join(broken[:8])}: the model's answers will be too")
    return model, notes


def _json(source: KerasWeights, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{source.path}: its config is no JSON that can be followed ({error!s:.100})") from error


# Weights


def _held(source: KerasWeights, place: Place) -> list[Held]:
    """The arrays of one layer, in the file's order, which is ours."""
    found = []
    names = _arrays(source, place)
    for number, name in enumerate(names[:2] if isinstance(place.layer, Normalization) else names):  # without its count
        stored = source.tensors[name]
        if not stored.is_float:
            source.refuse(f"{name}: holds {stored.dtype}, expected floats; save the model with float32 weights")
        shape, arrange = _arranged(source, place, stored.shape) if number == 0 else (stored.shape, np.asarray)
        found.append(Held(name, shape, lambda name=name, arrange=arrange: arrange(source.read(name))))  # type: ignore[misc]
    return found


def _arrays(source: KerasWeights, place: Place) -> tuple[str, ...]:
    if source.style == "keras3":
        return arrays_at(source, place.path, inner_of(place.layer))
    if len(place.names) == 1 and place.layer.role in ("recurrent", "attention"):
        name = place.names[0]
        own = [arrays for key, arrays in source.layers.items() if key == name or key.startswith(f"{name}/")]
        return tuple(array for arrays in own for array in arrays)
    if len(place.names) == 1 and place.names[0] in source.layers:
        return source.layers[place.names[0]]
    inside = [key for key in source.layers if key.startswith(f"{place.names[0]}/") or source.one_group]
    same = [key for key in inside if key.rpartition("/")[2] == place.names[-1]]
    if len(same) > 1:
        same = [key for key in same if key.endswith("/".join(place.names))] or same
    if len(same) > 1:
        source.refuse(f"{place.names[-1]!r} is the name of {len(same)} layers with weights; which is which is not said")
    if not same and len(place.names) > 1:  # a model within that has one layer with weights
        return source.layers.get(place.names[0], ())
    return source.layers[same[0]] if same else ()


def _arranged(source: KerasWeights, place: Place, shape: Shape) -> tuple[Shape, Arrange]:
    """The shape of a layer's first array in our layout, and the way there.

    Source: preprocess_weights_for_loading in Keras 2 (keras/engine/saving.py), for files of Keras 1 and of Theano.
    """
    transposed, convolves = (place.layer.role == role for role in ("transposed convolution", "convolution"))
    depthwise = isinstance(place.layer, DepthwiseConv2D)
    steps: list[Arrange] = []
    if source.version == 1 and len(shape) == 4:
        if isinstance(place.layer, Conv1D):
            if shape[1] != 1:  # (O, C, K, 1)
                shape = _step(steps, shape, (2, 3, 1, 0))
            shape = (shape[0], *shape[2:])
            steps.append(lambda kernel: kernel[:, 0])
        elif transposed:
            shape = _step(steps, shape, (2, 3, 0, 1) if place.first else (0, 1, 3, 2))
        elif convolves and not depthwise and place.first:
            shape = _step(steps, shape, (2, 3, 1, 0))
    if len(shape) > 2 and math.prod(shape[:-2]) > 1:
        if source.backend == "theano" and depthwise:
            source.refuse(f"{place.names[-1]!r}: {UNKNOWN_TURN}")
        if source.backend == "theano" and (transposed or convolves):
            steps.append(turned_round)
        elif source.backend is None and source.version == 1 and place.first:
            source.refuse(
                "its channels come first, and it does not say whether Theano trained it, whose kernels are turned by "
                "180 degrees; load it in Keras 2 with the backend that trained it, and save it again"
            )

    def arrange(kernel: Any) -> Any:
        for step in steps:
            kernel = step(kernel)
        return np.asarray(kernel, order="C")  # which leaves a single number without axes

    return shape, arrange


def _step(steps: list[Arrange], shape: Shape, axes: tuple[int, ...]) -> Shape:
    """The shape with its axes in another order, which becomes a step."""
    steps.append(lambda kernel: kernel.transpose(axes))
    return tuple(shape[axis] for axis in axes)


# What it was compiled with

_NAMES_OF_LOSSES = ("name", "reduction", "fn", "dtype")
"""What a loss's config says besides its numbers."""


def _compile(model: Model, training: Any) -> list[str]:
    """Compile as Keras had; what there is not is said, and the model stays as it is."""
    try:
        name, given = named(training.get("optimizer_config") or training.get("optimizer"))
        kind = type(optimizers.get(name.rpartition(">")[2]))
        known = inspect.signature(kind).parameters
        arguments: dict[str, Any] = {
            key: value for key, value in given.items() if key in known and isinstance(value, int | float)
        }
        if "learning_rate" in given:
            arguments["learning_rate"] = read_rate(given["learning_rate"])
        if "decoupled_weight_decay" in known:  # as it is in all of Keras's
            arguments["decoupled_weight_decay"] = "weight_decay" in arguments
        loss, options = named(training["loss"])
        options = {key: value for key, value in options.items() if key not in _NAMES_OF_LOSSES and value is not None}
        listed = training.get("metrics")
        read = map(_metric, listed if isinstance(listed, list) else [])
        measured = [each for each in read if each is not None]
        model.compile(kind(**arguments), losses.get({"type": loss, **options} if options else loss), measured)
        return []
    except PellucidError as error:
        return [f"it is not compiled as it was in Keras ({error!s:.200}); compile it before training"]
    except FAULTS:
        return ["what it was compiled with is not taken over; compile it before training"]


def _metric(given: Any) -> Any:
    """A metric as `compile` takes it; None for one that there is not."""
    if isinstance(given, str) or not isinstance(given, dict):
        return given if isinstance(given, str) else None
    name, options = named(given)
    if name not in metrics.__all__:
        return None
    known = inspect.signature(getattr(metrics, name)).parameters
    return {"type": name, **{key: value for key, value in options.items() if key in known and value is not None}}
