"""Activations, and their gradients as functions of the result y, so that x need not be kept."""

from __future__ import annotations

import numpy as np

from pellucid.errors import unknown_name
from pellucid.ops.geometry import Array

KINDS = ("relu", "leaky_relu", "sigmoid", "tanh")


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), written so that exp never overflows."""
    small = np.exp(-np.abs(x))
    return np.asarray(np.where(x >= 0, 1, small) / (1 + small))


def activation(x: Array, y: Array, kind: str, *, slope: float = 0.0) -> None:
    """relu max(x, 0); leaky_relu x if x > 0 else slope*x; sigmoid 1/(1+exp(-x)); tanh. y may be x. NaN stays NaN."""
    if kind == "relu":
        np.maximum(x, 0, out=y)
    elif kind == "leaky_relu":
        y[...] = np.where(x > 0, x, x * slope)
    elif kind == "sigmoid":
        y[...] = sigmoid(x)
    elif kind == "tanh":
        np.tanh(x, out=y)
    else:
        raise unknown_name("activation", kind, KINDS)


def activation_backward(dy: Array, y: Array, dx: Array, kind: str, *, slope: float = 0.0) -> None:
    """dx = dy * f'(x) by y: relu [y > 0]; leaky_relu 1 or slope; sigmoid y(1-y); tanh 1-y^2. dx may be dy."""
    if kind == "relu":
        dx[...] = np.where(y > 0, dy, 0)
    elif kind == "leaky_relu":
        dx[...] = np.where(y > 0, dy, dy * slope)
    elif kind == "sigmoid":
        dx[...] = dy * y * (1 - y)
    elif kind == "tanh":
        dx[...] = dy * (1 - y * y)
    else:
        raise unknown_name("activation", kind, KINDS)


def softmax(x: Array, y: Array) -> None:
    """y = exp(x - max) / sum of exp(x - max), over the last axis. y may be x."""
    np.exp(x - x.max(axis=-1, keepdims=True), out=y)
    y /= y.sum(axis=-1, keepdims=True)


def softmax_backward(dy: Array, y: Array, dx: Array) -> None:
    """dx = y * (dy - sum of dy*y), over the last axis. dx may be dy."""
    dx[...] = y * (dy - (dy * y).sum(axis=-1, keepdims=True))
