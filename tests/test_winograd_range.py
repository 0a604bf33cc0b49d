"""Winograd's algorithm on pictures with numbers far beyond their others: no worse than direct convolution."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from case import Conv, normal
from sizes import SAME3

from pellucid.ops import native
from pellucid.ops.geometry import NO_PADS, Array, Pooling

pytestmark = pytest.mark.skipif(not native.available, reason="the kernels are not built")

POOLING: Pooling = {"pool_size": (2, 2), "strides": (2, 2), "padding": NO_PADS}
SAME5 = ((2, 2), (2, 2))
CONVS = {
    "winograd": Conv("3x3", (3, 18, 15, 20), (3, 3), 17, padding=SAME3),
    "winograd-groups": Conv("3x3", (2, 16, 16, 24), (3, 3), 12, padding=SAME3, groups=2),
    "winograd-deep": Conv("3x3", (2, 14, 14, 150), (3, 3), 16, padding=SAME3),
    "winograd-5x5": Conv("5x5", (2, 15, 14, 12), (5, 5), 9, padding=SAME5),
    "winograd2": Conv("3x3", (3, 18, 15, 20), (3, 3), 17, padding=SAME3),
}
FORWARD = [(name, pooled) for name in CONVS for pooled in (False, True)]


def forward(c: Conv, x: Array, kernel: Array, algorithm: str, pooled: bool = False) -> Array:
    n, h, w, o = (len(x), *c.y[1:])
    if not pooled:
        y = np.empty((n, h, w, o), np.float32)
        native.run(native.conv2d(x, kernel, None, y, **c.options, algorithm=algorithm))
        return y
    y, argmax = np.empty((n, h // 2, w // 2, o), np.float32), np.empty((n, h // 2, w // 2, o), np.uint8)
    options: dict[str, Any] = {"convolution": c.options, "pooling": POOLING}
    native.run(native.conv2d_pool(x, kernel, None, y, argmax, **options, algorithm=algorithm))
    return y


def given(c: Conv) -> tuple[Array, Array]:
    rng = np.random.default_rng(5)
    return normal(rng, c.x), normal(rng, c.kernel_shape, 0.2)


ROW = 3
"""Bright ones lie here: in tiles of 4 rows, rows 0 and 1 see it in their windows and do not need it."""


def spoilt(got: Array, exact: Array, c: Conv, pooled: bool = False) -> float:
    """Largest error of results that no bright number is in the sum of, as a share of their root mean square."""
    step, reach = 2 if pooled else 1, c.kernel[0] // 2
    rows = [r for r in range(got.shape[1]) if step * r + step - 1 < ROW - reach or step * r > ROW + reach]
    return float(np.abs(got[:, rows] - exact[:, rows]).max() / np.sqrt((exact[:, rows] ** 2).mean()))


BRIGHT = {
    "pixel": lambda x, size: x.__setitem__((0, ROW, 6), x[0, ROW, 6] * size),
    "number": lambda x, size: x.__setitem__((0, ROW, 6, 3), size),
    "row": lambda x, size: x.__setitem__((0, ROW), x[0, ROW] * size),
}


@pytest.mark.parametrize("shape", BRIGHT)
@pytest.mark.parametrize("size", [1e3, 1e4, 1e6, 1e20])
@pytest.mark.parametrize(("name", "pooled"), FORWARD)
def test_bright_pixels_spoil_nothing_beside_them(name: str, pooled: bool, size: float, shape: str) -> None:
    c = CONVS[name]
    x, kernel = given(c)
    plain = forward(c, x, kernel, "direct", pooled)
    BRIGHT[shape](x, np.float32(size))
    algorithm = name.partition("-")[0]
    assert spoilt(forward(c, x, kernel, algorithm, pooled), plain, c, pooled) < 1e-5
    np.testing.assert_allclose(
        forward(c, x, kernel, algorithm, pooled)[0],
        forward(c, x, kernel, "direct", pooled)[0],
        rtol=1e-4,
        atol=1e-5 * float(size) * np.abs(kernel).max(),
    )


@pytest.mark.parametrize(("name", "pooled"), FORWARD)
def test_pictures_computed_again_are_counted(name: str, pooled: bool) -> None:
    """Those are the pictures whose bits are those of direct convolution, and no others."""
    c, algorithm = CONVS[name], name.partition("-")[0]
    x, kernel = given(c)
    for size in (1.0, 100.0, 1e4, 1e8):
        x[1, ROW, 6] = size
        direct = forward(c, x, kernel, "direct", pooled)
        before = native.recomputed()
        got = forward(c, x, kernel, algorithm, pooled)
        again = [a.tobytes() == b.tobytes() for a, b in zip(got, direct, strict=True)]
        assert native.recomputed() - before == sum(again)
        if algorithm == "winograd" and c.kernel == (3, 3):
            assert sum(again) == (size > 1000)


def test_what_stays_below_the_limit_costs_next_to_nothing() -> None:
    c = CONVS["winograd"]
    for size in (10, 20, 40, 80, 160, 320, 640):
        worst = 0.0
        for y in range(4):
            for x0 in range(3, 7):
                x, kernel = given(c)
                x[0, y, x0] *= np.float32(size)
                difference = forward(c, x, kernel, "winograd")[0] - forward(c, x, kernel, "direct")[0]
                difference[max(y - 1, 0) : y + 2, x0 - 1 : x0 + 2] = 0
                worst = max(worst, float(np.abs(difference).max()))
        assert worst < 3e-4 * 0.2 * np.sqrt(9 * 20)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(("name", "pooled"), FORWARD)
def test_what_is_no_number_goes_where_it_does_directly(name: str, pooled: bool, value: float) -> None:
    c = CONVS[name]
    x, kernel = given(c)
    x[0, 7, 6, 5] = value
    with np.errstate(invalid="ignore"):
        got = forward(c, x, kernel, name.partition("-")[0], pooled)
        expected = forward(c, x, kernel, "direct", pooled)
    np.testing.assert_array_equal(got[0], expected[0])
    assert np.isfinite(got[1:]).all() and not np.isfinite(got[0]).all()


@pytest.mark.parametrize(("name", "pooled"), FORWARD)
def test_finite_pictures_overflow_only_where_the_sum_does(name: str, pooled: bool) -> None:
    c = CONVS[name]
    x, kernel = given(c)
    x *= np.float32(4e37 / np.abs(x).max())
    kernel *= np.float32(0.02)
    assert np.isfinite(forward(c, x, kernel, name.partition("-")[0], pooled)).all()


def test_rows_of_grey_pictures() -> None:
    c = Conv("grey", (5, 28, 28, 1), (5, 5), 6)
    for value in (1e4, 1e20, np.nan, np.inf):
        x, kernel = given(c)
        x[2, 13, 14] = value
        with np.errstate(invalid="ignore"):
            got, expected = (forward(c, x, kernel, how, True) for how in ("winograd_rows", "direct"))
        np.testing.assert_array_equal(got[2], expected[2])
        np.testing.assert_allclose(got[[0, 1, 3, 4]], expected[[0, 1, 3, 4]], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", CONVS)
def test_gradients(name: str) -> None:
    """The input's like a forward pass; the kernel's is direct as soon as one picture is out of range."""
    c, algorithm = CONVS[name], name.partition("-")[0]
    x, kernel = given(c)
    dy = normal(np.random.default_rng(6), c.y)
    plain = np.empty(c.x, np.float32)
    native.run(native.conv2d_backward_input(dy, kernel, plain, **c.options, algorithm="direct"))
    dx, dkernel = {}, {}
    for array in (x, dy):
        array[0, ROW, 7] *= np.float32(1e8)
    for how in (algorithm, "direct"):
        dx[how], dkernel[how] = np.empty(c.x, np.float32), np.empty(c.kernel_shape, np.float32)
        native.run(native.conv2d_backward_input(dy, kernel, dx[how], **c.options, algorithm=how))
        native.run(native.conv2d_backward_kernel(x, dy, dkernel[how], **c.options, algorithm=how))
    assert spoilt(dx[algorithm], plain, c) < 1e-5
    if name in ("winograd", "winograd-groups", "winograd-deep"):
        np.testing.assert_array_equal(dkernel[algorithm], dkernel["direct"])


@pytest.mark.parametrize("pooled", [False, True])
@pytest.mark.parametrize("name", CONVS)
def test_the_bits_do_not_depend_on_threads_or_the_batch(name: str, pooled: bool) -> None:
    c, algorithm = CONVS[name], name.partition("-")[0]
    x, kernel = given(c)
    x[1, 9, 9] *= np.float32(1e5)
    before, seen = native.num_threads(), set()
    try:
        for threads in (1, 2, 5):
            native.set_num_threads(threads)
            seen.add(forward(c, x, kernel, algorithm, pooled).tobytes())
    finally:
        native.set_num_threads(before)
    assert len(seen) == 1
    whole = np.frombuffer(seen.pop(), np.float32).reshape(len(x), -1)
    for n in range(len(x)):
        alone = forward(c, x[n : n + 1].copy(), kernel, algorithm, pooled)
        assert alone.tobytes() == whole[n].tobytes(), "a picture's result depends on its batch"


@pytest.mark.parametrize("kind", ["relu", "tanh"])
def test_pooled_gradients_of_a_bright_picture(kind: str) -> None:
    c = CONVS["winograd"]
    rng = np.random.default_rng(3)
    x, kernel = given(c)
    x[1, 8, 8] *= np.float32(1e8)
    shape = (c.y[0], c.y[1] // 2, c.y[2] // 2, c.filters)
    y, argmax = np.empty(shape, np.float32), np.empty(shape, np.uint8)
    settings: dict[str, Any] = {"convolution": c.options, "pooling": POOLING, "activation": kind}
    native.run(native.conv2d_pool(x, kernel, None, y, argmax, **settings, algorithm="winograd"))
    dy = normal(rng, shape)
    dy[2, 4, 4] *= np.float32(1e6)
    made = {}
    for how in ("winograd", "direct"):
        dx, dkernel, dbias = (np.empty(s, np.float32) for s in (c.x, c.kernel_shape, (c.filters,)))
        native.run(native.conv2d_pool_backward_input(dy, y, argmax, kernel, dx, **settings, algorithm=how))
        native.run(native.conv2d_pool_backward_kernel(x, dy, y, argmax, dkernel, dbias, **settings, algorithm=how))
        made[how] = dx, dkernel, dbias
    np.testing.assert_array_equal(made["winograd"][0][2], made["direct"][0][2])
    np.testing.assert_array_equal(made["winograd"][1], made["direct"][1])
    np.testing.assert_array_equal(made["winograd"][2], made["direct"][2])


def unseen(c: Conv, x: Array, places: list[tuple[int, int]], algorithm: str = "winograd") -> float:
    """Largest error of results beside those places, as a share of their root mean square; `places` are bright."""
    _, kernel = given(c)
    plain = forward(c, x, kernel, "direct").astype(np.float64)
    beside, reach = np.ones(plain.shape[1:3], bool), c.kernel[0] // 2
    for i, j in places:
        x[0, i, j] = np.float32(1e8)
        beside[max(i - reach, 0) : i + reach + 1, max(j - reach, 0) : j + reach + 1] = False
    difference = forward(c, x, kernel, algorithm)[0] - plain[0]
    return float(np.abs(difference[beside]).max(initial=0) / np.sqrt((plain[0] ** 2).mean()))


@pytest.mark.parametrize("edges", [(13, 14), (18, 15), (8, 8), (9, 9), (7, 7), (5, 6), (4, 4), (3, 5)])
def test_several_bright_pixels_or_a_line_do_not_pass_for_what_the_picture_is_like(edges: tuple[int, int]) -> None:
    """Also where a look at a few pixels finds nothing but bright ones."""
    h, w = edges
    c = Conv("3x3", (1, h, w, 9), (3, 3), 8, padding=SAME3)
    rng, looked_at = np.random.default_rng(0), [((2 * i + 1) * h // 8, (i * 3 % 4 * 2 + 1) * w // 8) for i in range(4)]
    sets = [[divmod(int(at), w) for at in rng.choice(h * w, n, replace=False)] for n in (1, 2, 2, 3) for _ in range(10)]
    sets += [[a, b] for a in looked_at for b in looked_at if a < b]
    sets += [[(i, j) for j in range(w)] for i in range(h)] + [[(i, j) for i in range(h)] for j in range(w)]
    sets = [places for places in sets if len(places) <= h * w // 4]
    assert sets and max(unseen(c, given(c)[0], places) for places in sets) < 1e-5


@pytest.mark.parametrize("grey", [False, True])
def test_a_bright_pixel_of_a_picture_that_is_zero_but_for_a_few(grey: bool) -> None:
    c = Conv("zeros", (1, 28, 28, 1 if grey else 8), (5, 5) if grey else (3, 3), 8, padding=NO_PADS if grey else SAME3)
    x, kernel = given(c)
    few = np.zeros_like(x)
    few[0, 7:11, 9:13] = x[0, 7:11, 9:13]
    algorithm = "winograd_rows" if grey else "winograd"
    plain = forward(c, few, kernel, "direct", True)
    few[0, 7, 14 if grey else 15] = np.float32(1e8)  # in a tile of results that do not need it
    beside = np.s_[:, :, :5] if grey else np.s_[:, :, :7]
    difference = forward(c, few, kernel, algorithm, True)[beside] - plain[beside]
    assert np.abs(difference).max() < 1e-5 * np.abs(plain).max()


@pytest.mark.parametrize("name", CONVS)
def test_a_bright_gradient_at_the_border_spoils_no_tap_that_does_not_see_it(name: str) -> None:
    """The picture's pixel beside it is padding, for the first row of taps."""
    c, algorithm = CONVS[name], name.partition("-")[0]
    x, _ = given(c)
    dy = normal(np.random.default_rng(6), c.y)
    made = {}
    for how, size in (("direct", 1), (algorithm, 1e8)):
        dy[0, 0, 5] *= np.float32(size)
        made[how] = np.empty(c.kernel_shape, np.float32)
        native.run(native.conv2d_backward_kernel(x, dy, made[how], **c.options, algorithm=how))
    np.testing.assert_allclose(made[algorithm][0], made["direct"][0], atol=1e-5 * np.abs(made["direct"]).max())


