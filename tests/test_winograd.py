"""Convolution by each algorithm that can be forced: agreement, threads, batches, what is written, what is chosen."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from agreement import check
from case import Case, Conv, given, guarded, sum_bound
from cases import CONVS, SAME3
from hypothesis import given as sample
from hypothesis import settings
from hypothesis import strategies as st

from pellucid.errors import BackendError
from pellucid.ops import native, reference
from pellucid.ops.geometry import Array

pytestmark = pytest.mark.skipif(not native.available, reason="the kernels are not built")

OPS = ("conv2d", "conv2d_backward_input", "conv2d_backward_kernel")
WINOGRAD = ("winograd", "winograd2")
CHANNELS = ((1, 1), (1, 16), (3, 30), (16, 3), (30, 36), (36, 45), (45, 46), (46, 72), (72, 1), (160, 176))
SIZES = ((1, 1), (2, 3), (4, 4), (7, 7), (13, 13), (5, 18))
SHAPES = (
    *(Conv(f"{c}to{o}", (2, 6, 9, c), (3, 3), o, padding=SAME3) for c, o in CHANNELS),
    *(Conv(f"{h}x{w}", (3, h, w, 20), (3, 3), 24, padding=SAME3) for h, w in SIZES),
    Conv("valid", (2, 9, 6, 16), (3, 3), 24),
    Conv("asymmetric", (2, 9, 6, 16), (3, 3), 24, padding=((0, 2), (1, 0))),
    Conv("wide-pads", (1, 3, 2, 8), (3, 3), 16, padding=((5, 4), (3, 6))),
    Conv("many-pictures", (40, 9, 9, 12), (3, 3), 20, padding=SAME3),
    Conv("many-pictures-deep", (30, 8, 9, 144), (3, 3), 136, padding=SAME3),
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


@pytest.mark.parametrize("algorithm", WINOGRAD)
@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("c", SHAPES + tuple(NAMED), ids=lambda c: c.name)
def test_winograd_agrees_with_the_truth(c: Conv, op: str, algorithm: str) -> None:
    run(c, op, algorithm, *c.bounds[op])


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("c", NAMED, ids=lambda c: c.name)
def test_direct_keeps_the_bound_of_a_plain_sum(c: Conv, op: str) -> None:
    terms = {
        "conv2d": 9 * c.x[3] + 1,
        "conv2d_backward_input": 9 * c.filters,
        "conv2d_backward_kernel": math.prod(c.y[:3]),
    }
    run(c, op, "direct", "linear", sum_bound(terms[op]))


@st.composite
def geometries(draw: st.DrawFn) -> Conv:
    height, width, channels, filters = (draw(st.integers(1, most)) for most in (15, 15, 80, 80))
    pads = tuple((draw(st.integers(0, 3)), draw(st.integers(0, 3))) for _ in range(2))
    (top, bottom), (left, right) = pads
    size = max(height, 3 - top - bottom), max(width, 3 - left - right)
    return Conv("random", (draw(st.integers(1, 4)), *size, channels), (3, 3), filters, padding=pads)  # type: ignore[arg-type]


@settings(max_examples=60, deadline=None)
@sample(geometries(), st.sampled_from(WINOGRAD))
def test_winograd_agrees_on_random_geometries(c: Conv, algorithm: str) -> None:
    for op in OPS:
        run(c, op, algorithm, *c.bounds[op])


@pytest.mark.parametrize("kind", ["relu", "leaky_relu", "sigmoid", "tanh"])
@pytest.mark.parametrize("algorithm", WINOGRAD)
def test_bias_and_activation_ride_on_the_way_out(algorithm: str, kind: str) -> None:
    c = Conv("epilogue", (2, 9, 6, 12), (3, 3), 21, padding=SAME3)
    (x, kernel, bias), options = builds(c)["conv2d"](np.random.default_rng(1))
    y, plain, expected = (np.empty(c.y, np.float32) for _ in range(3))
    native.run(native.conv2d(x, kernel, bias, y, **options, activation=kind, slope=0.3, algorithm=algorithm))
    native.run(native.conv2d(x, kernel, bias, plain, **options, algorithm=algorithm))
    reference.activation(plain, expected, kind, slope=0.3)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)  # the compiler may fuse the bias differently


@pytest.mark.parametrize("algorithm", WINOGRAD)
@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("name", ["many-pictures", "many-pictures-deep"])
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
    large = native.Program([step_of(op, args, options, whole, algorithm)])
    large.run(3)
    native.run(step_of(op, tuple(fewer), options, small, algorithm))
    np.testing.assert_array_equal(whole[: len(small)], small)
    large.run(0)
    if op != "conv2d_backward_kernel":
        assert np.isnan(whole[3:]).all(), "wrote past the batch"
        assert out[:3].tobytes() == small.tobytes(), "a picture's result depends on its batch"
    else:
        assert not whole.any()


def test_no_algorithm_where_it_does_not_apply() -> None:
    x, y = np.zeros((1, 8, 8, 4), np.float32), np.zeros((1, 3, 3, 4), np.float32)
    kernel, options = np.zeros((3, 3, 4, 4), np.float32), {"strides": (2, 2), "padding": ((0, 0), (0, 0))}
    with pytest.raises(BackendError, match=r"'winograd' needs a 3x3 kernel, stride 1.* got 3x3, strides \(2, 2\)"):
        native.conv2d(x, kernel, None, y, **options, algorithm="winograd")
    with pytest.raises(BackendError, match="unknown algorithm 'fft'; known: auto, direct, winograd, winograd2"):
        native.conv2d_backward_input(y, kernel, x, **options, algorithm="fft")
    assert native.conv2d_algorithm(native.conv2d_backward_kernel(x, y, kernel, **options)) == "direct"
    assert native.conv2d_algorithm(native.zero(x)) == "auto"


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
