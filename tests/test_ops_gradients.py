"""Every backward against central differences in float64, on the geometries of the table of cases.

For y = f(x) and random r, g = backward(r) must satisfy (r . f(x + h d) - r . f(x - h d)) / 2h = g . d for random d.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from case import Conv, Pool
from sizes import BLOCKS, CONVS, DENSES, LOGITS, LRNS, POOLS

from pellucid import ops
from pellucid.ops.geometry import Array, Shape

STEP = 1e-5
BOUND = 1e-6
SMALL_CONVS = [c for c in CONVS if np.prod(c.x) * np.prod(c.kernel) < 200_000]


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20)


def agrees(f: Callable[[Array], Array], x: Array, dx: Array, r: Array, rng: np.random.Generator) -> None:
    """dx is the gradient of r . f(x), along three random directions and one axis."""
    assert dx.shape == x.shape
    assert dx.dtype == np.float64
    directions = [rng.standard_normal(x.shape) for _ in range(3)]
    one = np.zeros(x.shape)
    one.flat[rng.integers(x.size)] = 1
    for d in (*directions, one):
        numeric = (np.vdot(r, f(x + STEP * d)) - np.vdot(r, f(x - STEP * d))) / (2 * STEP)
        size = np.abs(r).sum() * 1e-3 + abs(numeric)
        assert abs(np.vdot(dx, d) - numeric) <= BOUND * size


@pytest.mark.parametrize("c", SMALL_CONVS, ids=lambda c: c.name)
def test_conv2d(c: Conv, rng: np.random.Generator) -> None:
    x, k, b, r = (rng.standard_normal(s) for s in (c.x, c.kernel_shape, (c.filters,), c.y))
    dx = ops.conv2d_backward_input(r, k, c.x, **c.options)
    dk = ops.conv2d_backward_kernel(x, r, c.kernel_shape, **c.options)
    agrees(lambda v: ops.conv2d(v, k, b, **c.options), x, dx, r, rng)
    agrees(lambda v: ops.conv2d(x, v, b, **c.options), k, dk, r, rng)
    agrees(lambda v: ops.conv2d(x, k, v, **c.options), b, ops.bias_backward(r), r, rng)


@pytest.mark.parametrize("n,i,u", DENSES)
def test_dense(n: int, i: int, u: int, rng: np.random.Generator) -> None:
    x, k, b, r = (rng.standard_normal(s) for s in ((n, i), (i, u), (u,), (n, u)))
    agrees(lambda v: ops.dense(v, k, b), x, ops.dense_backward_input(r, k), r, rng)
    agrees(lambda v: ops.dense(x, v, b), k, ops.dense_backward_kernel(x, r), r, rng)
    agrees(lambda v: ops.dense(x, k, v), b, ops.bias_backward(r), r, rng)


@pytest.mark.parametrize("p", POOLS, ids=lambda p: p.name)
def test_pools(p: Pool, rng: np.random.Generator) -> None:
    # all values apart by more than the step moves them, so that no maximum changes place
    x, r = rng.permutation(np.arange(np.prod(p.x, dtype=int)) * 0.01).reshape(p.x), rng.standard_normal(p.y)
    y, argmax = ops.max_pool2d(x, **p.options)
    assert y.shape == p.y
    dx = ops.max_pool2d_backward(r, argmax, p.x, **p.options)
    agrees(lambda v: ops.max_pool2d(v, **p.options)[0], x, dx, r, rng)
    agrees(lambda v: ops.avg_pool2d(v, **p.options), x, ops.avg_pool2d_backward(r, p.x, **p.options), r, rng)


@pytest.mark.parametrize("shape", [s for s in BLOCKS if len(s) == 4])
def test_global_avg_pool2d(shape: Shape, rng: np.random.Generator) -> None:
    x, r = rng.standard_normal(shape), rng.standard_normal((shape[0], shape[3]))
    agrees(ops.global_avg_pool2d, x, ops.global_avg_pool2d_backward(r, shape), r, rng)


@pytest.mark.parametrize("shape", BLOCKS)
@pytest.mark.parametrize("kind,slope", [("relu", 0.0), ("leaky_relu", 0.3), ("sigmoid", 0.0), ("tanh", 0.0)])
def test_activation(kind: str, slope: float, shape: Shape, rng: np.random.Generator) -> None:
    x, r = rng.standard_normal(shape), rng.standard_normal(shape)
    x += np.sign(x) * 0.01  # away from the kink at zero
    y = ops.activation(x, kind, slope=slope)
    dx = ops.activation_backward(r, y, kind, slope=slope)
    agrees(lambda v: ops.activation(v, kind, slope=slope), x, dx, r, rng)


@pytest.mark.parametrize("shape", LOGITS)
def test_softmax(shape: Shape, rng: np.random.Generator) -> None:
    x, r = rng.standard_normal(shape), rng.standard_normal(shape)
    agrees(ops.softmax, x, ops.softmax_backward(r, ops.softmax(x)), r, rng)


@pytest.mark.parametrize("shape", BLOCKS)
@pytest.mark.parametrize("options", LRNS, ids=str)
def test_local_response_norm(options: dict[str, Any], shape: Shape, rng: np.random.Generator) -> None:
    x, r = rng.standard_normal(shape) * 2, rng.standard_normal(shape)
    y, scale = ops.local_response_norm(x, **options)
    backward = {key: value for key, value in options.items() if key != "k"}
    dx = ops.local_response_norm_backward(r, x, y, scale, **backward)
    agrees(lambda v: ops.local_response_norm(v, **options)[0], x, dx, r, rng)


@pytest.mark.parametrize("shape", [s for s in BLOCKS if np.prod(s[:-1]) > 1])
def test_batch_norm(shape: Shape, rng: np.random.Generator) -> None:
    x, r = rng.standard_normal(shape) * 2 + 1, rng.standard_normal(shape)
    gamma, beta = rng.standard_normal(shape[-1:]), rng.standard_normal(shape[-1:])
    _, mean, variance = ops.batch_norm(x, gamma, beta, epsilon=1e-3)
    dx, dgamma, dbeta = ops.batch_norm_backward(r, x, gamma, mean, variance, epsilon=1e-3)
    agrees(lambda v: ops.batch_norm(v, gamma, beta, epsilon=1e-3)[0], x, dx, r, rng)
    agrees(lambda v: ops.batch_norm(x, v, beta, epsilon=1e-3)[0], gamma, dgamma, r, rng)
    agrees(lambda v: ops.batch_norm(x, gamma, v, epsilon=1e-3)[0], beta, dbeta, r, rng)


@pytest.mark.parametrize("shape", LOGITS)
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("rows", [False, True])
def test_softmax_cross_entropy(
    shape: Shape, smoothing: float, weighted: bool, rows: bool, rng: np.random.Generator
) -> None:
    n, k = shape
    logits, weights = rng.standard_normal(shape) * 2, rng.random(n) if weighted else None
    targets = ops.softmax(rng.standard_normal(shape)) if rows else rng.integers(0, k, n)

    def losses(z: Array) -> Array:
        return ops.softmax_cross_entropy(targets, z, label_smoothing=smoothing, weights=weights)[0]

    _, dlogits = ops.softmax_cross_entropy(targets, logits, label_smoothing=smoothing, weights=weights)
    r = (np.ones(n) if weights is None else weights) / n
    agrees(losses, logits, dlogits, r, rng)


@pytest.mark.parametrize("shape", BLOCKS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("op", ["binary_cross_entropy", "mean_squared_error", "mean_absolute_error"])
def test_losses(op: str, shape: Shape, weighted: bool, rng: np.random.Generator) -> None:
    weights = rng.random(shape[0]) if weighted else None
    prediction, targets = rng.standard_normal(shape) * 3, rng.random(shape)
    prediction += np.sign(prediction - targets) * 0.01  # away from the kink of |p - t|
    f = getattr(ops, op)
    _, gradient = f(targets, prediction, weights=weights)
    r = (np.ones(shape[0]) if weights is None else weights) / shape[0]
    agrees(lambda v: f(targets, v, weights=weights)[0], prediction, gradient, r, rng)


@pytest.mark.parametrize("shape", BLOCKS)
def test_dropout_is_its_own_backward(shape: Shape, rng: np.random.Generator) -> None:
    x, r, key = rng.standard_normal(shape), rng.standard_normal(shape), (3, 14, 15)
    agrees(lambda v: ops.dropout(v, 0.3, key), x, ops.dropout(r, 0.3, key), r, rng)


def test_zero_pad2d_backward_cuts_off(rng: np.random.Generator) -> None:
    x, padding = rng.standard_normal((2, 3, 4, 5)), ((1, 2), (0, 3))
    r = rng.standard_normal((2, 6, 7, 5))
    agrees(lambda v: ops.zero_pad2d(v, padding), x, np.ascontiguousarray(r[:, 1:4, 0:4]), r, rng)
