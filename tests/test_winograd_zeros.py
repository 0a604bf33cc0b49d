"""Winograd's algorithm on pictures with black regions: what sums nothing but zeros is zero, whatever lies beside it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from case import Conv
from sizes import SAME3

from pellucid.ops import native
from pellucid.ops.geometry import NO_PADS, Array, Pooling

pytestmark = pytest.mark.skipif(not native.available, reason="the kernels are not built")

POOLING: Pooling = {"pool_size": (2, 2), "strides": (2, 2), "padding": NO_PADS}
SAME5 = ((2, 2), (2, 2))
CONVS = {
    "winograd": Conv("3x3", (5, 18, 15, 20), (3, 3), 17, padding=SAME3),
    "winograd-grey": Conv("3x3", (5, 13, 21, 1), (3, 3), 5, padding=((1, 3), (4, 0))),
    "winograd-groups": Conv("3x3", (3, 16, 16, 24), (3, 3), 12, padding=SAME3, groups=2),
    "winograd-deep": Conv("3x3", (2, 14, 14, 210), (3, 3), 200, padding=SAME3),
    "winograd-5x5": Conv("5x5", (4, 15, 14, 12), (5, 5), 9, padding=SAME5),
    "winograd2": Conv("3x3", (3, 18, 15, 20), (3, 3), 17, padding=SAME3),
    "winograd_rows": Conv("5x5", (9, 26, 23, 1), (5, 5), 10, padding=((1, 3), (4, 0))),
}


def blots(shape: tuple[int, ...], seed: int) -> Array:
    """Numbers above 0 in a few rectangles of each picture, and 0, of either sign, around them."""
    rng = np.random.default_rng(seed)
    x = np.copysign(np.zeros(shape, np.float32), rng.standard_normal(shape, np.float32))
    for picture in x:
        for _ in range(2):
            (top, bottom), (left, right) = (np.sort(rng.integers(0, size + 1, 2)) for size in shape[1:3])
            blot = rng.uniform(0.1, 1.0, (bottom - top, right - left, shape[3])).astype(np.float32)
            picture[top:bottom, left:right] = blot * (rng.random(blot.shape) < 0.5)
    return x


def results(c: Conv, x: Array, kernel: Array, algorithm: str, pooled: bool) -> list[Array]:
    """Of the op of an algorithm's name, and where it pools the places with it."""
    n, h, w, o = (len(x), *c.y[1:])
    if not pooled:
        y = np.empty((n, h, w, o), np.float32)
        native.run(native.conv2d(x, kernel, None, y, **c.options, algorithm=algorithm))
        return [y]
    y, argmax = np.empty((n, h // 2, w // 2, o), np.float32), np.empty((n, h // 2, w // 2, o), np.uint8)
    options: dict[str, Any] = {"convolution": c.options, "pooling": POOLING, "activation": "relu"}
    native.run(native.conv2d_pool(x, kernel, None, y, argmax, **options, algorithm=algorithm))
    return [y, np.where(y > 0, 0, argmax)]


FORWARD = [(name, pooled) for name in CONVS for pooled in (False, True) if pooled or name != "winograd_rows"]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("name", "pooled"), FORWARD)
def test_zero_is_where_direct_convolution_has_it(name: str, pooled: bool, seed: int) -> None:
    c = CONVS[name]
    x = blots(c.x, seed)
    kernel = np.random.default_rng(seed).uniform(0.1, 1.0, c.kernel_shape).astype(np.float32)
    wanted = results(c, x, kernel, "direct", pooled)
    got = results(c, x, kernel, name.split("-")[0], pooled)
    assert (wanted[0] == 0).any()
    assert (wanted[0] > 0).any()
    np.testing.assert_array_equal(got[0] == 0, wanted[0] == 0)
    np.testing.assert_array_equal(got[1:], wanted[1:])


@pytest.mark.parametrize("name", [name for name in CONVS if name != "winograd_rows"])
def test_no_gradient_passes_back_where_there_is_none(name: str) -> None:
    c = CONVS[name]
    dy = blots(c.y, 1)
    kernel = np.random.default_rng(0).uniform(0.1, 1.0, c.kernel_shape).astype(np.float32)
    dx = {algorithm: np.empty(c.x, np.float32) for algorithm in ("direct", name.split("-")[0])}
    for algorithm, out in dx.items():
        native.run(native.conv2d_backward_input(dy, kernel, out, **c.options, algorithm=algorithm))
    wanted, got = dx.values()
    assert (wanted == 0).any()
    np.testing.assert_array_equal(got == 0, wanted == 0)


@pytest.mark.parametrize(("name", "pooled"), FORWARD)
def test_a_kernel_that_is_not_finite_shows_on_black_pictures_too(name: str, pooled: bool) -> None:
    c = CONVS[name]
    kernel = np.full(c.kernel_shape, np.nan, np.float32)
    assert np.isnan(results(c, blots(c.x, 0), kernel, name.split("-")[0], pooled)[0]).any()
    assert np.isnan(results(c, np.zeros(c.x, np.float32), kernel, name.split("-")[0], pooled)[0]).all()
