"""ConvNetJS's networks in JSON: layers in a row, with their weights.

Its volumes are counted row by row, column by column, channel by channel, as ours are: weights come in as they are.
Source: convnet_layers_*.js of ConvNetJS, whose dropout multiplies by drop_prob in use, which is kept.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pellucid import layers
from pellucid.convert.network import Draft, Held
from pellucid.errors import CheckpointError, ConfigError, shown
from pellucid.files.schema import Misfit, check, number, whole
from pellucid.layers import Layer
from pellucid.model.blank import FAULTS
from pellucid.model.file import MAX_LAYERS
from pellucid.ops.geometry import MAX_SIDE, Array, Shape

_SIDE, _FACTOR = whole(1, MAX_SIDE), number(-1e30, 1e30)
_WINDOW = {"sx": _SIDE, "sy?": _SIDE, "stride?": _SIDE, "pad?": whole(0, MAX_SIDE)}
_FIELDS: Mapping[str, Mapping[str, Any]] = {
    "input": {"out_sx": _SIDE, "out_sy": _SIDE, "out_depth": _SIDE},
    "conv": {**_WINDOW, "out_depth": _SIDE, "in_depth": _SIDE},
    "fc": {"out_depth": whole(1), "num_inputs": whole(1)},
    "pool": _WINDOW,
    "dropout": {"drop_prob?": number(0, 1)},
    "lrn": {"n": _SIDE, "k": _FACTOR, "alpha": _FACTOR, "beta": _FACTOR},
}
"""What the records of layers hold, beside weights."""
_PLAIN: Mapping[str, Callable[..., Layer]] = {
    "relu": layers.ReLU,
    "sigmoid": layers.Sigmoid,
    "tanh": layers.Tanh,
    "softmax": layers.Softmax,
}
_PASSED = ("svm", "regression")
"""Losses that give what they read."""


def fits(content: Mapping[str, Any]) -> bool:
    """Whether it is a network of ConvNetJS's."""
    rows = content.get("layers")
    return isinstance(rows, list) and bool(rows) and all(isinstance(row, dict) and "layer_type" in row for row in rows)


def draft_of(path: Path, rows: Sequence[Mapping[str, Any]]) -> tuple[Draft, list[str]]:
    """The network, and what is said of it. Errors: CheckpointError naming the layer that cannot be read."""
    known = ("input", "conv", "fc", "pool", "dropout", "lrn", *_PLAIN, *_PASSED)
    kinds = enumerate(str(row["layer_type"]) for row in rows)
    unknown = [f"{kind:.50} (layer {place})" for place, kind in kinds if kind not in known]
    if unknown or len(rows) > MAX_LAYERS:
        what = f"has {', '.join(unknown[:8])}, which" if unknown else f"has {len(rows)} layers, which"
        raise CheckpointError(f"{path}: {what} cannot be read here; {', '.join(known)} are, up to {MAX_LAYERS} layers")
    notes: list[str] = []
    draft: Draft | None = None
    for place, row in enumerate(rows):
        try:
            check(_FIELDS.get(row["layer_type"], {}), row)
            if draft is None:
                if row["layer_type"] != "input":
                    raise ConfigError("an input must come first")
                inputs = layers.Input((row["out_sy"], row["out_sx"], row["out_depth"]))
                draft = Draft(path, inputs, [inputs], in_row=True)
                continue
            _add(draft, row, f"{row['layer_type']}{place}", notes)
        except (*FAULTS, Misfit) as error:
            raise CheckpointError(f"{path}: layer {place} ({row['layer_type']}): {str(error)[:500]}") from error
    if draft is None or draft.outputs == [draft.inputs]:
        raise CheckpointError(f"{path}: has no layers behind its input")
    return draft, notes


def _add(draft: Draft, row: Mapping[str, Any], name: str, notes: list[str]) -> None:
    """Put a layer behind what there is."""
    kind, (value,) = str(row["layer_type"]), draft.outputs

    def behind(layer: Layer, *arrays: tuple[str, Shape, Callable[[], Array]]) -> None:
        draft.outputs = [layer(draft.outputs[0])]
        if arrays:
            draft.arrays[layer] = [Held(f"{name}.{what}", shape, read) for what, shape, read in arrays]

    if kind in _PASSED:
        notes.append(f"{name} is a loss, and gives the scores that it reads")
    elif kind == "dropout":
        probability = row.get("drop_prob", 0.5)
        behind(layers.Dropout(min(probability, 0.999), name=name))
        behind(layers.Rescaling(probability, name=f"{name}_scale"))
        notes.append(f"{name} multiplies by its probability, {probability:g}, in use, as ConvNetJS does")
    elif kind == "lrn":
        size = row["n"] // 2 * 2 + 1
        behind(layers.LocalResponseNorm(size, row["alpha"] / row["n"], row["beta"], row["k"], name=name))
    elif kind == "pool":
        window, padding = (row.get("sy", row["sx"]), row["sx"]), row.get("pad", 0)
        behind(layers.MaxPool2D(window, row.get("stride", 2), padding, name=name))
    elif kind == "conv":
        window = row.get("sy", row["sx"]), row["sx"]
        layer = layers.Conv2D(row["out_depth"], window, row.get("stride", 1), row.get("pad", 0), name=name)
        shape = (*window, row["in_depth"], row["out_depth"])
        behind(layer, *_weights(row, shape))
    elif kind == "fc":
        if len(value.shape) > 1:
            behind(layers.Flatten(name=f"{name}_flatten"))
        behind(layers.Dense(row["out_depth"], name=name), *_weights(row, (row["num_inputs"], row["out_depth"])))
    else:
        if kind == "softmax" and len(value.shape) > 1:
            behind(layers.Flatten(name=f"{name}_flatten"))
        behind(_PLAIN[kind](name=name))


def _weights(row: Mapping[str, Any], shape: Shape) -> tuple[tuple[str, Shape, Callable[[], Array]], ...]:
    """Kernel and bias of a record with `filters`, one volume for each, and `biases`. Errors: ConfigError."""
    filters, count = row.get("filters"), math.prod(shape[:-1])
    if not isinstance(filters, list) or len(filters) != shape[-1]:
        raise ConfigError(f"expected {shape[-1]} filters, got {shown(filters):.100}")
    kernel = np.stack([_volume(each, count) for each in filters], axis=-1).reshape(shape)
    bias = _volume(row.get("biases"), shape[-1])
    return ("filters", shape, lambda: kernel), ("biases", bias.shape, lambda: bias)


def _volume(record: Any, count: int) -> Array:
    """The numbers of a volume, which ConvNetJS writes as {"0": ..., "1": ...}. Errors: ConfigError."""
    numbers = record.get("w") if isinstance(record, dict) else None
    if isinstance(numbers, dict) and len(numbers) == count:
        numbers = [numbers.get(str(place)) for place in range(count)]
    if not isinstance(numbers, list) or len(numbers) != count:
        raise ConfigError(f"expected a volume of {count} numbers, got {shown(numbers):.100}")
    try:
        return np.array(numbers, np.float64).astype(np.float32)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"a volume holds what is no number ({error!s:.100})") from error
