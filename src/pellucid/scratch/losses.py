"""The last layer: softmax with the cross-entropy of its answer."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid import ops
from pellucid.errors import DataError, ShapeError
from pellucid.ops import Array
from pellucid.scratch.layout import as_floats, of_forward

__all__ = ["SoftmaxWithLoss", "cross_entropy_error", "softmax"]

_TINY = 1e-7


def softmax(x: Any) -> Array:
    """y[...,k] = exp(x[...,k]) / sum over k of exp(x[...,k]), with the row's largest taken off first.

    Shapes: x (N,K) or (K,).
    """
    return ops.softmax(as_floats(softmax, x))


def cross_entropy_error(y: Any, t: Any) -> float:
    """-sum(t * log(y + 1e-7)) / N: the book's 1e-7 makes a probability of zero cost 16.1, and not infinity.

    Differs from the book: of labels (N,1) each belongs to its row; NumPy would pair each with every row.

    Shapes: y (N,K) or (K,); t labels (N,) or (N,1), or one row of probabilities for each of y, as one-hot labels are.
    Errors: ShapeError or DataError if the labels do not fit.
    """
    y = np.atleast_2d(np.asarray(y, np.float64))
    wanted = _wanted(y, t)
    if wanted.ndim == 1:
        return float(-np.log(y[np.arange(len(y)), wanted] + _TINY).sum() / len(y))
    return float(-(wanted * np.log(y + _TINY)).sum() / len(y))


def _wanted(y: Array, labels: Any) -> Array:
    """Labels as whole numbers (N,) or floats (N,K)."""
    t: Array = np.asarray(labels)
    if y.shape[0] == 1 and t.shape in ((), y.shape[1:]):
        t = t[np.newaxis]  # the label, or the row, of a single example
    if t.shape == y.shape:
        return t.astype(np.float64)
    if t.shape == (len(y), 1):
        t = t[:, 0]
    if t.shape != y.shape[:1]:
        raise ShapeError(
            f"SoftmaxWithLoss: t must be labels {y.shape[:1]} or one-hot rows {y.shape}, got shape {t.shape}"
        )
    if t.dtype.kind not in "iu":
        raise DataError(f"SoftmaxWithLoss: labels must be whole numbers, got {t.dtype}; use t.astype(int)")
    if t.size and not 0 <= int(t.min()) <= int(t.max()) < y.shape[1]:
        raise DataError(
            f"SoftmaxWithLoss: labels run from {t.min()} to {t.max()}, but x has {y.shape[1]} columns; "
            f"expected 0 to {y.shape[1] - 1}"
        )
    return t.astype(np.intp)


class SoftmaxWithLoss:
    """loss = cross_entropy_error(softmax(x), t); `y`, `t` and `loss` are kept.

    Computed in float64 whatever x is: the scores are few, and the gradient is a small difference of large numbers.
    Differs from the book: `backward` multiplies by dout, and rows of t may be any probabilities.

    Shapes: x (N,K); t as for cross_entropy_error.
    """

    def __init__(self) -> None:
        self.loss: float | None = None
        self.y: Array | None = None
        self.t: Array | None = None
        self._dtype = np.dtype(np.float32)

    def forward(self, x: Any, t: Any) -> float:
        x = as_floats(self, x)
        if x.ndim != 2:
            raise ShapeError(f"SoftmaxWithLoss: x must be scores (N, K), got shape {x.shape}")
        self._dtype, self.t = x.dtype, np.asarray(t)
        self.y = softmax(x.astype(np.float64))
        self.loss = cross_entropy_error(self.y, self.t)
        return self.loss

    def backward(self, dout: float = 1) -> Array:
        """dx = (y - t) / N * dout."""
        y = of_forward(self, self.y)
        dx, wanted = y.copy(), _wanted(y, self.t)
        if wanted.ndim == 1:
            dx[np.arange(len(dx)), wanted] -= 1
        else:
            dx -= wanted
        dx *= dout / max(len(dx), 1)
        return dx.astype(self._dtype)
