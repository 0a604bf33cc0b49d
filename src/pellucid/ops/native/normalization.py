"""Steps of normalisation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pellucid.ops.geometry import Array
from pellucid.ops.native.runtime import expect_shape, pixels, step

if TYPE_CHECKING:
    from pellucid.ops._native import Step


def local_response_norm(x: Array, y: Array, scale: Array, *, size: int, alpha: float, beta: float, k: float) -> Step:
    """scale = k + alpha * (sum of x^2 over `size` channels); y = x / scale^beta."""
    expect_shape("local_response_norm", x.shape, y=y, scale=scale)
    options = {"alpha": alpha, "beta": beta, "k": k}
    return step(
        "local_response_norm", x=x, y=y, scale=scale, **pixels("local_response_norm", x), WINDOW=size, **options
    )


def local_response_norm_backward(
    dy: Array, x: Array, y: Array, scale: Array, dx: Array, *, size: int, alpha: float, beta: float
) -> Step:
    """dx of local_response_norm."""
    op = "local_response_norm_backward"
    expect_shape(op, x.shape, dy=dy, y=y, scale=scale, dx=dx)
    return step(op, dy=dy, x=x, y=y, scale=scale, dx=dx, **pixels(op, x), WINDOW=size, alpha=alpha, beta=beta)


def batch_norm(x: Array, gamma: Array, beta: Array, y: Array, mean: Array, variance: Array, *, epsilon: float) -> Step:
    """y = gamma * (x - mean) / sqrt(variance + epsilon) + beta, with the batch's own mean and biased variance."""
    sizes = pixels("batch_norm", x)
    expect_shape("batch_norm", x.shape, y=y)
    expect_shape("batch_norm", (sizes["C"],), gamma=gamma, beta=beta, mean=mean, variance=variance)
    return step("batch_norm", x=x, gamma=gamma, beta=beta, y=y, mean=mean, variance=variance, **sizes, epsilon=epsilon)


def batch_norm_inference(
    x: Array, gamma: Array, beta: Array, mean: Array, variance: Array, y: Array, *, epsilon: float
) -> Step:
    """y = gamma * (x - mean) / sqrt(variance + epsilon) + beta, with a given mean and variance."""
    op = "batch_norm_inference"
    sizes = pixels(op, x)
    expect_shape(op, x.shape, y=y)
    expect_shape(op, (sizes["C"],), gamma=gamma, beta=beta, mean=mean, variance=variance)
    return step(op, x=x, gamma=gamma, beta=beta, mean=mean, variance=variance, y=y, **sizes, epsilon=epsilon)


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
) -> Step:
    """dx (if wanted), dgamma and dbeta of batch_norm."""
    op = "batch_norm_backward"
    sizes = pixels(op, x)
    expect_shape(op, x.shape, dy=dy, dx=dx)
    expect_shape(op, (sizes["C"],), gamma=gamma, mean=mean, variance=variance, dgamma=dgamma, dbeta=dbeta)
    results = {"dx": dx, "dgamma": dgamma, "dbeta": dbeta}
    return step(op, dy=dy, x=x, gamma=gamma, mean=mean, variance=variance, **results, **sizes, epsilon=epsilon)


def update_running(mean: Array, running_mean: Array, *, momentum: float) -> Step:
    """running = momentum * running + (1 - momentum) * new."""
    expect_shape("update_running", mean.shape, running_mean=running_mean)
    return step("update_running", value=mean, running=running_mean, COUNT=mean.size, momentum=momentum)
