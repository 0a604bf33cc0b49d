"""Keras's constraints: ours, by Keras's names."""

from __future__ import annotations

from pellucid.convert.keras_values import CONVERTERS
from pellucid.keras.serialized import serializers
from pellucid.layers.constraint import Constraint, MaxNorm, MinMaxNorm, NonNeg, UnitNorm
from pellucid.layers.constraint import standardize_constraint as get

max_norm, min_max_norm, non_neg, unit_norm = MaxNorm, MinMaxNorm, NonNeg, UnitNorm
maxnorm = MaxNorm
serialize, deserialize = serializers("keras.constraints", Constraint, get, CONVERTERS["constraint"])

__all__ = [
    "Constraint", "MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm", "deserialize", "get", "max_norm", "maxnorm",
    "min_max_norm", "non_neg", "serialize", "unit_norm",
]  # fmt: skip
