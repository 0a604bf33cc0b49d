"""Convolution + addend + activation as one step: what three give, by every algorithm, and what the twin does.

With a scale of its filters as with filters that were scaled before. The gradient of the input + the gradient by another
way likewise.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from case import Conv, normal, size_name
from groups import grouped
from sizes import CONVS, SAME3
from test_winograd import SHAPES

from pellucid.ops import native
from pellucid.ops.geometry import Array
from pellucid.ops.reference.conv import conv2d as twin
from pellucid.ops.reference.conv import conv2d_backward_input as input_twin

KINDS = ("linear", "relu", "leaky_relu", "tanh")


def algorithms(c: Conv) -> list[str]:
    if c.kernel not in ((3, 3), (5, 5)) or c.strides != (1, 1) or c.dilation != (1, 1):
        return ["direct"]
    return ["direct", "winograd", *(["winograd2"] if c.kernel == (3, 3) else [])]


def arguments(c: Conv) -> tuple[Array, Array, Array, Array]:
    rng = np.random.default_rng(6)
    return normal(rng, c.x), normal(rng, c.kernel_shape), normal(rng, (c.filters,)), normal(rng, c.y)


@pytest.mark.skipif(not native.available, reason="the kernels are not built")
@grouped("c", [*CONVS, *SHAPES], by=lambda c: size_name(c.kernel))
@pytest.mark.parametrize("kind", KINDS)
def test_one_step_gives_what_three_do(c: Conv, kind: str) -> None:
    x, kernel, bias, addend = arguments(c)
    for algorithm in algorithms(c):
        one, three = (np.full(c.y, np.nan, np.float32) for _ in range(2))
        options: dict[str, Any] = {**c.options, "algorithm": algorithm}
        native.run(native.conv2d(x, kernel, bias, three, **options))
        native.run(native.add(addend, three))
        native.run(native.activation(three, three, kind, slope=0.3))
        native.run(native.conv2d(x, kernel, bias, one, **options, activation=kind, slope=0.3, addend=addend))
        # a tanh is compiled anew in each loop, and its products may be fused with other sums: an ulp
        np.testing.assert_allclose(one, three, rtol=3e-7 if kind == "tanh" else 0, atol=0)


@pytest.mark.skipif(not native.available, reason="the kernels are not built")
@grouped("c", [*CONVS, *SHAPES], by=lambda c: size_name(c.kernel))
@pytest.mark.parametrize("fixed_weights", [False, True])
def test_filters_are_scaled_as_they_are_read(c: Conv, fixed_weights: bool) -> None:
    x, kernel, bias, _ = arguments(c)
    scale = np.random.default_rng(8).uniform(-2, 2, c.filters).astype(np.float32)
    for algorithm in (*algorithms(c), "auto"):
        inside, before = (np.full(c.y, np.nan, np.float32) for _ in range(2))
        options: dict[str, Any] = {**c.options, "algorithm": algorithm}
        native.run(native.conv2d(x, kernel * scale, bias, before, **options))
        native.Program(
            [native.conv2d(x, kernel, bias, inside, **options, scale=scale)], fixed_weights=fixed_weights
        ).run()
        np.testing.assert_array_equal(inside, before)


@pytest.mark.skipif(not native.available, reason="the kernels are not built")
def test_a_picture_computed_again_is_added_to_once() -> None:
    """One out of Winograd's range runs twice, and the second time directly."""
    c = Conv("range", (3, 9, 8, 16), (3, 3), 24, padding=SAME3)
    x, kernel, bias, addend = arguments(c)
    x[1, 4, 4, 2] = 1e6
    before, y, wanted = native.recomputed(), np.empty(c.y, np.float32), np.empty(c.y, np.float32)
    native.run(native.conv2d(x, kernel, bias, y, **c.options, algorithm="winograd", activation="relu", addend=addend))
    assert native.recomputed() == before + 1
    twin(x, kernel, bias, wanted, **c.options, activation="relu", addend=addend)
    np.testing.assert_allclose(y[1], wanted[1], rtol=1e-4, atol=2)
    np.testing.assert_allclose(y[[0, 2]], wanted[[0, 2]], rtol=1e-4, atol=1e-3)
    scale = np.random.default_rng(8).uniform(-2, 2, c.filters).astype(np.float32)
    native.run(native.conv2d(x, kernel, bias, y, **c.options, algorithm="winograd", scale=scale))
    twin(x, kernel, bias, wanted, **c.options, scale=scale)
    np.testing.assert_allclose(y[1], wanted[1], rtol=1e-4, atol=4)
    np.testing.assert_allclose(y[[0, 2]], wanted[[0, 2]], rtol=1e-4, atol=2e-3)


@pytest.mark.skipif(not native.available, reason="the kernels are not built")
@grouped("c", [*CONVS, *SHAPES], by=lambda c: size_name(c.kernel))
def test_a_gradient_is_added_as_by_a_step_of_its_own(c: Conv) -> None:
    _, kernel, _, dy = arguments(c)
    addend, twins = normal(np.random.default_rng(7), c.x), np.empty(c.x, np.float32)
    for algorithm in algorithms(c):
        one, two = (np.full(c.x, np.nan, np.float32) for _ in range(2))
        options: dict[str, Any] = {**c.options, "algorithm": algorithm}
        native.run(native.conv2d_backward_input(dy, kernel, two, **options))
        native.run(native.add(addend, two))
        native.run(native.conv2d_backward_input(dy, kernel, one, **options, addend=addend))
        np.testing.assert_array_equal(one, two)
    input_twin(dy, kernel, two, **c.options)
    input_twin(dy, kernel, twins, **c.options, addend=addend)
    np.testing.assert_array_equal(twins, two + addend)


@pytest.mark.skipif(not native.available, reason="the kernels are not built")
def test_a_gradient_computed_again_is_added_to_once() -> None:
    c = Conv("range", (3, 9, 8, 16), (3, 3), 24, padding=SAME3)
    _, kernel, _, dy = arguments(c)
    dy[1, 4, 4, 2] = 1e6
    addend, dx, wanted = normal(np.random.default_rng(7), c.x), np.empty(c.x, np.float32), np.empty(c.x, np.float32)
    before = native.recomputed()
    native.run(native.conv2d_backward_input(dy, kernel, dx, **c.options, algorithm="winograd", addend=addend))
    assert native.recomputed() == before + 1
    input_twin(dy, kernel, wanted, **c.options, addend=addend)
    np.testing.assert_allclose(dx[1], wanted[1], rtol=1e-4, atol=2)
    np.testing.assert_allclose(dx[[0, 2]], wanted[[0, 2]], rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_the_twin_adds_before_the_activation(kind: str) -> None:
    c = Conv("twin", (2, 5, 4, 3), (3, 2), 4)
    x, kernel, bias, addend = arguments(c)
    y, plain = np.empty(c.y, np.float32), np.empty(c.y, np.float32)
    twin(x, kernel, bias, plain, **c.options)
    twin(x, kernel, bias, y, **c.options, activation=kind, slope=0.3, addend=addend)
    z = plain + addend
    f = {"linear": z, "relu": np.maximum(z, 0), "leaky_relu": np.where(z < 0, 0.3 * z, z), "tanh": np.tanh(z)}
    np.testing.assert_allclose(y, f[kind], rtol=1e-6, atol=1e-6)
