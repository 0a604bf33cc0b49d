"""Geometries and values that nobody thought of: random ones, against the float64 truth."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
import pytest
from agreement import call, check
from case import EPS, Arguments, Case, Conv, Pool, given, sum_bound
from hypothesis import HealthCheck, assume, settings
from hypothesis import given as sample
from hypothesis import strategies as st

from pellucid import ops
from pellucid.errors import BackendError, ConfigError, ShapeError
from pellucid.ops import native, reference
from pellucid.ops.geometry import Array

SETTINGS = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])


def pairs(low: int, high: int) -> st.SearchStrategy[tuple[int, int]]:
    return st.tuples(st.integers(low, high), st.integers(low, high))


@st.composite
def convs(draw: st.DrawFn) -> Conv:
    groups = draw(st.integers(1, 3))
    channels, filters = (groups * draw(st.integers(1, 20)) for _ in range(2))
    kernel, strides, dilation = draw(pairs(1, 5)), draw(pairs(1, 4)), draw(pairs(1, 3))
    padding = draw(pairs(0, 4)), draw(pairs(0, 4))
    x = (draw(st.integers(1, 3)), *draw(pairs(1, 20)), channels)
    c = Conv("random", x, kernel, filters, strides, padding, dilation, groups)
    try:
        assert c.y
    except ShapeError:
        assume(False)
    return c


@st.composite
def pools(draw: st.DrawFn) -> Pool:
    padding = draw(pairs(0, 4)), draw(pairs(0, 4))
    x = (draw(st.integers(1, 3)), *draw(pairs(1, 20)), draw(st.integers(1, 40)))
    p = Pool("random", x, draw(pairs(1, 6)), draw(pairs(1, 6)), padding)
    try:
        assert p.y
    except (ShapeError, ConfigError):
        assume(False)
    return p


def agree(op: str, build: Any, terms: int) -> None:
    case = Case(op, "random", build, "linear", sum_bound(terms))
    args, options = case.arguments()
    check(case, call(op, args, options))


@SETTINGS
@sample(convs())
def test_conv2d(c: Conv) -> None:
    builds = {
        "conv2d": given(c.x, c.kernel_shape, (c.filters,), **c.options),
        "conv2d_backward_input": given(c.y, c.kernel_shape, rest=[c.x], **c.options),
        "conv2d_backward_kernel": given(c.x, c.y, rest=[c.kernel_shape], **c.options),
    }
    for op, build in builds.items():
        case = Case(op, "random", build, *c.bounds[op])
        check(case, call(op, *case.arguments()))


@st.composite
def pooled(draw: st.DrawFn) -> tuple[Conv, Pool, str]:
    c = draw(convs())
    padding = draw(pairs(0, 2)), draw(pairs(0, 2))
    p = Pool("random", c.y, draw(pairs(1, 4)), draw(pairs(1, 4)), padding)
    try:
        assert p.y
    except (ShapeError, ConfigError):
        assume(False)
    return c, p, draw(st.sampled_from(["linear", "relu", "leaky_relu"]))


@SETTINGS
@sample(pooled())
def test_conv2d_and_pooling(sampled: tuple[Conv, Pool, str]) -> None:
    c, p, kind = sampled
    options: dict[str, Any] = {"convolution": c.options, "pooling": p.options, "activation": kind, **NUMBERS}
    rng = np.random.default_rng(5)
    x, kernel, bias = (rng.standard_normal(s).astype(np.float32) for s in (c.x, c.kernel_shape, (c.filters,)))
    y, argmax = ops.conv2d_max_pool2d(x, kernel, bias, **options)
    # The places may differ from float64's where two pixels nearly tie, so they are judged by what they stand for.
    taps = math.prod(c.kernel_shape[:3])
    z = np.empty(c.y)
    reference.conv.conv2d(x.astype(float), kernel.astype(float), bias.astype(float), z, **c.options)
    sizes = ops.conv2d_max_pool2d(abs(x).astype(float), abs(kernel).astype(float), abs(bias).astype(float), **options)
    best = ops.max_pool2d(z, **p.options)[0]
    if kind != "linear":
        best = ops.activation(best, kind, **NUMBERS)
    allowed = (sum_bound(taps + 1) + 1) * EPS * sizes[0]
    assert (abs(y - best) <= allowed).all()
    if kind == "relu":
        np.testing.assert_array_equal(argmax == 255, ~(y > 0))

    dy = rng.standard_normal(y.shape).astype(np.float32)
    to_kernel = lambda _: ((x, dy, y, argmax, c.kernel_shape), options)  # noqa: E731
    to_input = lambda _: ((dy, y, argmax, kernel, c.x), options)  # noqa: E731
    rows, window = math.prod(c.y[:3]), math.prod(p.pool_size)
    for op, build, terms in (
        ("conv2d_max_pool2d_backward_kernel", to_kernel, rows * window),
        ("conv2d_max_pool2d_backward_input", to_input, math.prod(c.kernel) * c.filters * window),
    ):
        case = Case(op, "random", build, "linear", sum_bound(terms) + 3)
        check(case, call(op, *case.arguments()))
    average = Case(
        "conv2d_avg_pool2d", "random", lambda _: ((x, kernel, bias), options), "linear", sum_bound(taps * window) + 3
    )
    check(average, call("conv2d_avg_pool2d", *average.arguments()))


def max_backward(p: Pool, rng: np.random.Generator) -> Arguments:
    x = rng.standard_normal(p.x).astype(np.float32)
    argmax = ops.max_pool2d(x, **p.options)[1]
    return (rng.standard_normal(p.y).astype(np.float32), argmax, p.x), p.options


@SETTINGS
@sample(pools())
def test_pools(p: Pool) -> None:
    taps = math.prod(p.pool_size)
    agree("avg_pool2d", given(p.x, **p.options), taps)
    agree("avg_pool2d_backward", given(p.y, rest=[p.x], **p.options), taps)
    agree("max_pool2d_backward", partial(max_backward, p), taps)
    forward = Case("max_pool2d", "random", given(p.x, **p.options), "exact")
    check(forward, call("max_pool2d", *forward.arguments()))


@SETTINGS
@sample(st.integers(1, 40), st.integers(1, 70), st.integers(1, 70))
def test_dense(n: int, i: int, u: int) -> None:
    agree("dense", given((n, i), (i, u), (u,)), i + 1)
    agree("dense_backward_input", given((n, u), (i, u)), u)
    agree("dense_backward_kernel", given((n, i), (n, u)), n)
    agree("bias_backward", given((n, u)), n)


DIVIDED: dict[str, Any] = {kind: ops.ACTIVATIONS[kind] for kind in ("celu", "squareplus")}
"""Those that divide by their slope, with one above 0."""
NUMBERS: dict[str, Any] = {"slope": 0.3, "ceiling": 0.7}
SPECIAL = np.array(
    [np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 1e-40, -1e-40, 3e38, -3e38, 88.8, -88.8, 103.9, -104.1, 9.5],
    np.float32,
)


@SETTINGS
@sample(pools(), st.integers(0, 2**32 - 1))
def test_max_pool2d_of_any_values(p: Pool, seed: int) -> None:
    x = np.random.default_rng(seed).choice(SPECIAL, p.x)
    y, argmax = np.empty(p.y, np.float32), np.empty(p.y, np.uint8)
    reference.pool.max_pool2d(x, y, argmax, **p.options)
    got_y, got_argmax = ops.max_pool2d(x, **p.options)
    np.testing.assert_array_equal(got_y, y)
    np.testing.assert_array_equal(got_argmax, argmax)


def compare(got: Array, expected: Array) -> None:
    """As np.errstate would have it: NaN where NaN, the same infinities, else close."""
    np.testing.assert_allclose(got, expected, rtol=2e-6, atol=2e-7)


@pytest.mark.parametrize(
    "numbers", [{"slope": 0.3}, {"ceiling": 6.0}, {"slope": 0.3, "threshold": 1.0, "ceiling": 6.0}]
)
@pytest.mark.parametrize("kind", ops.ACTIVATIONS)
def test_activations_of_any_values(kind: str, numbers: dict[str, float]) -> None:
    x = np.concatenate([SPECIAL, np.linspace(-110, 110, 3001, dtype=np.float32)])
    expected = np.empty(x.shape)
    numbers = {**DIVIDED.get(kind, {}), **numbers}
    with np.errstate(all="ignore"):
        reference.nonlinear.activation(x.astype(np.float64), expected, kind, **numbers)
        compare(ops.activation(x, kind, **numbers), expected.astype(np.float32))


@pytest.mark.parametrize("kind", sorted(ops.READ_INPUT))
def test_gradients_by_any_input(kind: str) -> None:
    x = np.concatenate([SPECIAL, np.linspace(-110, 110, 3001, dtype=np.float32)])
    expected, numbers = np.empty(x.shape), DIVIDED.get(kind, {})
    with np.errstate(all="ignore"):
        reference.nonlinear.activation_backward(np.ones(x.shape), x.astype(np.float64), expected, kind, **numbers)
        compare(ops.activation_backward(np.ones_like(x), x, kind, **numbers), expected.astype(np.float32))


def test_activations_that_do_not_rise_are_kept_from_pooling() -> None:
    x, kernel = np.ones((1, 4, 4, 1), np.float32), np.ones((1, 1, 1, 2), np.float32)
    pooling = {"pool_size": (2, 2), "strides": (2, 2), "padding": ((0, 0), (0, 0))}
    options: dict[str, Any] = {"convolution": {"strides": (1, 1), "padding": ((0, 0), (0, 0))}, "pooling": pooling}
    with pytest.raises(ConfigError, match="silu"):
        ops.conv2d_max_pool2d(x, kernel, activation="silu", **options)
    y, argmax = np.ones((1, 2, 2, 2), np.float32), np.zeros((1, 2, 2, 2), np.uint8)
    with pytest.raises(BackendError, match="does not run with pooling"):
        native.conv2d_pool(x, kernel, None, y, argmax, activation="silu", **options)


@SETTINGS
@sample(st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_softmax_of_any_values(k: int, seed: int) -> None:
    x = np.random.default_rng(seed).choice(SPECIAL, (50, k))
    expected = np.empty(x.shape)
    with np.errstate(all="ignore"):
        reference.nonlinear.softmax(x.astype(np.float64), expected)
        compare(ops.softmax(x), expected)
