"""Batch normalization as the book has it."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.errors import ShapeError
from pellucid.ops import Array, Shape
from pellucid.scratch.layout import as_floats, of_forward

__all__ = ["BatchNormalization"]

_EPSILON = 10e-7
"""The book's."""


class BatchNormalization:
    """y = gamma * (x - mean) / sqrt(var + 1e-6) + beta; mean and var are the batch's, in a test running ones.

    running = momentum * running + (1 - momentum) * the batch's, from zeros on. Pictures are normalised number by
    number, as if flattened: each channel of each pixel by itself, as in the book. `pellucid.layers.BatchNormalization`
    normalises channels, as the paper does for convolutions.

    Shapes: x (N,D) or (N,C,H,W) with D = C*H*W -> y like x; gamma, beta, running_mean, running_var (D,) or a number.
    Errors: ShapeError if x has another number of axes, or does not fit gamma and beta.
    Source: Ioffe & Szegedy 2015, algorithm 1.
    """

    def __init__(
        self,
        gamma: Any,
        beta: Any,
        momentum: float = 0.9,
        running_mean: Array | None = None,
        running_var: Array | None = None,
    ) -> None:
        self.gamma, self.beta, self.momentum = gamma, beta, momentum
        self.running_mean, self.running_var = running_mean, running_var
        self.input_shape: Shape | None = None
        self.batch_size: int | None = None
        self.xc: Array | None = None
        self.xn: Array | None = None
        self.std: Array | None = None
        self.dgamma: Array | None = None
        self.dbeta: Array | None = None

    def forward(self, x: Any, train_flg: bool = True) -> Array:
        x = as_floats(self, x)
        if x.ndim not in (2, 4):
            raise ShapeError(f"BatchNormalization: x must be (N, D) or (N, C, H, W), got shape {x.shape}")
        self.input_shape = x.shape
        rows = x.reshape(len(x), -1)
        for name in ("gamma", "beta"):
            if np.shape(getattr(self, name)) not in ((), (1,), rows.shape[1:]):
                raise ShapeError(
                    f"BatchNormalization: {name} must hold {rows.shape[1]} numbers, a row of x {x.shape}, "
                    f"got shape {np.shape(getattr(self, name))}"
                )
        if self.running_mean is None:
            self.running_mean = np.zeros(rows.shape[1])
        if self.running_var is None:
            self.running_var = np.zeros(rows.shape[1])
        if train_flg:
            mean = rows.mean(axis=0)
            self.xc = rows - mean
            var = np.mean(self.xc**2, axis=0)
            self.batch_size, self.std = len(rows), np.sqrt(var + _EPSILON)
            xn = self.xn = self.xc / self.std
            self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * mean
            self.running_var = self.momentum * self.running_var + (1 - self.momentum) * var
        else:
            xn = (rows - self.running_mean) / np.sqrt(self.running_var + _EPSILON)
        y: Array = self.gamma * xn + self.beta
        return y.reshape(x.shape)

    def backward(self, dout: Any) -> Array:
        """dx of the last pass in training, shaped like x; dgamma and dbeta are kept."""
        xn = of_forward(self, self.xn)
        dy = np.asarray(dout).reshape(-1, *xn.shape[1:])
        if dy.shape != xn.shape:
            raise ShapeError(f"BatchNormalization: dout must be shaped like the output, got {np.shape(dout)}")
        self.dbeta, self.dgamma = dy.sum(axis=0), np.sum(xn * dy, axis=0)
        dxn = self.gamma * dy
        dx: Array = (dxn - dxn.mean(axis=0) - xn * np.mean(dxn * xn, axis=0)) / self.std
        return dx.reshape(np.shape(dout))
