"""What convolution and pooling share: a window that slides, and how it is described."""

from __future__ import annotations

from typing import Any

from pellucid.errors import ShapeError
from pellucid.layers.layer import Layer
from pellucid.ops import Pair, Shape
from pellucid.ops.geometry import (
    Padding,
    expect_numbers,
    least_input,
    output_size,
    padded_shape,
    pair,
    standardize_padding,
)


class Windowed(Layer):
    """A layer whose window slides over pictures. Its sizes are pairs, (rows, columns); a series' first is 1."""

    strides: Pair
    padding: Padding

    def window(self) -> tuple[Pair, Pair, Pair]:
        raise NotImplementedError

    def _fit(self, input_shape: Shape, channels: int) -> Shape:
        """(OH, OW, channels) for pictures (H, W, C).

        Errors: ShapeError naming the layer, where the window does not fit or a picture grows too large.
        """
        size = input_shape[0], input_shape[1]
        (window, strides, dilation), pads = self.window(), self.pads(input_shape)
        least = least_input(window, pads, dilation)
        if size[0] < least[0] or size[1] < least[1]:
            raise ShapeError(
                f"{self.place()} needs at least {least[0]}x{least[1]} input, got {size[0]}x{size[1]}{self.source()}; "
                'use padding="same", a smaller kernel, or a larger picture'
            )
        expect_numbers(padded_shape(input_shape, pads), f"{self.place()}: its padded input")
        shape = *output_size(size, window, strides, pads, dilation), channels
        expect_numbers(shape, f"{self.place()}: its output")
        return shape

    # How sizes are given and written: a series has one number where pictures have two

    def _size_of(self, value: Any, argument: str, least: int = 1) -> Pair:
        """An argument as a pair. Errors: ConfigError."""
        return pair(value, f"{type(self).__name__}: {argument}", least=least)

    def _padding_of(self, value: Any) -> Padding:
        """The argument `padding` as pads or a word. Errors: ConfigError."""
        return standardize_padding(value, f"{type(self).__name__}: padding")

    def _size_words(self, size: Pair) -> str:
        """A size in a caption: "3x3"; of a series "3"."""
        return f"{size[0]}x{size[1]}"


def describe_padding(padding: Padding) -> str:
    """Padding in a word or two: "valid", "same", "padding 2", "padding 2x1"; sides that differ are written out."""
    if isinstance(padding, str):
        return padding
    (top, bottom), (left, right) = padding
    if top != bottom or left != right:
        return f"padding {top},{bottom} {left},{right}"
    return f"padding {top}" if top == left else f"padding {top}x{left}"


def describe_strides(strides: Pair) -> str:
    """ ", stride 2" or ", stride 2x1"; nothing for 1."""
    if strides == (1, 1):
        return ""
    return f", stride {strides[0]}" if strides[0] == strides[1] else f", stride {strides[0]}x{strides[1]}"
