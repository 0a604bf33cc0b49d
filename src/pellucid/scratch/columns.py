"""im2col and col2im: windows of pictures as the rows of a matrix, and back.

The layers need neither; they are here to be looked at. A picture's numbers are written once for every window that sees
them: FH*FW times at stride 1. examples/im2col_memory.py shows what that costs.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.errors import ConfigError, ShapeError
from pellucid.ops import Array, Pads, Pair, Shape
from pellucid.ops.geometry import (
    NO_PADS,
    expect_numbers,
    expect_total,
    output_size,
    pair,
    picture_shape,
)
from pellucid.scratch.layout import as_floats, expect_pictures, pads_of

__all__ = ["col2im", "conv_output_size", "im2col"]


def conv_output_size(input_size: float, filter_size: float, stride: float = 1, pad: float = 0) -> float:
    """(input_size + 2 * pad - filter_size) / stride + 1, as it comes out: so many windows fit, rounded down.

    >>> conv_output_size(28, 5), conv_output_size(28, 5, stride=2)
    (24.0, 12.5)

    Units: all in pixels.
    Errors: ConfigError if stride is 0.
    """
    if not stride:
        raise ConfigError(f"conv_output_size: stride must be at least 1, got {stride!r}")
    return (input_size + 2 * pad - filter_size) / stride + 1


def im2col(input_data: Any, filter_h: int, filter_w: int, stride: int = 1, pad: int = 0) -> Array:
    """Each window as a row: col[(n*OH+i)*OW + j, (c*FH+a)*FW + b] = x[n, c, i*stride + a - pad, j*stride + b - pad].

    Differs from the book: float32 stays float32.

    >>> import numpy as np
    >>> im2col(np.random.rand(10, 3, 7, 7), 5, 5).shape
    (90, 75)

    Nine windows in each of ten pictures; 75 = 3 * 5 * 5 is the size of a filter.

    Shapes: input_data (N,C,H,W) -> (N*OH*OW, C*FH*FW).
    Units: stride and pad in pixels; pad is of zeros.
    Errors: ShapeError if the window does not fit; ConfigError for sizes below 1 or a negative pad.
    """
    x = as_floats(im2col, input_data)
    expect_pictures(im2col, x)
    window, strides, pads, (oh, ow) = _sizes(x.shape, filter_h, filter_w, stride, pad)
    x = x if pads == NO_PADS else np.pad(x, ((0, 0), (0, 0), *pads))
    windows = np.lib.stride_tricks.sliding_window_view(x, window, axis=(2, 3))
    windows = windows[:, :, :: strides[0], :: strides[1]].transpose(0, 2, 3, 1, 4, 5)
    return windows.reshape(len(x) * oh * ow, -1)


def col2im(col: Any, input_shape: Shape, filter_h: int, filter_w: int, stride: int = 1, pad: int = 0) -> Array:
    """Each row added back to the pixels its window saw; where windows overlap, pixels hold sums: im2col's transpose.

    Differs from the book: float32 stays float32.

    Shapes: col (N*OH*OW, C*FH*FW), input_shape (N,C,H,W) -> (N,C,H,W).
    Units: as im2col.
    Errors: ShapeError if col is not what im2col gives for input_shape; ConfigError as im2col.
    """
    col = as_floats(col2im, col)
    n, c, h, w = input_shape = picture_shape(input_shape, "col2im: input_shape (N, C, H, W)")
    (fh, fw), (sh, sw), pads, (oh, ow) = _sizes(input_shape, filter_h, filter_w, stride, pad)
    if col.shape != (n * oh * ow, c * fh * fw):
        raise ShapeError(
            f"col2im: pictures {tuple(input_shape)} under a {fh}x{fw} window make {n * oh * ow} rows of {c * fh * fw}, "
            f"got col {col.shape}"
        )
    windows = col.reshape(n, oh, ow, c, fh, fw).transpose(0, 3, 4, 5, 1, 2)
    (top, bottom), (left, right) = pads
    x = np.zeros((n, c, top + h + bottom, left + w + right), col.dtype)
    for a in range(fh):
        for b in range(fw):
            x[:, :, a : a + (oh - 1) * sh + 1 : sh, b : b + (ow - 1) * sw + 1 : sw] += windows[:, :, a, b]
    return x[:, :, top : top + h, left : left + w]


def _sizes(shape: Shape, filter_h: int, filter_w: int, stride: int, pad: int) -> tuple[Pair, Pair, Pads, Pair]:
    """Window, strides and pads, checked, and (OH, OW)."""
    window, strides = pair((filter_h, filter_w), "filter_h, filter_w"), pair(stride, "stride")
    pads = pads_of(pad)
    expect_numbers((shape[1], shape[2] + sum(pads[0]), shape[3] + sum(pads[1])), "the padded picture")
    size = output_size((shape[2], shape[3]), window, strides, pads)
    expect_total((shape[0], shape[1], *size, *window), "columns")
    return window, strides, pads, size
