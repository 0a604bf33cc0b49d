"""Keras's regularizers: our weight penalties."""

from __future__ import annotations

from pellucid.convert.keras_values import CONVERTERS
from pellucid.keras.older import renamed
from pellucid.keras.serialized import serializers
from pellucid.layers.penalty import L1, L1L2, L2, Penalty
from pellucid.layers.penalty import standardize_penalty as get

Regularizer = Penalty
l1, l2, l1_l2, l1l2 = renamed(l="l1")(L1), renamed(l="l2")(L2), L1L2, L1L2
WeightRegularizer = Penalty

serialize, deserialize = serializers("keras.regularizers", Penalty, get, CONVERTERS["regularizer"])

__all__ = [
    "L1", "L1L2", "L2", "Regularizer", "WeightRegularizer", "deserialize", "get", "l1", "l1_l2", "l1l2", "l2",
    "serialize",
]  # fmt: skip
