"""CIFAR-10: small colour photographs, 32 x 32, in the form that Keras's module of this name gives."""

from __future__ import annotations

from pellucid.datasets.dataset import KerasPair, keras_pairs
from pellucid.datasets.registry import load_named

__all__ = ["load_data"]


def load_data() -> tuple[KerasPair, KerasPair]:
    """((x_train, y_train), (x_test, y_test)), all uint8: pictures (N,32,32,3), labels (N,1)."""
    return keras_pairs(load_named("cifar10"))
