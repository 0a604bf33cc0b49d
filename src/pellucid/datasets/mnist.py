"""MNIST: handwritten digits, 28 x 28, in the form that Keras's module of this name gives."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pellucid.datasets.dataset import Split
from pellucid.datasets.registry import load_named

__all__ = ["load_data"]

Pair = tuple[NDArray[np.uint8], NDArray[np.uint8]]


def load_data() -> tuple[Pair, Pair]:
    """((x_train, y_train), (x_test, y_test)), all uint8: pictures (N,28,28), labels (N,)."""
    data = load_named("mnist")
    return _pair(data.train), _pair(data.test)


def _pair(split: Split) -> Pair:
    return np.asarray(split.images)[..., 0], split.labels.astype(np.uint8)
