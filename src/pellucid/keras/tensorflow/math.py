"""Arithmetic of arrays, by TensorFlow's names; of a network's values what has a layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import numpy as np

from pellucid.errors import ConfigError
from pellucid.keras.tensor import tensor
from pellucid.layers import GlobalAvgPool2D, GlobalMaxPool2D
from pellucid.layers.symbolic import is_symbolic

__all__ = [
    "abs", "add", "add_n", "argmax", "argmin", "ceil", "confusion_matrix", "cos", "divide", "equal", "exp", "floor",
    "greater", "greater_equal", "less", "less_equal", "log", "logical_and", "logical_not", "logical_or", "matmul",
    "maximum", "minimum", "multiply", "not_equal", "pow", "reduce_all", "reduce_any", "reduce_max", "reduce_mean",
    "reduce_min", "reduce_prod", "reduce_std", "reduce_sum", "round", "sign", "sin", "sqrt", "square", "subtract",
]  # fmt: skip


def numbers(x: Any, what: str) -> Any:
    """As an array. Errors: ConfigError for a network's values."""
    if is_symbolic(x):
        raise ConfigError(f"{what}: a network's values have layers, not functions of arrays; see docs/keras.md")
    return np.asarray(x)


def _plain(function: Any) -> Callable[..., Any]:
    return lambda *arrays, name=None: tensor(function(*(numbers(each, function.__name__) for each in arrays)))


def _reduced(function: Any, layer: Any = None) -> Callable[..., Any]:
    def reduce(x: Any, axis: Any = None, keepdims: bool = False, name: Any = None) -> Any:
        axes = tuple(axis) if isinstance(axis, list) else axis
        if is_symbolic(x) and layer is not None and axes in ((1, 2), (-3, -2)) and len(x.shape) == 4:
            return layer(keepdims=keepdims)(x)
        return tensor(function(numbers(x, f"reduce_{function.__name__}"), axis=axes, keepdims=keepdims))

    return reduce


abs, ceil, cos, exp, floor, log = map(_plain, (np.abs, np.ceil, np.cos, np.exp, np.floor, np.log))
round, sign, sin, sqrt, square = map(_plain, (np.round, np.sign, np.sin, np.sqrt, np.square))
divide, matmul, maximum, minimum, pow = map(_plain, (np.divide, np.matmul, np.maximum, np.minimum, np.power))
equal, greater, greater_equal, less = map(_plain, (np.equal, np.greater, np.greater_equal, np.less))
less_equal, not_equal = map(_plain, (np.less_equal, np.not_equal))
logical_and, logical_not, logical_or = map(_plain, (np.logical_and, np.logical_not, np.logical_or))
reduce_all, reduce_any, reduce_min = map(_reduced, (np.all, np.any, np.min))
reduce_prod, reduce_std, reduce_sum = map(_reduced, (np.prod, np.std, np.sum))
reduce_max, reduce_mean = _reduced(np.max, GlobalMaxPool2D), _reduced(np.mean, GlobalAvgPool2D)


def add(x: Any, y: Any, name: Any = None) -> Any:
    """x + y."""
    return x + y if is_symbolic([x, y]) else tensor(np.add(x, y))


def add_n(inputs: Sequence[Any], name: Any = None) -> Any:
    """The sum of all."""
    return reduce(add, inputs)


def subtract(x: Any, y: Any, name: Any = None) -> Any:
    """x - y."""
    return x - y if is_symbolic([x, y]) else tensor(np.subtract(x, y))


def multiply(x: Any, y: Any, name: Any = None) -> Any:
    """x * y."""
    return x * y if is_symbolic([x, y]) else tensor(np.multiply(x, y))


def argmax(x: Any, axis: int | None = 0, **more: Any) -> Any:
    """Where the largest number stands along an axis."""
    return tensor(np.argmax(x, axis=axis))


def argmin(x: Any, axis: int | None = 0, **more: Any) -> Any:
    """Where the smallest number stands along an axis."""
    return tensor(np.argmin(x, axis=axis))


def confusion_matrix(labels: Any, predictions: Any, num_classes: int | None = None, **more: Any) -> Any:
    """How often class i was taken for class j, at [i, j]."""
    from pellucid import metrics

    return tensor(metrics.confusion_matrix(np.asarray(labels), np.asarray(predictions), num_classes))
