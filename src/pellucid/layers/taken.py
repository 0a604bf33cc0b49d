"""What becomes of Keras's arguments that layers do not name: most change nothing at their defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid._fixed import Taken, is_float32
from pellucid.initializers import Initializer
from pellucid.ops import Array, Shape, float32_array


def only_none(remedy: str) -> Taken:
    """An argument that may be None alone."""
    return lambda value: value is None or remedy


def _float32(value: Any) -> bool | str:
    return is_float32(value) or "all numbers here are float32; leave dtype out"


def _channels_last(value: Any) -> bool | str:
    return value in (None, "channels_last") or "pictures are (N, H, W, C); turn yours by x.transpose(0, 2, 3, 1)"


@dataclass(frozen=True, eq=False)
class Given(Initializer):
    """An array that weights begin with. A config has the rule that they begin by elsewhere, as Keras's has."""

    array: Array
    rule: str

    def __call__(self, shape: Shape, rng: np.random.Generator) -> Array:
        return self.array


def drawn_by(**rules: str) -> Taken:
    """Arrays that the weights begin with, one for each of these initializers, whose rules they are drawn by else."""

    def taken(weights: Any) -> bool | str | Mapping[str, Any]:
        if weights is None:
            return True
        if not isinstance(weights, list | tuple) or not 0 < len(weights) <= len(rules):
            return f"give a list of arrays, one for each of {', '.join(rules)}"
        arrays = [float32_array(np.array(array), "weights") for array in weights]
        return {name: Given(array, rule) for array, (name, rule) in zip(arrays, rules.items(), strict=False)}

    return taken


def without_batch(argument: str) -> Taken:
    """An argument that says what `argument` does, with the batch axis in front; None says nothing."""
    return lambda shape: shape is None or {argument: tuple(shape)[1:]}


TAKEN: Mapping[str, Taken] = {
    "activity_regularizer": only_none(
        "penalise the weights, kernel_regularizer=, or say model.add_loss(0.01 * K.mean(K.sum(K.square(layer.output), "
        "axis=-1))) once the model is made, K = pellucid.keras.backend"
    ),
    "autocast": lambda value: True,
    "batch_input_shape": without_batch("input_shape"),
    "batch_size": lambda value: True,
    "data_format": _channels_last,
    "dtype": _float32,
    "input_dim": lambda value: {"input_shape": (value,)},
    "seed": lambda value: not isinstance(value, str),
    "weights": only_none("call layer.set_weights([...]) once it is built"),
}
"""Of every layer. seed: what a layer draws comes from the model's seed and its place."""
