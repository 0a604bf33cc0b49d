"""Winograd's algorithm along rows (5x5 kernels, one channel, max pooling 2x2): agreement, threads, batches, choice."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from agreement import check, in_float64, truth
from case import Case, Conv, given, guarded
from hypothesis import given as sample
from hypothesis import settings
from hypothesis import strategies as st
from sizes import CONVS

from pellucid.errors import BackendError
from pellucid.ops import native
from pellucid.ops.geometry import NO_PADS, Array, Pooling

pytestmark = pytest.mark.skipif(not native.available, reason="the kernels are not built")

POOLING: Pooling = {"pool_size": (2, 2), "strides": (2, 2), "padding": NO_PADS}
SHAPES = (
    *(c for c in CONVS if c.grey),
    *(Conv(f"filters-{o}", (2, 14, 14, 1), (5, 5), o) for o in (1, 2, 3, 4, 7, 8, 9, 16, 17, 31)),
    *(Conv(f"wide-{w}", (1, 8, w, 1), (5, 5), 5) for w in (6, 7, 8, 10, 13, 21, 36, 37, 70, 139)),
    *(Conv(f"high-{h}", (1, h, 9, 1), (5, 5), 5) for h in (6, 7, 9, 40)),
    Conv("padded", (2, 9, 11, 1), (5, 5), 10, padding=((1, 3), (4, 0))),
    Conv("mostly-padding", (2, 2, 3, 1), (5, 5), 4, padding=((4, 4), (4, 4))),
    Conv("bands", (1, 91, 21, 1), (5, 5), 9),
    Conv("wide-bands", (2, 44, 700, 1), (5, 5), 3, padding=((2, 2), (2, 2))),
    Conv("many-pictures", (40, 42, 16, 1), (5, 5), 20),
    Conv("side-by-side", (70, 12, 16, 1), (5, 5), 20),
)


def arguments(c: Conv, seed: int = 0) -> tuple[Array, Array, Array]:
    (x, kernel, bias), _ = given(c.x, c.kernel_shape, (c.filters,), scale=0.3)(np.random.default_rng(seed))
    return x, kernel, bias


def step_of(c: Conv, args: tuple[Array, ...], y: Array, argmax: Array | None, kind: str = "relu") -> Any:
    options: dict[str, Any] = {"convolution": c.options, "pooling": POOLING, "activation": kind, "slope": 0.3}
    return native.conv2d_pool(*args, y, argmax, **options, algorithm="winograd_rows")


def pooled(c: Conv) -> tuple[int, ...]:
    n, h, w, o = c.y
    return n, h // 2, w // 2, o


def agrees(c: Conv, kind: str) -> None:
    """With the truth within the bound; each place named is a largest of its window; the same without places."""
    args = arguments(c)
    (y, y_whole), (argmax, argmax_whole) = guarded(pooled(c), np.float32), guarded(pooled(c), np.uint8)
    native.run(step_of(c, args, y, argmax, kind))
    assert y_whole()
    assert argmax_whole()
    options: dict[str, Any] = {"convolution": c.options, "pooling": POOLING, "activation": kind, "slope": 0.3}
    how, bound = c.bounds_of("winograd_rows")["conv2d"]
    if kind == "tanh":  # as in cases
        how, bound = "scaled", 8 + bound * (1 + 0.2 * 25)
    case = Case("conv2d_max_pool2d", c.name, lambda rng: (args, options), how, bound)
    check(
        case, (y, truth(case, in_float64(case))[1])
    )  # places: where two are nearly the same either may be named, so they follow
    unpooled = np.empty(c.y, np.float32)
    native.run(native.conv2d(*args, unpooled, **c.options, activation=kind, slope=0.3, algorithm="direct"))
    n, h, w, o = y.shape
    windows = unpooled[:, : 2 * h, : 2 * w].reshape(n, h, 2, w, 2, o).transpose(2, 4, 0, 1, 3, 5).reshape(4, *y.shape)
    placed = argmax != 255
    assert (placed == (y > 0)).all() if kind == "relu" else placed.all()
    named = np.take_along_axis(windows, np.where(placed, argmax, 0)[None].astype(np.int64), axis=0)[0]
    np.testing.assert_allclose(named[placed], y[placed], rtol=1e-4, atol=3e-5)
    plain = np.empty_like(y)
    native.run(step_of(c, args, plain, None, kind))
    np.testing.assert_array_equal(plain, y)


@pytest.mark.parametrize("kind", ["linear", "relu", "leaky_relu", "tanh"])
@pytest.mark.parametrize("c", SHAPES, ids=lambda c: c.name)
def test_rows_agree_with_the_truth(c: Conv, kind: str) -> None:
    agrees(c, kind)


@st.composite
def geometries(draw: st.DrawFn) -> Conv:
    pads = tuple((draw(st.integers(0, 5)), draw(st.integers(0, 5))) for _ in range(2))
    size = (max(draw(st.integers(1, 30)), 6 - sum(pad)) for pad in pads)
    shape = (draw(st.integers(1, 4)), *size, 1)
    return Conv("random", shape, (5, 5), draw(st.integers(1, 40)), padding=pads)  # type: ignore[arg-type]


@settings(max_examples=60, deadline=None)
@sample(geometries(), st.sampled_from(["linear", "relu"]))
def test_rows_agree_on_random_geometries(c: Conv, kind: str) -> None:
    agrees(c, kind)


def test_a_largest_of_equals_is_the_first_and_nan_wins() -> None:
    c = Conv("flat", (1, 9, 13, 1), (5, 5), 6)
    x, kernel, bias = np.zeros(c.x, np.float32), np.zeros(c.kernel_shape, np.float32), np.ones(6, np.float32)
    y, argmax = np.empty(pooled(c), np.float32), np.empty(pooled(c), np.uint8)
    native.run(step_of(c, (x, kernel, bias), y, argmax))
    assert (y == 1).all() and not argmax.any()
    x[0, 4, 6] = np.nan
    for places in (argmax, None):
        native.run(step_of(c, (x, kernel, bias), y, places))
        assert np.isnan(y[0, :, 1:4]).all()


@pytest.mark.parametrize("name", ["many-pictures", "side-by-side"])
def test_the_bits_do_not_depend_on_threads_or_the_batch(name: str) -> None:
    c = next(shape for shape in SHAPES if shape.name == name)
    args, before = arguments(c), native.num_threads()
    seen = set()
    try:
        for threads in (1, 2, 3, 8):
            native.set_num_threads(threads)
            for pictures in (1, 3, 35, c.x[0]):
                y, argmax = np.full(pooled(c), np.nan, np.float32), np.full(pooled(c), 77, np.uint8)
                native.Program([step_of(c, args, y, argmax)]).run(pictures)
                assert np.isnan(y[pictures:]).all() and (argmax[pictures:] == 77).all(), "wrote past the batch"
                seen.add((y[:1].tobytes(), argmax[:1].tobytes()))
    finally:
        native.set_num_threads(before)
    assert len(seen) == 1


def test_where_it_does_not_apply() -> None:
    x, kernel = np.zeros((1, 8, 8, 2), np.float32), np.zeros((5, 5, 2, 4), np.float32)
    options: dict[str, Any] = {"strides": (1, 1), "padding": NO_PADS}
    with pytest.raises(BackendError, match="'winograd_rows' is of conv2d_pool on one channel, got 2 channels"):
        native.conv2d(x, kernel, None, np.zeros((1, 4, 4, 4), np.float32), **options, algorithm="winograd_rows")


@pytest.mark.parametrize(
    ("size", "filters", "expected"),
    [(28, 30, "winograd_rows"), (28, 1, "winograd_rows"), (28, 16, "winograd_rows"), (6, 30, "direct")],
)
def test_the_choice_depends_on_shape_alone(size: int, filters: int, expected: str) -> None:
    for n in (1, 40):
        c = Conv("chosen", (n, size, size, 1), (5, 5), filters)
        options: dict[str, Any] = {"convolution": c.options, "pooling": POOLING}
        step = native.conv2d_pool(*arguments(c), np.empty(pooled(c), np.float32), None, **options)
        assert native.conv2d_algorithm(step) == expected
