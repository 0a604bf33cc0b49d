"""What convolution and pooling share: a window that slides, and how it is described."""

from __future__ import annotations

from pellucid.errors import ShapeError
from pellucid.layers.layer import Layer
from pellucid.ops import Pads, Pair
from pellucid.ops.geometry import Padding, least_input, output_size


def check_window(layer: Layer, size: Pair, window: Pair, strides: Pair, pads: Pads, dilation: Pair = (1, 1)) -> Pair:
    """(OH, OW). Errors: ShapeError naming the layer, where the window does not fit."""
    least = least_input(window, pads, dilation)
    if size[0] < least[0] or size[1] < least[1]:
        raise ShapeError(
            f"{layer.place()} needs at least {least[0]}x{least[1]} input, got {size[0]}x{size[1]}{layer.source()}; "
            'use padding="same", a smaller kernel, or a larger picture'
        )
    return output_size(size, window, strides, pads, dilation)


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
