"""Convolution by each algorithm that can be forced: agreement, threads, batches, what is written, what is chosen."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from agreement import check
from case import Case, Conv, given, guarded, normal
from hypothesis import assume, settings
from hypothesis import given as sample
from hypothesis import strategies as st
from sizes import CONVS, SAME3

from pellucid.errors import BackendError
from pellucid.ops import native, reference
from pellucid.ops.geometry import NO_PADS, Array, Pooling

pytestmark = pytest.mark.skipif(not native.available, reason="the kernels are not built")

OPS = ("conv2d", "conv2d_backward_input", "conv2d_backward_kernel")
WINOGRAD = ("winograd", "winograd2")
CHANNELS = ((1, 1), (1, 16), (3, 30), (16, 3), (30, 36), (36, 45), (45, 46), (46, 72), (72, 1), (160, 176))
SIZES = ((1, 1), (2, 3), (4, 4), (7, 7), (13, 13), (5, 18))
WIDE_CHANNELS = ((8, 16), (30, 36), (46, 72), (96, 88))
SAME5 = ((2, 2), (2, 2))
SHAPES = (
    *(Conv(f"{c}to{o}", (2, 6, 9, c), (3, 3), o, padding=SAME3) for c, o in CHANNELS),
    *(Conv(f"{h}x{w}", (3, h, w, 20), (3, 3), 24, padding=SAME3) for h, w in SIZES),
    Conv("valid", (2, 9, 6, 16), (3, 3), 24),
    Conv("asymmetric", (2, 9, 6, 16), (3, 3), 24, padding=((0, 2), (1, 0))),
    Conv("wide-pads", (1, 3, 2, 8), (3, 3), 16, padding=((5, 4), (3, 6))),
    Conv("grouped", (2, 9, 6, 24), (3, 3), 36, padding=SAME3, groups=3),
    Conv("grouped-deep", (2, 5, 7, 160), (3, 3), 152, padding=SAME3, groups=2),
    *(
        Conv(f"5x5-{c}to{o}", (2, 9, 6, c), (5, 5), o, padding=SAME5)
        for c, o in ((8, 16), (30, 36), (46, 72), (96, 88))
    ),
    Conv("5x5-valid", (2, 9, 7, 16), (5, 5), 24),
    Conv("5x5-asymmetric", (2, 9, 6, 16), (5, 5), 24, padding=((0, 4), (3, 1))),
    Conv("5x5-grouped", (2, 9, 6, 24), (5, 5), 48, padding=SAME5, groups=2),
    Conv("5x5-deep", (1, 6, 7, 144), (5, 5), 136, padding=SAME5),
    Conv("one-filter", (2, 11, 10, 6), (3, 3), 1, padding=((0, 1), (3, 3))),
    Conv("many-pictures", (40, 9, 9, 12), (3, 3), 20, padding=SAME3),
    Conv("many-pictures-wide", (30, 8, 9, 144), (3, 3), 136, padding=SAME3),
    Conv("many-pictures-deep", (30, 8, 9, 208), (3, 3), 200, padding=SAME3),
    Conv("many-pictures-of-a-tile", (32, 4, 3, 136), (3, 3), 144, padding=SAME3),
    Conv("many-pictures-of-a-tile-deep", (32, 4, 4, 200), (3, 3), 192, padding=SAME3),
    *(Conv(f"few-tiles-{h}x{w}", (1, h, w, 200), (3, 3), 192, padding=SAME3) for h, w in ((3, 4), (4, 5), (7, 7))),
)
NAMED = [c for c in CONVS if c.winograd]


def builds(c: Conv) -> dict[str, Any]:
    return {
        "conv2d": given(c.x, c.kernel_shape, (c.filters,), **c.options),
        "conv2d_backward_input": given(c.y, c.kernel_shape, rest=[c.x], **c.options),
        "conv2d_backward_kernel": given(c.x, c.y, rest=[c.kernel_shape], **c.options),
    }


def result(c: Conv, op: str) -> tuple[int, ...]:
    return {"conv2d": c.y, "conv2d_backward_input": c.x, "conv2d_backward_kernel": c.kernel_shape}[op]


def step_of(op: str, args: tuple[Any, ...], options: dict[str, Any], out: Array, algorithm: str) -> Any:
    arrays = [array for array in args if isinstance(array, np.ndarray)]
    return getattr(native, op)(*arrays, out, **options, algorithm=algorithm)


def run(c: Conv, op: str, algorithm: str, kind: str, bound: float) -> None:
    case = Case(op, c.name, builds(c)[op], kind, bound)
    args, options = case.arguments()
    out, untouched = guarded(result(c, op), np.float32)
    step = step_of(op, args, options, out, algorithm)
    assert native.conv2d_algorithm(step) == algorithm
    native.run(step)
    assert untouched()
    check(case, (out,))


def applying(shapes: Iterable[Conv]) -> list[Any]:
    """Each geometry with each algorithm it can be forced to; F(2x2) is for 3x3 kernels alone."""
    pairs = [(c, algorithm) for c in shapes for algorithm in WINOGRAD[: 2 if c.kernel == (3, 3) else 1]]
    return [pytest.param(c, algorithm, id=f"{c.name}-{algorithm}") for c, algorithm in pairs]


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize(("c", "algorithm"), applying(SHAPES + tuple(NAMED)))
def test_winograd_agrees_with_the_truth(c: Conv, op: str, algorithm: str) -> None:
    run(c, op, algorithm, *c.bounds_of(algorithm)[op])


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("c", NAMED, ids=lambda c: c.name)
def test_direct_keeps_the_bound_of_a_plain_sum(c: Conv, op: str) -> None:
    run(c, op, "direct", *c.bounds_of("direct")[op])


@st.composite
def geometries(draw: st.DrawFn) -> Conv:
    kernel, groups = draw(st.sampled_from([3, 3, 5])), draw(st.sampled_from([1, 1, 2]))
    # In a picture smaller than a tile the tile's other results, which nobody sees, may be larger than those that count,
    # and so may their roundings: such pictures are in SHAPES, by name.
    height, width = (draw(st.integers(4, 15)) for _ in range(2))
    channels, filters = (groups * draw(st.integers(1 if kernel == 3 else 8, 80 // groups)) for _ in range(2))
    pads = tuple((draw(st.integers(0, kernel)), draw(st.integers(0, kernel))) for _ in range(2))
    (top, bottom), (left, right) = pads
    size = max(height, kernel + 3 - top - bottom), max(width, kernel + 3 - left - right)
    shape = (draw(st.integers(1, 4)), *size, channels)
    return Conv("random", shape, (kernel, kernel), filters, padding=pads, groups=groups)  # type: ignore[arg-type]


@settings(max_examples=90, deadline=None)
@sample(geometries(), st.sampled_from(("direct", *WINOGRAD)))
def test_every_algorithm_agrees_on_random_geometries(c: Conv, algorithm: str) -> None:
    assume(algorithm != "winograd2" or c.kernel == (3, 3))
    for op in OPS:
        run(c, op, algorithm, *c.bounds_of(algorithm)[op])


POOLING: Pooling = {"pool_size": (2, 2), "strides": (2, 2), "padding": NO_PADS}


def run_pooled(c: Conv, kind: str, algorithm: str) -> None:
    """Forward is convolution by the same algorithm, then pooling; the gradients agree with the truth."""
    rng = np.random.default_rng(3)
    options = {"activation": kind, "slope": 0.3}
    pooled = {"convolution": c.options, "pooling": POOLING, **options}
    small = 0.3 / math.sqrt(math.prod(c.kernel_shape[:3]))  # a tanh's 1 - y^2 must not cancel
    x, kernel, bias = (normal(rng, *each) for each in ((c.x,), (c.kernel_shape, small), ((c.filters,), small)))
    shape = (c.y[0], c.y[1] // 2, c.y[2] // 2, c.filters)
    (y, y_whole), (argmax, argmax_whole) = guarded(shape, np.float32), guarded(shape, np.uint8)
    step = native.conv2d_pool(x, kernel, bias, y, argmax, **pooled, algorithm=algorithm)
    assert native.conv2d_algorithm(step) == algorithm
    native.run(step)
    assert y_whole()
    assert argmax_whole()
    unpooled = np.empty(c.y, np.float32)
    native.run(native.conv2d(x, kernel, bias, unpooled, **c.options, **options, algorithm=algorithm))
    n, h, w, o = shape
    windows = unpooled[:, : 2 * h, : 2 * w].reshape(n, h, 2, w, 2, o).transpose(2, 4, 0, 1, 3, 5).reshape(4, *shape)
    close = {"rtol": 1e-5, "atol": 1e-5}  # the compiler may fuse the bias differently
    np.testing.assert_allclose(y, windows.max(axis=0), **close)
    placed = argmax != 255
    assert (placed == (y > 0)).all() if kind == "relu" else placed.all()
    named = np.take_along_axis(windows, np.where(placed, argmax, 0)[None].astype(np.int64), axis=0)[0]
    np.testing.assert_allclose(named[placed], y[placed], **close)

    dy = normal(rng, shape)
    made = {
        "conv2d_max_pool2d_backward_kernel": (((x, dy, y, argmax, c.kernel_shape), pooled), c.kernel_shape),
        "conv2d_max_pool2d_backward_input": (((dy, y, argmax, kernel, c.x), pooled), c.x),
    }
    for op, (arguments, out_shape) in made.items():
        out, untouched = guarded(out_shape, np.float32)
        if op.endswith("kernel"):
            dbias = np.empty(c.filters, np.float32)
            step = native.conv2d_pool_backward_kernel(x, dy, y, argmax, out, dbias, **pooled, algorithm=algorithm)
            results: tuple[Array, ...] = (out, dbias)
        else:
            step = native.conv2d_pool_backward_input(dy, y, argmax, kernel, out, **pooled, algorithm=algorithm)
            results = (out,)
        native.run(step)
        assert untouched()
        how, bound = c.bounds_of(algorithm)[op.replace("_max_pool2d", "")]
        if how == "tiles":  # one in four of the unpooled dy is not zero: sizes fall by four, roundings by two
            bound *= 2
        check(Case(op, c.name, lambda rng, arguments=arguments: arguments, how, bound), results)  # type: ignore[misc]


@pytest.mark.parametrize("kind", ["linear", "relu", "leaky_relu", "tanh"])
@pytest.mark.parametrize(("c", "algorithm"), applying(c for c in SHAPES if min(c.x[1:3]) > 1))
def test_pooled_winograd_agrees(c: Conv, algorithm: str, kind: str) -> None:
    run_pooled(c, kind, algorithm)


@settings(max_examples=40, deadline=None)
@sample(geometries(), st.sampled_from(WINOGRAD), st.sampled_from(["linear", "relu", "sigmoid"]))
def test_pooled_winograd_agrees_on_random_geometries(c: Conv, algorithm: str, kind: str) -> None:
    assume(algorithm == "winograd" or c.kernel == (3, 3))
    run_pooled(c, kind, algorithm)


@pytest.mark.parametrize("kind", ["relu", "leaky_relu", "sigmoid", "tanh"])
@pytest.mark.parametrize("algorithm", WINOGRAD)
def test_bias_and_activation_ride_on_the_way_out(algorithm: str, kind: str) -> None:
    c = Conv("epilogue", (2, 9, 6, 12), (3, 3), 21, padding=SAME3)
    (x, kernel, bias), options = builds(c)["conv2d"](np.random.default_rng(1))
    y, plain, expected = (np.empty(c.y, np.float32) for _ in range(3))
    native.run(native.conv2d(x, kernel, bias, y, **options, activation=kind, slope=0.3, algorithm=algorithm))
    native.run(native.conv2d(x, kernel, bias, plain, **options, algorithm=algorithm))
    reference.nonlinear.activation(plain, expected, kind, slope=0.3)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)  # the compiler may fuse the bias differently


@pytest.mark.parametrize("algorithm", WINOGRAD)
@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("name", [c.name for c in SHAPES if c.name.startswith("many-pictures")])
def test_same_bits_for_any_number_of_threads_and_any_larger_program(name: str, op: str, algorithm: str) -> None:
    c = next(shape for shape in SHAPES if shape.name == name)
    args, options = builds(c)[op](np.random.default_rng(2))
    before, results = native.num_threads(), []
    try:
        for threads in (1, 2, 3, 8):
            native.set_num_threads(threads)
            out = np.full(result(c, op), np.nan, np.float32)
            native.Program([step_of(op, args, options, out, algorithm)]).run()
            results.append(out.tobytes())
    finally:
        native.set_num_threads(before)
    assert results[1:] == results[:1] * 3
    fewer = [array[:3] if array.shape[0] == c.x[0] else array for array in args if isinstance(array, np.ndarray)]
    whole, small = np.full((2, *result(c, op)), np.nan, np.float32)
    if op != "conv2d_backward_kernel":
        small = small[:3]
    native.run(step_of(op, tuple(fewer), options, small, algorithm))
    for fixed in (True, False):
        large = native.Program([step_of(op, args, options, whole, algorithm)], fixed_weights=fixed)
        large.run(3)
        np.testing.assert_array_equal(whole[: len(small)], small)
    large.run(0)
    if op != "conv2d_backward_kernel":
        assert np.isnan(whole[3:]).all(), "wrote past the batch"
        assert out[:3].tobytes() == small.tobytes(), "a picture's result depends on its batch"
    else:
        assert not whole.any()


def test_direct_convolution_can_be_asked_for() -> None:
    x, y = np.zeros((1, 16, 16, 36), np.float32), np.zeros((1, 16, 16, 72), np.float32)
    kernel, options = np.zeros((3, 3, 36, 72), np.float32), {"strides": (1, 1), "padding": SAME3}
    with native.direct_convolution():
        assert native.conv2d_choice(x, kernel, **options) == "direct"
        step = native.conv2d(x, kernel, None, y, **options)
        forced = native.conv2d(x, kernel, None, y, **options, algorithm="winograd2")
    assert native.conv2d_algorithm(step) == "direct" and native.conv2d_algorithm(forced) == "winograd2"
    after = native.conv2d(x, kernel, None, y, **options)
    assert native.conv2d_choice(x, kernel, **options) == native.conv2d_algorithm(after) == "winograd"


def test_no_algorithm_where_it_does_not_apply() -> None:
    x, y = np.zeros((1, 8, 8, 4), np.float32), np.zeros((1, 3, 3, 4), np.float32)
    kernel, options = np.zeros((3, 3, 4, 4), np.float32), {"strides": (2, 2), "padding": ((0, 0), (0, 0))}
    with pytest.raises(BackendError, match=r"'winograd' needs a 3x3 or 5x5 kernel.* got 3x3, strides \(2, 2\)"):
        native.conv2d(x, kernel, None, y, **options, algorithm="winograd")
    with pytest.raises(BackendError, match="unknown algorithm 'fft'; known: auto, direct, winograd, winograd2"):
        native.conv2d_backward_input(y, kernel, x, **options, algorithm="fft")
    pooled = {
        "convolution": {"strides": (1, 1), "padding": ((0, 0), (0, 0))},
        "pooling": {**POOLING, "pool_size": (3, 3)},
    }
    with pytest.raises(BackendError, match="'winograd' needs max pooling 2x2, stride 2, without padding"):
        native.conv2d_pool(x, kernel, None, np.zeros((1, 2, 2, 4), np.float32), None, **pooled, algorithm="winograd")
    assert native.conv2d_algorithm(native.conv2d_backward_kernel(x, y, kernel, **options)) == "direct"
    assert native.conv2d_algorithm(native.add(x, x.copy())) == "auto"


@pytest.mark.parametrize(
    ("size", "channels", "filters", "expected"),
    [(28, 3, 64, "direct"), (56, 64, 64, "winograd"), (16, 36, 72, "winograd"), (7, 512, 512, "winograd"),
     (2, 64, 64, "winograd2"), (28, 1, 32, "direct")],
)  # fmt: skip
def test_the_choice_depends_on_shape_alone(size: int, channels: int, filters: int, expected: str) -> None:
    if native.instruction_set() != "avx2":
        pytest.skip("the examples are AVX2's")
    for n in (1, 40):
        x, y = np.zeros((n, size, size, channels), np.float32), np.zeros((n, size, size, filters), np.float32)
        kernel = np.zeros((3, 3, channels, filters), np.float32)
        step = native.conv2d(x, kernel, None, y, strides=(1, 1), padding=SAME3)
        assert native.conv2d_algorithm(step) == expected
