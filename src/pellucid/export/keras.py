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
from collections import Counter
from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from pellucid import metrics
from pellucid.convert.keras_layers import SAID, config_of, inner_of
from pellucid.convert.keras_values import REGISTERED, class_path, keras_object, write_rate
from pellucid.errors import ConfigError
from pellucid.export.keras_module import beside
from pellucid.export.keras_parts import Part, inputs_of, parts_of
from pellucid.layers import MultiHeadAttention

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
    config, parts, own = _content(model)
    members = {
        "metadata.json": json.dumps({"keras_version": KERAS_VERSION, "date_saved": "", "pellucid": own}).encode(),
        "config.json": json.dumps(config).encode(),
        "model.weights.h5": _weights(parts),
    }
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        for name, data in members.items():
            file.writestr(zipfile.ZipInfo(name, _DATE), data)
    return {f"{stem}.keras": archive.getvalue(), **beside(config)}


def older_files(model: Model, stem: str) -> dict[str, bytes]:
    """The same as `files` in the form before .keras, HDF5 alone, which Keras 3 loads, too. Errors: as `files`."""
    config, parts, _ = _content(model)
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
        parts = [part for part in parts if part.is_first]
        names = [*inputs_of(model), *(part.name for part in parts)]
        root.attrs.update(keras_version=KERAS_VERSION, backend="tensorflow", layer_names=[n.encode() for n in names])
        root.create_group("top_level_model_weights").attrs["weight_names"] = []
        for name, arrays in [*((name, ()) for name in inputs_of(model)), *((part.name, part.arrays) for part in parts)]:
            group = root.create_group(name)
            within = [f"{name}/{number}" for number in range(len(arrays))]
            group.attrs["weight_names"] = [each.encode() for each in within]
            for each, array in zip(within, arrays, strict=True):
                group.create_dataset(each, data=array)
    return {f"{stem}.h5": content.getvalue(), **beside(config)}


def _content(model: Model) -> tuple[dict[str, Any], list[Part], dict[str, Any]]:
    """(architecture with what it was compiled with, its layers with their arrays, what Keras does not keep)."""
    if importlib.util.find_spec("h5py") is None:
        raise ConfigError("Keras's files need h5py, which is not installed; pip install 'pellucid[h5]'")
    model.build()
    with model.turns.taken():
        parts, ends = parts_of(model)
        parts = _as_keras_orders(parts, ends)
        in_row = model.reads is None and all(
            part.is_first and part.reads == (before,)
            for part, before in zip(parts, [*inputs_of(model), *(part.name for part in parts)], strict=False)
        )
        config = _sequential(model, parts) if in_row else _functional(model, parts, ends)
        config |= _training(model)
    return config, parts, {"class_names": None if model.class_names is None else list(model.class_names)}


def _as_keras_orders(parts: Sequence[Part], ends: Sequence[str]) -> list[Part]:
    """The parts in the order in which Keras counts the layers of a network that it makes of a config, by which
    .weights.h5 calls them: farthest from the answers first, then as a search from the answers meets them.

    Source: map_graph and _build_map in keras/src/ops/function.py.
    """
    by_name = {part.name: part for part in parts}
    layer = {part.name: part.of or part.name for part in parts}
    depths: dict[str, int] = {}
    deepest: dict[str, int] = {}
    for part in reversed(parts):
        depth = max(depths.get(part.name, 0), deepest.get(layer[part.name], 0))
        deepest[layer[part.name]] = depth
        for read in part.reads:
            depths[read] = max(depths.get(read, 0), depth + 1)
    met: dict[str, int] = {}
    seen: set[str] = set()
    todo = list(reversed(ends))
    while todo:
        name = todo.pop()
        if name in by_name and name not in seen:
            seen.add(name)
            met.setdefault(layer[name], len(met))
            todo.extend(reversed(by_name[name].reads))
    return sorted(parts, key=lambda part: (-deepest[layer[part.name]], met[layer[part.name]]))


_FIRST = attrgetter("is_first")


def _record(kind: str, config: Mapping[str, Any]) -> dict[str, Any]:
    return {**keras_object("keras.layers", kind, config), "name": config["name"]}


def _records(model: Model, parts: Sequence[Part]) -> list[dict[str, Any]]:
    inputs = [
        {"batch_shape": [None, *shape], "dtype": "float32", "name": name} for name, shape in inputs_of(model).items()
    ]
    made = []
    for part in filter(_FIRST, parts):
        row, config = config_of(part.layer)
        del config["trainable"]  # which not all layers without weights take
        trainable = {"trainable": part.trainable} if part.arrays else {}
        made.append(_record(row.keras, {**config, "name": part.name, **trainable}))
    return [*(_record("InputLayer", each) for each in inputs), *made]


