"""Local response normalisation and batch normalisation."""

from __future__ import annotations

import numpy as np

from pellucid.errors import ShapeError
from pellucid.ops.dispatch import array, arrays, expect_shape, result, run
from pellucid.ops.geometry import MAX_SIDE, Array, whole


def local_response_norm(
    x: Array, *, size: int = 5, alpha: float = 1e-4, beta: float = 0.75, k: float = 2.0, out: Array | None = None
) -> tuple[Array, Array]:
    """scale[c] = k + alpha * sum of x[c']^2 over the `size` channels c' around c; y = x / scale^beta.

    The paper's form: alpha is not divided by size (PyTorch divides it). The window runs from c - size//2 to
    c + (size-1)//2 and is cut off at the ends.

    Shapes: x (...,C) -> y, scale the same.
    Errors: ConfigError if size is below 1.
    Source: Krizhevsky, Sutskever & Hinton 2012, section 3.3.
    """
    size = whole(size, "local_response_norm: size", MAX_SIDE)
    x = array("local_response_norm", "x", x)
    y = result("local_response_norm", x.shape, (x,), out)
    scale = np.empty_like(x)
    run("local_response_norm", x, y, scale, size=size, alpha=alpha, beta=beta, k=k)
    return y, scale


def local_response_norm_backward(
    dy: Array,
    x: Array,
    y: Array,
    scale: Array,
    *,
    size: int = 5,
    alpha: float = 1e-4,
    beta: float = 0.75,
    out: Array | None = None,
) -> Array:
    """dx[c] = dy[c] / scale[c]^beta - 2 alpha beta x[c] * sum of dy*y/scale over the channels whose window holds c.

    Shapes: dy, x, y, scale the same -> dx.
    Errors: ShapeError if they differ; ConfigError if size is below 1.
    """
    op = "local_response_norm_backward"
    size = whole(size, f"{op}: size", MAX_SIDE)
    dy, x, y, scale = arrays(op, dy=dy, x=x, y=y, scale=scale)
    for name, value in (("dy", dy), ("y", y), ("scale", scale)):
        expect_shape(op, name, value, x.shape, "all four belong to one forward pass")
    dx = result(op, x.shape, (dy, x, y, scale), out)
    run(op, dy, x, y, scale, dx, size=size, alpha=alpha, beta=beta)
    return dx


def _per_channel(op: str, x: Array, **values: Array) -> tuple[Array, ...]:
    if x.ndim < 2:
        raise ShapeError(f"{op}: x must have the axes (N, ..., C), got shape {x.shape}; add the batch axis")
    found = tuple(array(op, name, value, x.dtype) for name, value in values.items())
    for name, value in zip(values, found, strict=True):
        expect_shape(op, name, value, x.shape[-1:], "one number for each channel")
    return found


def batch_norm(
    x: Array, gamma: Array, beta: Array, *, epsilon: float, out: Array | None = None
) -> tuple[Array, Array, Array]:
    """y = gamma * (x - mean) / sqrt(variance + epsilon) + beta, with the batch's mean and biased variance.

    Shapes: x (N,...,C), gamma, beta (C,) -> y like x, mean, variance (C,), taken over all axes but the last.
    Errors: ShapeError if the channels do not match.
    Source: Ioffe & Szegedy 2015, algorithm 1.
    """
    x = array("batch_norm", "x", x)
    gamma, beta = _per_channel("batch_norm", x, gamma=gamma, beta=beta)
    y = result("batch_norm", x.shape, (x, gamma, beta), out)
    mean, variance = np.empty_like(gamma), np.empty_like(gamma)
    run("batch_norm", x, gamma, beta, y, mean, variance, epsilon=epsilon)
    return y, mean, variance


def batch_norm_inference(
    x: Array, gamma: Array, beta: Array, mean: Array, variance: Array, *, epsilon: float, out: Array | None = None
) -> Array:
    """y = gamma * (x - mean) / sqrt(variance + epsilon) + beta, with running mean and variance.

    Shapes: x (N,...,C), the others (C,) -> y like x.
    Errors: ShapeError if the channels do not match.
    Source: Ioffe & Szegedy 2015, algorithm 2.
    """
    op = "batch_norm_inference"
    x = array(op, "x", x)
    gamma, beta, mean, variance = _per_channel(op, x, gamma=gamma, beta=beta, mean=mean, variance=variance)
    y = result(op, x.shape, (x, gamma, beta, mean, variance), out)
    run(op, x, gamma, beta, mean, variance, y, epsilon=epsilon)
    return y


def batch_norm_backward(
    dy: Array, x: Array, gamma: Array, mean: Array, variance: Array, *, epsilon: float, out: Array | None = None
) -> tuple[Array, Array, Array]:
    """dx = gamma/std * (dy - mean(dy) - xhat * mean(dy * xhat)); dgamma = sum(dy * xhat); dbeta = sum(dy).

    xhat = (x - mean) / std, std = sqrt(variance + epsilon); sums and means over all axes but the last.

    Shapes: dy, x (N,...,C), the others (C,) -> dx like x, dgamma, dbeta (C,).
    Errors: ShapeError if shapes do not match.
    Source: Ioffe & Szegedy 2015, section 3.
    """
    op = "batch_norm_backward"
    dy, x = arrays(op, dy=dy, x=x)
    gamma, mean, variance = _per_channel(op, x, gamma=gamma, mean=mean, variance=variance)
    expect_shape(op, "dy", dy, x.shape, "it is the gradient of batch_norm's output")
    dx = result(op, x.shape, (dy, x, gamma, mean, variance), out)
    dgamma, dbeta = np.empty_like(gamma), np.empty_like(gamma)
    run(op, dy, x, gamma, mean, variance, dx, dgamma, dbeta, epsilon=epsilon)
    return dx, dgamma, dbeta