def test_a_pooled_gradient_is_judged_by_what_comes_through_its_activation() -> None:
    """All is saturated but for one pixel, so that only the product with the derivative shows the range."""
    c = CONVS["winograd"]
    _, kernel = given(c)
    shape = (c.y[0], c.y[1] // 2, c.y[2] // 2, c.filters)
    rng = np.random.default_rng(3)
    y, dy = np.full(shape, 1 - 2**-22, np.float32), normal(rng, shape)
    argmax = rng.integers(0, 4, shape).astype(np.uint8)
    settings: dict[str, Any] = {"convolution": c.options, "pooling": POOLING, "activation": "tanh"}
    plain, got = np.empty(c.x, np.float32), np.empty(c.x, np.float32)
    native.run(native.conv2d_pool_backward_input(dy, y, argmax, kernel, plain, **settings, algorithm="direct"))
    y[0, 3, 3] = 0
    native.run(native.conv2d_pool_backward_input(dy, y, argmax, kernel, got, **settings, algorithm="winograd"))
    beside = np.ones(c.x[1:3], bool)
    beside[5:9, 5:9] = False
    difference = (got - plain)[0][beside]
    assert np.abs(difference).max() < 1e-5 * np.sqrt((plain[0] ** 2).mean())


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("name", CONVS)
def test_what_is_no_number_goes_where_it_does_directly_in_gradients(name: str, value: float) -> None:
    """At corners, edges and between tiles, of pictures and of gradients."""
    c, algorithm = CONVS[name], name.partition("-")[0]
    clean, kernel = given(c)
    shape = (c.y[0], c.y[1] // 2, c.y[2] // 2, c.filters)
    settings: dict[str, Any] = {"convolution": c.options, "pooling": POOLING, "activation": "relu"}
    rng = np.random.default_rng(3)
    y, argmax = np.empty(shape, np.float32), np.empty(shape, np.uint8)
    native.run(native.conv2d_pool(clean, kernel, None, y, argmax, **settings, algorithm="direct"))
    for i, j in ((0, 0), (0, -1), (-1, 3), (3, 4), (-1, -1)):
        x, dy, pooled_dy, other_dy = clean.copy(), normal(rng, c.y), normal(rng, shape), normal(rng, c.y)
        x[0, i, j, 1] = dy[0, i, j, 2] = pooled_dy[0, i, j, 2] = value
        made = {}
        for how in (algorithm, "direct"):
            pooled = "winograd" if how == "winograd2" else how  # behind pooling there are no other tiles of 3x3
            dx, dk, other_dk, pooled_dx, pooled_dk = (
                np.empty(s, np.float32) for s in (c.x, c.kernel_shape, c.kernel_shape, c.x, c.kernel_shape)
            )
            with np.errstate(invalid="ignore"):
                native.run(native.conv2d_backward_input(dy, kernel, dx, **c.options, algorithm=how))
                native.run(native.conv2d_backward_kernel(x, other_dy, dk, **c.options, algorithm=how))
                native.run(native.conv2d_backward_kernel(clean, dy, other_dk, **c.options, algorithm=how))
                of = pooled_dy, y, argmax
                native.run(native.conv2d_pool_backward_input(*of, kernel, pooled_dx, **settings, algorithm=pooled))
                native.run(native.conv2d_pool_backward_kernel(x, *of, pooled_dk, None, **settings, algorithm=pooled))
            made[how] = [np.where(np.isfinite(a), 0, a) for a in (dx, dk, other_dk, pooled_dx, pooled_dk)]
        for got, expected in zip(made[algorithm], made["direct"], strict=True):
            np.testing.assert_array_equal(got, expected)
