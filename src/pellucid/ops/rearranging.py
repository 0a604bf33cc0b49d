"""Sizes of pictures with a border, cropped, enlarged, under another shape, or as kernels see them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

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


def swaps(shape: Shape, dims: Sequence[int]) -> Iterator[Shape]:
    """Axes in another order, as few exchanges of two groups of axes: for each (OUTER, A, INNER, B, C), what is read.

    dims: the axes of a picture as they are to be, counted from 1.

    >>> list(swaps((4, 5, 3), (3, 1, 2)))
    [(1, 20, 1, 3, 1)]
    """
    order, wanted = list(range(len(shape))), [axis - 1 for axis in dims]
    while order != wanted:
        first = next(i for i, axis in enumerate(wanted) if order[i] != axis)
        start = order.index(wanted[first])
        end = start + 1
        while end < len(order) and order[end] == wanted[first + end - start]:
            end += 1
        found = ((first, cut, start, end) for cut in range(first + 1, start + 1))
        places = max(found, key=lambda places: sum(map(int.__eq__, _exchanged(order, *places), wanted)))
        bounds = (0, *places, len(order))
        yield tuple(math.prod(shape[axis] for axis in order[i:j]) for i, j in pairwise(bounds))
        order = _exchanged(order, *places)


def _exchanged(order: list[int], first: int, cut: int, start: int, end: int) -> list[int]:
    return [*order[:first], *order[start:end], *order[cut:start], *order[first:cut], *order[end:]]


def product_shapes(x: Shape, factor: Shape, what: str) -> tuple[Shape, Shape]:
    """How the kernel sees x and a factor: (N,OUTER,INNER,C) and (N,OUTER,C). The factor is as x, or a row (N,C), which
    may be written (N,1,1,C).

    Errors: ShapeError for another factor.
    """
    middle = math.prod(x[1:-1])
    if len(x) > 1 and factor == x:
        return (x[0], middle, 1, x[-1]), (x[0], middle, x[-1])
    if len(x) > 1 and factor in ((x[0], x[-1]), (x[0], *(1 for _ in x[1:-1]), x[-1])):
        return (x[0], 1, middle, x[-1]), (x[0], 1, x[-1])
    raise ShapeError(f"{what} needs a factor of the shape of x {x}, or one number for each channel, got {factor}")


def columns(shapes: Sequence[Shape], axis: int) -> Iterator[tuple[Shape, int]]:
    """Parts that lie behind one another along an axis, as kernels see them: (N,OUTER,C) and the first column of each.

    >>> list(columns([(2, 4, 5, 3), (2, 4, 1, 3)], 2))
    [((2, 4, 15), 0), ((2, 4, 3), 15)]
    """
    first = 0
    for shape in shapes:
        *rows, width = (
            (shape[0], math.prod(shape[1:axis]), math.prod(shape[axis:])) if axis else (1, 1, math.prod(shape))
        )
        yield (*rows, width), first
        first += width


def slope_shapes(x: Shape, alpha: Shape) -> tuple[Shape, Shape] | None:
    """How the kernel sees x and its slopes, of which some axes have one: (N,SHARED,OUTER,INNER,C) and (OUTER,C).

    None where axes with one and with several slopes take turns more often.

    >>> slope_shapes((2, 8, 9, 3), (1, 1, 3))
    ((2, 1, 1, 72, 3), (1, 3))
    """
    sizes, at = [1, 1, 1, 1], 3
    for size, slopes in zip(reversed(x[1:]), reversed(alpha), strict=True):
        if size > 1 and (slopes > 1) != bool(at % 2):
            at -= 1
            if at < 0:
                return None
        sizes[at] *= size
    return (x[0], *sizes), (sizes[1], sizes[3])


def _by(shape: Sequence[int]) -> str:
    return "x".join(map(shown, shape))