def _sequential(model: Model, parts: Sequence[Part]) -> dict[str, Any]:
    config = {"name": model.name, "trainable": True, "layers": _records(model, parts)}
    return keras_object("keras", "Sequential", config)


def _ends(places: Sequence[tuple[str, int]]) -> list[Any]:
    """Inputs or outputs of a functional model, which call of which layer: one, or a list of them."""
    found = [[*place, 0] for place in places]
    return found[0] if len(found) == 1 else found


def _functional(model: Model, parts: Sequence[Part], ends: Sequence[str]) -> dict[str, Any]:
    inputs = inputs_of(model)
    shapes = {**inputs, **{part.name: part.shape for part in parts}}

    calls = Counter(dict.fromkeys(inputs, 1))
    places = {name: (name, 0) for name in inputs}
    for part in parts:
        name = part.of or part.name
        places[part.name] = name, calls[name]
        calls[name] += 1

    def tensor(name: str) -> dict[str, Any]:
        given = {"shape": [None, *shapes[name]], "dtype": "float32", "keras_history": [*places[name], 0]}
        return {"class_name": "__keras_tensor__", "config": given}

    records = _records(model, parts)
    for record in records[: len(inputs)]:
        record["inbound_nodes"] = []
    named = {record["name"]: record for record in records}
    for part in parts:
        read = [tensor(name) for name in part.reads]
        one = part.layer.merges and not isinstance(part.layer, MultiHeadAttention) and part.layer.role != "recurrent"
        said = {name: True for name in SAID if getattr(part.layer, name, False)}
        node: dict[str, Any] = {"args": [read] if one else read, "kwargs": said}
        named[part.of or part.name].setdefault("inbound_nodes", []).append(node)
    config = {
        "name": model.name,
        "trainable": True,
        "layers": records,
        "input_layers": _ends([places[name] for name in inputs]),
        "output_layers": _ends([places[name] for name in ends]),
    }
    return keras_object("keras.src.models.functional", "Functional", config)  # as Keras itself calls it


_NUMBERS = frozenset(
    {
        *("learning_rate", "momentum", "nesterov", "rho", "beta_1", "beta_2", "epsilon", "weight_decay"),
        *("clipnorm", "clipvalue", "global_clipnorm", "amsgrad", "centered", "initial_accumulator_value", "beta"),
        *("l1_regularization_strength", "l2_regularization_strength", "l2_shrinkage_regularization_strength"),
    }
)
"""Arguments of optimizers that Keras has, too."""


def _training(model: Model) -> dict[str, Any]:
    """What it was compiled with, where Keras has all of it: then what is loaded can be judged and trained at once."""
    compiled = model.compiled_config()
    if compiled is None or "own" in {**compiled["optimizer"], **compiled["loss"]}:
        return {}
    optimizer, loss = ({**compiled[name]} for name in ("optimizer", "loss"))
    kind, measure = optimizer.pop("type"), loss.pop("type")
    last, joint = model.graph.last, model.loss.joint_activation
    ended = last is not None and last.nonlinearity is not None and last.nonlinearity.kind == joint
    if optimizer.get("weight_decay") and not model.optimizer.decoupled_weight_decay:
        return {}  # Keras's is no part of the gradient
    try:
        optimizer["learning_rate"] = write_rate(optimizer["learning_rate"])
    except ConfigError:
        return {}
    numbers = {name: value for name, value in optimizer.items() if name in _NUMBERS and value is not None}
    defaults = {name: each.default for name, each in inspect.signature(type(model.loss)).parameters.items()}
    options = {name: value for name, value in loss.items() if value != defaults.get(name)}
    options |= {} if joint is None or ended else {"from_logits": True}
    chosen = {
        "optimizer": keras_object("keras.optimizers", kind, numbers),
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


def _weights(parts: Sequence[Part]) -> bytes:
    """What lies in model.weights.h5: a group for each layer, by its class and number."""
    import h5py

    content = io.BytesIO()
    counts: Counter[str] = Counter()
    with h5py.File(content, "w") as file:
        file.create_group("vars")
        for part in filter(_FIRST, parts):
            kind = class_path(config_of(part.layer)[0].keras.removeprefix(REGISTERED))
            name = f"{kind}_{counts[kind]}" if counts[kind] else kind
            counts[kind] += 1
            arrays = iter(part.arrays)
            for below, count in inner_of(part.layer, len(part.arrays)) if part.arrays else [("", 0)]:
                group = file.create_group(f"layers/{name}/{below}/vars" if below else f"layers/{name}/vars")
                for number, array in enumerate(itertools.islice(arrays, count)):
                    group.create_dataset(str(number), data=array)
    return content.getvalue()
