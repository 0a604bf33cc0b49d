"""Sizes against counting by hand, TensorFlow's published rule, and the numbers of the book and the papers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.errors import ConfigError, ShapeError
from pellucid.ops import geometry, macs
from pellucid.ops.geometry import Pads, Pair
from pellucid.ops.receptive_field import ReceptiveField

sizes = st.tuples(st.integers(1, 30), st.integers(1, 30))
smalls = st.tuples(st.integers(1, 6), st.integers(1, 6))
pads = st.tuples(st.tuples(st.integers(0, 4), st.integers(0, 4)), st.tuples(st.integers(0, 4), st.integers(0, 4)))


def positions(length: int, taps: int, stride: int, before: int, after: int, dilation: int) -> int:
    """How many windows fit, counted one by one."""
    count, start = 0, -before
    while start + (taps - 1) * dilation < length + after:
        count, start = count + 1, start + stride
    return count


@given(sizes, smalls, smalls, pads, smalls)
def test_output_size_is_the_number_of_windows_that_fit(
    size: Pair, kernel: Pair, strides: Pair, padding: Pads, dilation: Pair
) -> None:
    counted = tuple(
        positions(size[axis], kernel[axis], strides[axis], *padding[axis], dilation[axis]) for axis in (0, 1)
    )
    if min(counted) == 0:
        with pytest.raises(ShapeError, match="needs at least"):
            geometry.output_size(size, kernel, strides, padding, dilation)
    else:
        assert geometry.output_size(size, kernel, strides, padding, dilation) == counted


@given(sizes, smalls, smalls, pads, smalls)
def test_the_least_input_an_error_names_is_the_least(
    size: Pair, kernel: Pair, strides: Pair, padding: Pads, dilation: Pair
) -> None:
    try:
        geometry.output_size(size, kernel, strides, padding, dilation)
    except ShapeError as error:
        words = str(error).split("needs at least ")[1].split()[0].split("x")
        least = (int(words[0]), int(words[1]))
        assert geometry.output_size(least, kernel, strides, padding, dilation)
        assert least[0] > size[0] or least[1] > size[1]


@given(sizes, smalls, smalls, smalls)
def test_same_gives_the_ceiling_with_the_least_padding_and_the_odd_row_below(
    size: Pair, kernel: Pair, strides: Pair, dilation: Pair
) -> None:
    padding = geometry.resolve_padding("same", size, kernel, strides, dilation)
    assert geometry.output_size(size, kernel, strides, padding, dilation) == tuple(
        -(-length // stride) for length, stride in zip(size, strides, strict=True)
    )
    for axis, (before, after) in enumerate(padding):
        assert after - before in (0, 1)
        if after:
            counted = positions(size[axis], kernel[axis], strides[axis], before, after - 1, dilation[axis])
            assert counted < -(-size[axis] // strides[axis])


@pytest.mark.parametrize(
    ("size", "kernel", "strides", "padding", "expected"),
    [
        ((28, 28), (5, 5), (1, 1), "valid", (24, 24)),  # the book's SimpleConvNet
        ((7, 7), (5, 5), (1, 1), 0, (3, 3)),  # the book's im2col example
        ((227, 227), (11, 11), (4, 4), "valid", (55, 55)),  # AlexNet
        ((224, 224), (11, 11), (4, 4), 2, (55, 55)),  # AlexNet as torchvision has it
        ((55, 55), (3, 3), (2, 2), "valid", (27, 27)),  # its overlapping pooling
        ((224, 224), (3, 3), (1, 1), "same", (224, 224)),  # VGG-16
        ((28, 31), (3, 3), (1, 1), 1, (28, 31)),  # the book's (H + 2P - FH)/S + 1, not square
        ((50, 50), (2, 2), (1, 1), "valid", (49, 49)),
    ],
)
def test_published_sizes(size: Pair, kernel: Pair, strides: Pair, padding: object, expected: Pair) -> None:
    resolved = geometry.resolve_padding(padding, size, kernel, strides)
    assert geometry.output_size(size, kernel, strides, resolved) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(3, (3, 3)), ((2, 5), (2, 5)), ([2, 5], (2, 5)), (np.int64(4), (4, 4)), (np.array([1, 2]), (1, 2))],
)
def test_pair(value: object, expected: Pair) -> None:
    result = geometry.pair(value, "strides")
    assert result == expected
    assert all(type(item) is int for item in result)


@pytest.mark.parametrize("value", [0, -1, 1.0, True, "3", None, (1,), (1, 2, 3), (1, 0), (1, 2.5), (True, 1), {1, 2}])
def test_pair_refuses_and_says_what_it_got(value: object) -> None:
    with pytest.raises(ConfigError, match="kernel_size") as error:
        geometry.pair(value, "kernel_size")
    assert repr(value) in str(error.value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("valid", "valid"),
        ("VALID", "valid"),
        ("Same", "same"),
        (0, ((0, 0), (0, 0))),
        (2, ((2, 2), (2, 2))),
        ((1, 2), ((1, 1), (2, 2))),
        ([[0, 1], [2, 3]], ((0, 1), (2, 3))),
        (((0, 1), (2, 3)), ((0, 1), (2, 3))),
    ],
)
def test_padding(value: object, expected: object) -> None:
    assert geometry.standardize_padding(value) == expected


@pytest.mark.parametrize(
    "value", ["vaild", "", -1, 1.0, None, True, (1,), (1, -1), (1, 2, 3), ((1, 2), 3), ((0, -1), (0, 0))]
)
def test_padding_refuses_and_says_what_it_got(value: object) -> None:
    with pytest.raises(ConfigError, match="padding") as error:
        geometry.standardize_padding(value)
    assert repr(value) in str(error.value)


def test_conv2d_shape() -> None:
    assert geometry.conv2d_shape((2, 9, 8, 6), (3, 2, 3, 4), (2, 1), ((1, 1), (0, 0)), (1, 2), 2) == (2, 5, 6, 4)


@pytest.mark.parametrize(
    ("x", "kernel", "groups", "words"),
    [
        ((9, 8, 6), (3, 3, 6, 4), 1, r"\(N, H, W, C\).*\(9, 8, 6\)"),
        ((1, 9, 8, 6), (3, 3, 6), 1, "kernel"),
        ((1, 9, 8, 6), (3, 3, 3, 4), 1, "expects 3 input channels, got 6"),
        ((1, 9, 8, 6), (3, 3, 3, 5), 2, "5 filters do not divide into 2 groups"),
        ((1, 4, 4, 6), (5, 5, 6, 4), 1, "window 5x5 needs at least 5x5 input, got 4x4.*same"),
        ((1, 9, 8, 6), (3, 3, 6, 4), 0, "groups"),
    ],
)
def test_conv2d_shape_refuses(x: Any, kernel: Any, groups: int, words: str) -> None:
    with pytest.raises(ShapeError, match=words):
        geometry.conv2d_shape(x, kernel, groups=groups)


def test_a_window_of_padding_alone_is_refused() -> None:
    with pytest.raises(ConfigError, match="smaller than the window 2x2"):
        geometry.pool2d_shape((1, 4, 4, 1), (2, 2), (2, 2), ((0, 2), (0, 0)))


def test_published_macs() -> None:
    # VGG-16's convolutions, Simonyan & Zisserman 2015, configuration D: 15.3 G multiply-accumulates
    sizes = [(224, 3, 64), (224, 64, 64), (112, 64, 128), (112, 128, 128), (56, 128, 256), (56, 256, 256)]
    sizes += [(56, 256, 256), (28, 256, 512), (28, 512, 512), (28, 512, 512), *[(14, 512, 512)] * 3]
    total = sum(macs.conv2d_macs((size, size, o), (3, 3, c, o)) for size, c, o in sizes)
    assert total == 15_346_630_656
    # grouped: AlexNet's second layer does half the work of an ungrouped one
    assert macs.conv2d_macs((27, 27, 256), (5, 5, 48, 256)) * 2 == macs.conv2d_macs((27, 27, 256), (5, 5, 96, 256))
    assert macs.dense_macs((10, 100), (4320, 100)) == 10 * 4320 * 100
    assert macs.activation_bytes((24, 24, 30)) == 69_120


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 3), st.integers(1, 3)), min_size=1, max_size=4))
def test_receptive_field_by_tracing_back_one_value(steps: list[tuple[int, int, int]]) -> None:
    field = ReceptiveField()
    for kernel, stride, dilation in steps:
        field = field.step((kernel, 1), (stride, 1), (dilation, 1))
    spans = []
    for position in (0, 1):
        first = last = position
        for kernel, stride, dilation in reversed(steps):
            first, last = first * stride, last * stride + (kernel - 1) * dilation
        spans.append((first, last))
    assert field.size == (spans[0][1] - spans[0][0] + 1, 1)
    assert field.jump == (spans[1][0] - spans[0][0], 1)


def test_vgg16_sees_212_pixels() -> None:
    # Araujo, Norris & Sim 2019, table 1: VGG-16's last pooling, 212
    field = ReceptiveField()
    for convolutions in (2, 2, 3, 3, 3):
        for _ in range(convolutions):
            field = field.step((3, 3))
        field = field.step((2, 2), (2, 2))
    assert field.size == (212, 212)
    assert field.jump == (32, 32)
