"""Every backward against central differences in float64, on the geometries of the table of cases.

For y = f(x) and random r, g = backward(r) must satisfy (r . f(x + h d) - r . f(x - h d)) / 2h = g . d for random d.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable

import numpy as np
import pytest
from agreement import call, known_behind, named
from case import Case
from cases import CASES
from groups import grouped
from sizes import BLOCKS, LOGITS

from pellucid import ops
from pellucid.ops.geometry import Array, Shape
from pellucid.ops.table import TABLE, row

STEP = 1e-5
BOUND = 1e-6


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


def backwards(op: str) -> list[str]:
    """The operations that take a gradient through this one."""
    return [name for name in ops.__all__ if re.fullmatch(f"{op}_backward(_input|_kernel)?", name)]


def is_smooth(case: Case) -> bool:
    """Whether numbers are apart by more than the step moves them, and one pass is quick."""
    return (
        not case.name.endswith(("-ties", "-10000")) and case.macs < 25e6 and case.op != "augment"
    )  # linear in x: layers


@grouped("case", [c for c in CASES if c.op in TABLE and backwards(c.op) and is_smooth(c)], by=lambda case: case.op)
def test_backward(case: Case) -> None:
    """What a backward operation takes has the names of what the forward one takes and gives."""
    rng, given = np.random.default_rng(20), named(case.op, *case.arguments())
    given["x"] += np.sign(given["x"]) * 0.01  # away from a kink at zero
    if case.op == "max_pool2d":  # no maximum may change place
        given["x"] = rng.permutation(np.arange(given["x"].size) * 0.01).reshape(given["x"].shape)

    def forward(**changes: Array) -> tuple[Array, ...]:
        return call(case.op, (), given | changes)

    r = rng.standard_normal(forward()[0].shape)
    known = known_behind(case.op, given) | {"dy": r}
    for op in backwards(case.op):
        # what a transposed convolution adds is its own, and not what the convolution added
        wanted = [name for name in inspect.signature(getattr(ops, op)).parameters if name not in ("bias", "addend")]
        gradients = call(op, (), {name: known[name] for name in wanted if name in known})
        names = [name for name in row(op).arrays if name not in wanted and name not in row(op).defaults]
        for name, gradient in zip(names, gradients, strict=True):
            value = name.removeprefix("d")
            agrees(lambda v, value=value: forward(**{value: v})[0], given[value], gradient, r, rng)
    if "bias" in given:
        agrees(lambda v: forward(bias=v)[0], given["bias"], ops.bias_backward(r), r, rng)


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
    if len(shape) > 1:
        agrees(lambda v: ops.spatial_dropout(v, 0.3, key), x, ops.spatial_dropout(r, 0.3, key), r, rng)


def test_zero_pad2d_backward_cuts_off(rng: np.random.Generator) -> None:
    x, padding = rng.standard_normal((2, 3, 4, 5)), ((1, 2), (0, 3))
    r = rng.standard_normal((2, 6, 7, 5))
    agrees(lambda v: ops.zero_pad2d(v, padding), x, np.ascontiguousarray(r[:, 1:4, 0:4]), r, rng)
