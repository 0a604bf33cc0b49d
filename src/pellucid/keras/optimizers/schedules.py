"""Keras's learning rate schedules: ours, by Keras's names."""

from __future__ import annotations

from pellucid.convert.keras_values import Converter, read_rate, write_rate
from pellucid.keras.serialized import serializers
from pellucid.schedules import (
    CosineDecay,
    CosineDecayRestarts,
    ExponentialDecay,
    InverseTimeDecay,
    PiecewiseConstantDecay,
    PolynomialDecay,
)
from pellucid.schedules import Schedule as LearningRateSchedule
from pellucid.schedules import get as _get

serialize, deserialize = serializers(
    "keras.optimizers.schedules", LearningRateSchedule, _get, Converter(read_rate, write_rate)
)

__all__ = [
    "CosineDecay", "CosineDecayRestarts", "ExponentialDecay", "InverseTimeDecay", "LearningRateSchedule",
    "PiecewiseConstantDecay", "PolynomialDecay", "deserialize", "serialize",
]  # fmt: skip
