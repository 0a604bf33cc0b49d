"""A .keras file for Keras 3: architecture, weights, and pictures' scaling as its first layer.

Each layer is written by its row in `convert.keras_layers`; what Keras has not under one name stands as several of its
layers (`keras_parts`), and what they cannot say as a layer of ours, in a module beside the file (`keras_module`). Keras
is not needed to write it, h5py is.
"""

from __future__ import annotations

import importlib.util
import inspect
import io
import itertools
import json
import zipfile
from typing import TYPE_CHECKING, Any

from pellucid import metrics
from pellucid.convert.keras_layers import inner_of
from pellucid.convert.keras_values import keras_object, write_optimizer
from pellucid.errors import ConfigError
from pellucid.export.keras_levels import Level, levels
from pellucid.export.keras_module import beside
from pellucid.export.keras_parts import inputs_of, parts_of

if TYPE_CHECKING:
    from pellucid.model import Model

KERAS_VERSION = "3.0.0"
"""Whose form it has."""
_DATE = (2020, 1, 1, 0, 0, 0)
"""Of every file in the archive: the same model gives the same bytes."""


def files(model: Model, stem: str) -> dict[str, bytes]:
    """See `formats.Format`. The network takes what `predict` takes: whole numbers from 0 to 255, which its first layer
    scales; one that was trained on floats, or on no pictures, takes these as they are.

    Errors: ConfigError for a layer that Keras cannot express, and where h5py is not installed.
    """
    config, level, own = _content(model)
    members = {
        "metadata.json": json.dumps({"keras_version": KERAS_VERSION, "date_saved": "", "pellucid": own}).encode(),
        "config.json": json.dumps(config).encode(),
        "model.weights.h5": _weights(level),
    }
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        for name, data in members.items():
            file.writestr(zipfile.ZipInfo(name, _DATE), data)
    return {f"{stem}.keras": archive.getvalue(), **beside(config)}


def older_files(model: Model, stem: str) -> dict[str, bytes]:
    """The same as `files` in the form before .keras, HDF5 alone, which Keras 3 loads, too. Errors: as `files`."""
    config, level, _ = _content(model)
    training = config.pop("compile_config", None)
    import h5py

    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        file.attrs.update(keras_version=KERAS_VERSION, backend="tensorflow", model_config=json.dumps(config))
        if training is not None:
            optimizer = training.pop("optimizer")
            older = {"optimizer_config": optimizer, "weighted_metrics": None, "loss_weights": None}
            file.attrs["training_config"] = json.dumps({**training, **older})
        root = file.create_group("model_weights")
        units = [(unit.name, unit.arrays()) for unit in level.first()]
        every: list[tuple[str, list[tuple[str, Any]]]] = [*((name, []) for name in inputs_of(model)), *units]
        names = [name.encode() for name, _ in every]
        root.attrs.update(keras_version=KERAS_VERSION, backend="tensorflow", layer_names=names)
        root.create_group("top_level_model_weights").attrs["weight_names"] = []
        for name, arrays in every:
            group = root.create_group(name)
            group.attrs["weight_names"] = [path.encode() for path, _ in arrays]
            for path, array in arrays:
                group.create_dataset(path, data=array)
    return {f"{stem}.h5": content.getvalue(), **beside(config)}


def _content(model: Model) -> tuple[dict[str, Any], Level, dict[str, Any]]:
    """(architecture with what it was compiled with, its layers with their arrays, what Keras does not keep)."""
    if importlib.util.find_spec("h5py") is None:
        raise ConfigError("Keras's files need h5py, which is not installed; pip install 'pellucid[h5]'")
    model.build()
    with model.turns.taken():
        parts, ends, calls = parts_of(model)
        level = levels(model.name, inputs_of(model), parts, ends, calls, row=model.reads is None)
        config = level.config() | _training(model)
    return config, level, {"class_names": None if model.class_names is None else list(model.class_names)}


def _training(model: Model) -> dict[str, Any]:
    """What it was compiled with, where Keras has all of it: then what is loaded can be judged and trained at once."""
    compiled = model.compiled_config()
    if compiled is None or "own" in {**compiled["optimizer"], **compiled["loss"]}:
        return {}
    loss = {**compiled["loss"]}
    measure = loss.pop("type")
    last, joint = model.graph.last, model.loss.joint_activation
    ended = last is not None and last.nonlinearity is not None and last.nonlinearity.kind == joint
    try:
        optimizer = write_optimizer(compiled["optimizer"])
    except ConfigError:
        return {}
    defaults = {name: each.default for name, each in inspect.signature(type(model.loss)).parameters.items()}
    options = {name: value for name, value in loss.items() if value != defaults.get(name)}
    options |= {} if joint is None or ended else {"from_logits": True}
    chosen = {
        "optimizer": optimizer,
        "loss": keras_object("keras.losses", measure, options),
        "metrics": [_metric(each) for each in compiled.get("metrics", ["accuracy"]) if _metric(each)],
    }
    return {"compile_config": chosen}


def _metric(given: Any) -> Any:
    """A metric as Keras writes it; None for one of somebody's own."""
    if isinstance(given, str):
        return given
    options = {**given}
    kind = options.pop("type")
    return keras_object("keras.metrics", kind, options) if kind in metrics.__all__ else None


def _weights(level: Level) -> bytes:
    """What lies in model.weights.h5: a group for each layer, by its class and number."""
    import h5py

    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        file.create_group("vars")
        for name, part in level.weights():
            arrays = iter(part.arrays)
            for below, count in inner_of(part.layer, len(part.arrays)) if part.arrays else [("", 0)]:
                group = file.create_group(f"{name}/{below}/vars" if below else f"{name}/vars")
                for number, array in enumerate(itertools.islice(arrays, count)):
                    group.create_dataset(str(number), data=array)
    return content.getvalue()
