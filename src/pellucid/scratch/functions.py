"""The book's functions: activations, losses, and their slopes.

Source: K. Saitoh, Deep Learning from Scratch, 2016, chapters 3 and 4.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.errors import ShapeError
from pellucid.ops import Array
from pellucid.scratch.layers import each
from pellucid.scratch.layout import as_floats
from pellucid.scratch.losses import cross_entropy_error, softmax

__all__ = [
    "cross_entropy_error", "identity_function", "mean_squared_error", "relu", "relu_grad", "sigmoid", "sigmoid_grad",
    "softmax", "softmax_loss", "step_function", "sum_squared_error",
]  # fmt: skip


def identity_function(x: Any) -> Any:
    """y = x: the last activation of a regression.

    Shapes: any.
    """
    return x


def step_function(x: Any) -> Array:
    """y = 1 where x is above 0, else 0, as whole numbers.

    Differs from the book: its dtype, np.int, is gone from NumPy since 1.24.

    Shapes: any.
    """
    return np.array(np.asarray(x) > 0, dtype=int)


def sigmoid(x: Any) -> Any:
    """y = 1 / (1 + exp(-x)), without the book's warnings of an overflow for large negative x.

    >>> float(sigmoid(0))
    0.5

    Shapes: any; a number gives a number.
    Errors: ConfigError if x holds no real numbers.
    """
    return each(as_floats(sigmoid, x), "sigmoid")[()]


def sigmoid_grad(x: Any) -> Any:
    """dy/dx = (1 - sigmoid(x)) * sigmoid(x).

    Shapes: any.
    """
    y = sigmoid(x)
    return (1 - y) * y


def relu(x: Any) -> Any:
    """y = max(x, 0), in the dtype of x.

    Shapes: any.
    """
    return np.maximum(0, x)


def relu_grad(x: Any) -> Array:
    """dy/dx = 1 where x is 0 or above, else 0.

    Differs from the book: it asks for zeros of the shape x, and not of x's, and fails. At 0 the layer Relu has slope 0.

    Shapes: any.
    """
    x = np.asarray(x)
    return np.array(x >= 0, dtype=x.dtype)


def mean_squared_error(y: Any, t: Any) -> float:
    """0.5 * sum((y - t)^2): a sum over everything, whatever its name says.

    Shapes: y any, t like y, or what NumPy takes for it.
    Errors: ShapeError if they do not fit.
    """
    y, t = np.asarray(y), np.asarray(t)
    try:
        difference = np.subtract(y, t, dtype=np.result_type(y, t, np.float32))
    except ValueError:
        raise ShapeError(f"mean_squared_error: y {y.shape} and t {t.shape} must have the same shape") from None
    return float(0.5 * np.sum(difference**2))


sum_squared_error = mean_squared_error
"""What later printings call it."""


def softmax_loss(X: Any, t: Any) -> float:
    """cross_entropy_error(softmax(X), t).

    Shapes: X (N,K), t as for cross_entropy_error.
    """
    return cross_entropy_error(softmax(X), t)
