"""CIFAR-10: small colour photographs, 32 x 32, in the form that Keras's module of this name gives."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pellucid.datasets.dataset import Split
from pellucid.datasets.registry import load_named

__all__ = ["load_data"]

Pair = tuple[NDArray[np.uint8], NDArray[np.uint8]]


def load_data() -> tuple[Pair, Pair]:
    """((x_train, y_train), (x_test, y_test)), all uint8: pictures (N,32,32,3), labels (N,1)."""
    data = load_named("cifar10")
    return _pair(data.train), _pair(data.test)


def _pair(split: Split) -> Pair:
    return np.asarray(split.images), split.labels.astype(np.uint8)[:, None]
