"""Fashion-MNIST: articles of clothing, 28 x 28, in the form that Keras's module of this name gives."""

from __future__ import annotations

from pellucid.datasets.dataset import KerasPair, keras_pairs
from pellucid.datasets.registry import load_named

__all__ = ["load_data"]


def load_data() -> tuple[KerasPair, KerasPair]:
    """((x_train, y_train), (x_test, y_test)), all uint8: pictures (N,28,28), labels (N,)."""
    return keras_pairs(load_named("fashion-mnist"))
