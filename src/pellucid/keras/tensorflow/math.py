"""Arithmetic of arrays, by TensorFlow's names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pellucid.keras.tensor import tensor
from pellucid.layers.symbolic import is_symbolic

__all__ = [
    "abs", "add", "argmax", "confusion_matrix", "equal", "exp", "log", "multiply", "reduce_max", "reduce_mean",
    "reduce_min", "reduce_std", "reduce_sum", "round", "sqrt", "square", "subtract",
]  # fmt: skip


def _plain(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *arrays, name=None: tensor(function(*arrays))


def _reduced(function: Callable[..., Any]) -> Callable[..., Any]:
    def reduce(x: Any, axis: Any = None, keepdims: bool = False, name: Any = None) -> Any:
        return tensor(function(np.asarray(x), axis=tuple(axis) if isinstance(axis, list) else axis, keepdims=keepdims))

    return reduce


abs, equal, exp, log = _plain(np.abs), _plain(np.equal), _plain(np.exp), _plain(np.log)
round, sqrt, square = _plain(np.round), _plain(np.sqrt), _plain(np.square)
reduce_max, reduce_mean, reduce_min = _reduced(np.max), _reduced(np.mean), _reduced(np.min)
reduce_std, reduce_sum = _reduced(np.std), _reduced(np.sum)


def add(x: Any, y: Any, name: Any = None) -> Any:
    """x + y."""
    return x + y if is_symbolic([x, y]) else tensor(np.add(x, y))


def subtract(x: Any, y: Any, name: Any = None) -> Any:
    """x - y."""
    return x - y if is_symbolic([x, y]) else tensor(np.subtract(x, y))


def multiply(x: Any, y: Any, name: Any = None) -> Any:
    """x * y."""
    return x * y if is_symbolic([x, y]) else tensor(np.multiply(x, y))


def argmax(x: Any, axis: int | None = 0, **more: Any) -> Any:
    """Where the largest number stands along an axis."""
    return tensor(np.argmax(x, axis=axis))


def confusion_matrix(labels: Any, predictions: Any, num_classes: int | None = None, **more: Any) -> Any:
    """How often class i was taken for class j, at [i, j]."""
    from pellucid import metrics

    return tensor(metrics.confusion_matrix(np.asarray(labels), np.asarray(predictions), num_classes))
