"""Sizes of pictures with a border, cropped, enlarged, or under another shape: the rest of `geometry`."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pellucid.errors import ShapeError, shown
from pellucid.ops.geometry import Pads, Pair, Shape, expect_numbers, padded_shape, picture_shape


def pad2d_shape(x_shape: Shape, pads: Pads, mode: str = "constant") -> Shape:
    """Shape of padded pictures.

    Shapes: x (N,H,W,C) -> (N, top+H+bottom, left+W+right, C).
    Errors: ShapeError for more than MAX_NUMBERS numbers, or a reflected border that is as wide as the picture.
    """
    n, *picture = picture_shape(x_shape, "pad2d")
    return n, *bordered_shape(tuple(picture), pads, mode, "pad2d: the output")


def bordered_shape(shape: Shape, pads: Pads, mode: str, what: str) -> Shape:
    """The same for one picture (H,W,C); `what` is how errors call the output."""
    larger = padded_shape(shape, pads)
    expect_numbers(larger, what)
    if mode == "reflect" and (max(pads[0]) >= shape[0] or max(pads[1]) >= shape[1]):
        raise ShapeError(
            f"{what} needs a border narrower than the picture, which it mirrors, got {pads} for {shape[0]}x{shape[1]}; "
            'use less padding, or mode="edge"'
        )
    return larger


def cropped_shape(shape: Shape, cropping: Pads, what: str) -> Shape:
    """(H-top-bottom, W-left-right, C) for one picture (H,W,C). Errors: ShapeError where nothing is left."""
    left = shape[0] - sum(cropping[0]), shape[1] - sum(cropping[1])
    if min(left) < 1:
        raise ShapeError(f"{what} cuts {cropping} off pictures of {shape[0]}x{shape[1]}, which leaves nothing")
    return *left, *shape[2:]


def upsampled_shape(shape: Shape, factors: Pair, what: str) -> Shape:
    """(H*SH, W*SW, C) for one picture (H,W,C). Errors: ShapeError for more than MAX_NUMBERS numbers."""
    larger = shape[0] * factors[0], shape[1] * factors[1], *shape[2:]
    expect_numbers(larger, what)
    return larger


def reshaped(shape: Shape, target: Sequence[int], what: str) -> Shape:
    """`target`, whose -1 is as many as are left.

    >>> reshaped((4, 6), (-1, 8), "y")
    (3, 8)

    Errors: ShapeError where the numbers are not as many.
    """
    count, known = math.prod(shape), math.prod(size for size in target if size != -1)
    found = tuple(count // known if size == -1 else size for size in target)
    if math.prod(found) != count:
        raise ShapeError(f"{what} cannot make {_by(target)} of {_by(shape)}, {count:,} numbers")
    return found


def _by(shape: Sequence[int]) -> str:
    return "x".join(map(shown, shape))
