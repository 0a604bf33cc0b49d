"""Normalisation across channels (AlexNet's), across the batch, and across groups of an example's numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack, cast

import numpy as np

from pellucid.ops.geometry import Array
from pellucid.ops.reference.nonlinear import activation as activate
from pellucid.ops.reference.nonlinear import activation_backward, formula
from pellucid.ops.table import LONG, Numbers, call, op


def _channel_sum(x: Array, before: int, after: int) -> Array:
    """For each channel c the sum of x over channels c-before .. c+after, cut off at the ends."""
    channels = x.shape[-1]
    total = np.zeros_like(x)
    for shift in range(-min(before, channels - 1), min(after, channels - 1) + 1):
        low, high = max(0, -shift), min(channels, channels - shift)
        total[..., low:high] += x[..., low + shift : high + shift]
    return total


@op(
    fields={"size": "WINDOW"},
    typical=[call("64 x 56x56x64, 5", x=LONG, size=5, alpha=1e-4, beta=0.75, k=2.0)],
)
def local_response_norm(x: Array, y: Array, scale: Array, *, size: int, alpha: float, beta: float, k: float) -> None:
    """scale = k + alpha * (sum of x^2 over `size` neighbouring channels); y = x / scale^beta."""
    scale[...] = k + alpha * _channel_sum(x * x, size // 2, (size - 1) // 2)
    y[...] = x * scale**-beta


@op(fields={"size": "WINDOW"}, typical=[call("64 x 56x56x64, 5", x=LONG, size=5, alpha=1e-4, beta=0.75)])
def local_response_norm_backward(
    dy: Array, x: Array, y: Array, scale: Array, dx: Array, *, size: int, alpha: float, beta: float
) -> None:
    """dx = dy / scale^beta - 2 alpha beta x * (sum of dy*y/scale over the channels whose window holds this one)."""
    spread = _channel_sum(dy * y / scale, (size - 1) // 2, size // 2)
    dx[...] = dy * scale**-beta - (2 * alpha * beta) * x * spread


def _all_but_last(x: Array) -> tuple[int, ...]:
    return tuple(range(x.ndim - 1))


@op(
    passes={"x": 2},
    typical=[
        call("64 x 56x56x64", x=LONG, epsilon=1e-3),
        call("the same + addend, relu", x=LONG, addend=LONG, activation="relu", epsilon=1e-3),
    ],
)
def batch_norm(
    x: Array,
    gamma: Array,
    beta: Array,
    y: Array | None,
    mean: Array,
    variance: Array,
    *,
    epsilon: float,
    activation: str = "linear",
    addend: Array | None = None,
    **numbers: Unpack[Numbers],
) -> None:
    """y = f(gamma * (x - mean) / sqrt(variance + epsilon) + beta + addend), with the batch's mean and biased variance.

    addend: like y, or nothing. Without y, mean and variance are all.
    """
    mean[...] = x.mean(axis=_all_but_last(x), dtype=np.float64)
    variance[...] = x.var(axis=_all_but_last(x), dtype=np.float64)
    if y is None:
        return
    batch_norm_inference(
        x, gamma, beta, mean, variance, y, epsilon=epsilon, activation=activation, addend=addend, **numbers
    )


@op(typical=[call("64 x 56x56x64", x=LONG, epsilon=1e-3)])
def batch_norm_inference(
    x: Array,
    gamma: Array,
    beta: Array,
    mean: Array,
    variance: Array,
    y: Array,
    *,
    epsilon: float,
    activation: str = "linear",
    addend: Array | None = None,
    **numbers: Unpack[Numbers],
) -> None:
    """y = f(gamma * (x - mean) / sqrt(variance + epsilon) + beta + addend), with a given mean and variance."""
    y[...] = (x - mean) * (gamma / np.sqrt(variance + epsilon)) + beta
    if addend is not None:
        y += addend
    if activation != "linear":
        activate(y, y, activation, **numbers)


def _lacks_its_result(values: Mapping[str, Any]) -> str | None:
    kind = values["activation"]
    if kind != "linear" and formula(kind).reads_input:
        return f"the gradient of {kind!r} needs its input"
    lacks = kind != "linear" and values["y"] is None and values["beta"] is None
    return f"the gradient of {kind!r} needs y, or beta to compute it again" if lacks else None


@op(
    passes={"dy": 2, "x": 2},
    refuse=_lacks_its_result,
    typical=[
        call("64 x 56x56x64", x=LONG, epsilon=1e-3),
        call("the same, relu", x=LONG, beta=LONG[-1:], activation="relu", epsilon=1e-3),
        call("the same + addend, relu", x=LONG, y=LONG, daddend=LONG, activation="relu", epsilon=1e-3),
    ],
)
def batch_norm_backward(
    dy: Array,
    x: Array,
    gamma: Array,
    mean: Array,
    variance: Array,
    dx: Array | None,
    dgamma: Array,
    dbeta: Array,
    *,
    epsilon: float,
    activation: str = "linear",
    beta: Array | None = None,
    y: Array | None = None,
    daddend: Array | None = None,
    **numbers: Unpack[Numbers],
) -> None:
    """dx = gamma/std * (dy - mean(dy) - xhat * mean(dy * xhat)); dgamma = sum(dy * xhat); dbeta = sum(dy).

    Behind an activation dy is first taken through it, by its result y, or without one by what beta and x give again;
    that is daddend, the gradient of what was added.
    """
    axes = _all_but_last(x)
    inverse = 1 / np.sqrt(variance + epsilon)
    xhat = (x - mean) * inverse
    if activation != "linear":
        if y is None:
            y = np.empty_like(x)
            batch_norm_inference(x, gamma, cast(Array, beta), mean, variance, y, epsilon=epsilon)
            activate(y, y, activation, **numbers)
        through = np.empty_like(dy)
        activation_backward(dy, y, through, activation, **numbers)
        dy = through
    if daddend is not None:
        daddend[...] = dy
    dgamma[...] = (dy * xhat).sum(axis=axes, dtype=np.float64)
    dbeta[...] = dy.sum(axis=axes, dtype=np.float64)
    if dx is not None:
        rows = x.size // x.shape[-1]
        dx[...] = gamma * inverse * (dy - dbeta / rows - xhat * (dgamma / rows))


def _grouped(x: Array, groups: int) -> Array:
    """Shapes: x (N,OUTER,...,C) -> (N,OUTER,INNER,G,C/G)."""
    return x.reshape(*x.shape[:2], -1, groups, x.shape[-1] // groups)


_GROUPED = call("64 x 56x56x64, 32 groups", x=(64, 1, 56, 56, 64), mean=(64, 1, 32), epsilon=1e-3)
_LAYER = call("64 x 56x56x64, each place", x=(64, 56 * 56, 64), mean=(64, 56 * 56, 1), epsilon=1e-3)


@op(passes={"x": 2}, typical=[_GROUPED, _LAYER])
def group_norm(x: Array, gamma: Array, beta: Array, y: Array, mean: Array, variance: Array, *, epsilon: float) -> None:
    """y = gamma * (x - mean) / sqrt(variance + epsilon) + beta, of each group of channels of x (N,OUTER,...,C).

    Mean and biased variance (N,OUTER,G) are taken over all axes between OUTER and C, and the group's channels.
    """
    grouped = _grouped(x, mean.shape[-1])
    mean[...] = grouped.mean(axis=(2, 4), dtype=np.float64)
    variance[...] = grouped.var(axis=(2, 4), dtype=np.float64)
    xhat = (grouped - mean[:, :, None, :, None]) / np.sqrt(variance + epsilon)[:, :, None, :, None]
    y[...] = xhat.reshape(x.shape) * gamma + beta


@op(passes={"dy": 2, "x": 2}, typical=[_GROUPED, _LAYER])
def group_norm_backward(
    dy: Array,
    x: Array,
    gamma: Array,
    mean: Array,
    variance: Array,
    dx: Array | None,
    dgamma: Array,
    dbeta: Array,
    *,
    epsilon: float,
) -> None:
    """dx = (g - mean(g) - xhat * mean(g * xhat)) / std, g = gamma * dy; dgamma = sum(dy * xhat); dbeta = sum(dy)."""
    groups = mean.shape[-1]
    inverse = (1 / np.sqrt(variance + epsilon))[:, :, None, :, None]
    xhat = (_grouped(x, groups) - mean[:, :, None, :, None]) * inverse
    dgamma[...] = (dy * xhat.reshape(x.shape)).sum(axis=_all_but_last(x), dtype=np.float64)
    dbeta[...] = dy.sum(axis=_all_but_last(x), dtype=np.float64)
    if dx is not None:
        g = _grouped(dy * gamma, groups)
        centred = g - g.mean(axis=(2, 4), keepdims=True) - xhat * (g * xhat).mean(axis=(2, 4), keepdims=True)
        dx[...] = (centred * inverse).reshape(x.shape)


@op(passes={"running_mean": 2}, typical=[call("512", mean=(512,), momentum=0.99)])
def update_running(mean: Array, running_mean: Array, *, momentum: float) -> None:
    """running = momentum * running + (1 - momentum) * new."""
    running_mean[...] = momentum * running_mean + (1 - momentum) * mean
