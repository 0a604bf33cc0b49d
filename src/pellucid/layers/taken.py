"""What becomes of Keras's arguments that layers do not name: most change nothing at their defaults."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pellucid._fixed import Taken, is_float32


def only_none(remedy: str) -> Taken:
    """An argument that may be None alone."""
    return lambda value: value is None or remedy


def _float32(value: Any) -> bool | str:
    return is_float32(value) or "all numbers here are float32; leave dtype out"


def _channels_last(value: Any) -> bool | str:
    return value in (None, "channels_last") or "pictures are (N, H, W, C); turn yours by x.transpose(0, 2, 3, 1)"


def without_batch(argument: str) -> Taken:
    """An argument that says what `argument` does, with the batch axis in front; None says nothing."""
    return lambda shape: shape is None or {argument: tuple(shape)[1:]}


TAKEN: Mapping[str, Taken] = {
    "activity_regularizer": only_none("penalise the weights: kernel_regularizer"),
    "autocast": lambda value: True,
    "batch_input_shape": without_batch("input_shape"),
    "batch_size": lambda value: True,
    "data_format": _channels_last,
    "dtype": _float32,
    "input_dim": lambda value: {"input_shape": (value,)},
    "seed": lambda value: not isinstance(value, str),
}
"""Of every layer. seed: what a layer draws comes from the model's seed and its place."""
