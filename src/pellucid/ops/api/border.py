"""Borders around pictures, and pictures enlarged by whole factors."""

from __future__ import annotations

from pellucid.errors import expect_known
from pellucid.ops.dispatch import array, expect_shape, pads, result, run
from pellucid.ops.geometry import Array, Pads, Pair, Shape, pair, picture_shape
from pellucid.ops.rearranging import pad2d_shape, upsampled_shape
from pellucid.ops.reference.augment import BORDERS

INTERPOLATIONS = ("nearest", "bilinear")
"""How enlarged pictures get their pixels."""


def pad2d(x: Array, padding: Pads, mode: str = "constant", *, out: Array | None = None) -> Array:
    """x with a border around each picture: of zeros ("constant"), mirrored at its first and last pixels, which are not
    repeated ("reflect"), or of those pixels ("edge").

    Shapes: x (N,H,W,C) -> y (N, top+H+bottom, left+W+right, C).
    Units: padding ((top, bottom), (left, right)) in pixels.
    Errors: ShapeError if x is no batch of pictures, or a reflected border is as wide as they are; ConfigError for an
        unknown mode.
    """
    padding, mode = pads(padding), expect_known("mode", mode, BORDERS)
    x = array("pad2d", "x", x)
    y = result("pad2d", pad2d_shape(x.shape, padding, mode), (x,), out)
    run("pad2d", x, y, padding=padding, mode=mode)
    return y


def zero_pad2d(x: Array, padding: Pads, *, out: Array | None = None) -> Array:
    """`pad2d` with zeros; its backward is cutting them off again."""
    return pad2d(x, padding, out=out)


def pad2d_backward(
    dy: Array, input_shape: Shape, padding: Pads, mode: str = "constant", *, out: Array | None = None
) -> Array:
    """dx = dy of each pixel and of its copies in the border, added; with "constant" dy without its border, cropped.

    Shapes: dy (N, top+H+bottom, left+W+right, C) -> dx (N,H,W,C) = input_shape.
    Errors: ShapeError if dy is not what pad2d gives for input_shape.
    """
    op = "pad2d_backward"
    padding, mode = pads(padding), expect_known("mode", mode, BORDERS)
    dy = array(op, "dy", dy)
    expect_shape(op, "dy", dy, pad2d_shape(input_shape, padding, mode), "it is the gradient of pad2d's output")
    dx = result(op, tuple(input_shape), (dy,), out)
    run(op, dy, dx, padding=padding, mode=mode)
    return dx


def upsample2d(x: Array, factors: Pair, interpolation: str = "nearest", *, out: Array | None = None) -> Array:
    """x enlarged: each pixel SH x SW times ("nearest"), or between the centres of the nearest four ("bilinear").

    Pixels are squares: the centre of output i lies at (i + 1/2) / SH - 1/2 of the input, and what would lie outside is
    the pixel at the edge, as in Keras and in PyTorch with align_corners=False.

    Shapes: x (N,H,W,C) -> y (N, H*SH, W*SW, C).
    Errors: ShapeError if x is no batch of pictures, or they would be too large; ConfigError for an unknown
        interpolation.
    """
    factors, interpolation = _enlarging(factors, interpolation)
    x = array("upsample2d", "x", x)
    y = result("upsample2d", _enlarged("upsample2d", x.shape, factors), (x,), out)
    run("upsample2d", x, y, factors=factors, interpolation=interpolation)
    return y


def upsample2d_backward(
    dy: Array, input_shape: Shape, factors: Pair, interpolation: str = "nearest", *, out: Array | None = None
) -> Array:
    """dx = each dy shared among the pixels that it was made of.

    Shapes: dy (N, H*SH, W*SW, C) -> dx (N,H,W,C) = input_shape.
    Errors: ShapeError if dy is not what upsample2d gives for input_shape.
    """
    op = "upsample2d_backward"
    factors, interpolation = _enlarging(factors, interpolation)
    dy = array(op, "dy", dy)
    expect_shape(op, "dy", dy, _enlarged(op, input_shape, factors), "it is the gradient of upsample2d's output")
    dx = result(op, tuple(input_shape), (dy,), out)
    run(op, dy, dx, factors=factors, interpolation=interpolation)
    return dx


def _enlarging(factors: Pair, interpolation: str) -> tuple[Pair, str]:
    return pair(factors, "factors"), expect_known("interpolation", interpolation, INTERPOLATIONS)


def _enlarged(op: str, x_shape: Shape, factors: Pair) -> Shape:
    n, *picture = picture_shape(x_shape, op)
    return n, *upsampled_shape(tuple(picture), factors, f"{op}: the output")
