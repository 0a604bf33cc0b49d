"""Chapter 3's network of three layers, whose weights the book publishes as sample_weight.pkl."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.errors import DataError
from pellucid.ops import Array
from pellucid.scratch.functions import sigmoid
from pellucid.scratch.losses import softmax
from pellucid.scratch.mnist import load_mnist
from pellucid.scratch.network import found

__all__ = ["get_data", "init_network", "predict"]

_FILE = Path("sample_weight.pkl")
_KEYS = frozenset(("W1", "W2", "W3", "b1", "b2", "b3"))


def get_data() -> tuple[Array, Array]:
    """MNIST's test pictures (10000,784), from 0 to 1, and their digits (10000,)."""
    return load_mnist(normalize=True, flatten=True, one_hot_label=False)[1]


def init_network() -> dict[str, Array]:
    """The arrays in sample_weight.pkl, or in ch03/sample_weight.pkl; nothing in it is run.

    Looked for where the process works, then beside the program that runs: the book looks beside its own module.
    Errors: DataError if it is not there, cannot be read, or holds no such network.
    """
    from pellucid.files import safe_pickle

    places = [found(_FILE), found("ch03" / _FILE)]
    path = next((place for place in places if place.exists()), None)
    if path is None:
        raise DataError(f"{_FILE}: not found; put chapter 3's file beside the program, or into a folder ch03 there")
    loaded = safe_pickle.load(path)
    if not isinstance(loaded, dict) or not loaded.keys() >= _KEYS:
        raise DataError(f"{path}: must hold arrays named {', '.join(sorted(_KEYS))}")
    return loaded


def predict(network: Mapping[str, Array], x: Any) -> Array:
    """affine - sigmoid - affine - sigmoid - affine - softmax.

    Shapes: x (N,inputs) -> probabilities (N,outputs); a single x (inputs,) -> (outputs,).
    """
    for number in (1, 2):
        x = sigmoid(np.dot(x, network[f"W{number}"]) + network[f"b{number}"])
    return softmax(np.dot(x, network["W3"]) + network["b3"])
