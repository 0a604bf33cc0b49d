"""Pictures in memory become a batch of floats; axes change places; products."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pellucid.errors import ConfigError, DataError, ShapeError, expect_known
from pellucid.ops.dispatch import FLOAT, array, arrays, expect_axes, expect_shape, result, run
from pellucid.ops.geometry import Array, Shape
from pellucid.ops.rearranging import columns, product_shapes, swaps
from pellucid.ops.reference.augment import BORDERS as BORDERS
from pellucid.ops.reference.augment import DRAWN as DRAWN
from pellucid.ops.reference.augment import moved_back


def gather(source: Array, indices: Array, *, scale: Array, offset: Array, out: Array | None = None) -> Array:
    """out[i,h,w,c] = source[indices[i],h,w,c] * scale[c] + offset[c].

    Shapes: source (N,H,W,C) uint8 or float32, indices (n,), scale, offset float32 (C,) -> out float32 (n,H,W,C).
    Errors: ShapeError or ConfigError if shapes or dtypes are others; DataError for an index outside the source.
    """
    scale, offset = np.ascontiguousarray(scale, np.float32), np.ascontiguousarray(offset, np.float32)
    picks = _picks("gather", source, indices, FLOAT, scale=scale, offset=offset)
    out = result("gather", (len(picks), *source.shape[1:]), (scale, offset), out)
    run("gather", np.ascontiguousarray(source), picks, out, scale, offset, None)
    return out


def augment(
    source: Array,
    indices: Array,
    draws: Array,
    *,
    scale: Array,
    offset: Array,
    border: str = "reflect",
    out: Array | None = None,
) -> Array:
    """out[i] = source[indices[i]] changed as draws[i] says (see `ops.reference.augment`), * scale + offset.

    border: what lies beyond the edge, "reflect" (the picture mirrored), "edge" (its last pixels) or "constant" (black).
    Shapes: source (N,H,W,C) uint8 or as draws, indices (n,), draws (n,21), scale, offset (C,) -> out (n,H,W,C) of the
    dtype of draws.
    Errors: as `gather`; ConfigError for another border.
    """
    draws, scale, offset = arrays("augment", draws=draws, scale=scale, offset=offset)
    picks = _picks("augment", source, indices, draws.dtype, scale=scale, offset=offset)
    expect_shape("augment", "draws", draws, (len(picks), DRAWN), "a row for each index")
    expect_known("border", border, BORDERS)
    out = result("augment", (len(picks), *source.shape[1:]), (draws, scale, offset), out)
    run("augment", np.ascontiguousarray(source), picks, draws, out, scale, offset, border=border)
    return out


def augment_backward(dy: Array, draws: Array, *, border: str = "reflect") -> Array:
    """dx of pictures that `augment` only moved, each as its row of draws says. Shapes: dy (N,H,W,C), draws (N,21)."""
    dy = array("augment_backward", "dy", dy)
    expect_axes("augment_backward", "dy", dy, "N, H, W, C")
    expect_shape("augment_backward", "draws", draws, (len(dy), DRAWN), "a row for each picture")
    expect_known("border", border, BORDERS)
    return np.stack([moved_back(each, draw, border) for each, draw in zip(dy, draws, strict=True)])


def _picks(op: str, source: Array, indices: Array, dtype: np.dtype[Any], **channels: Array) -> Array:
    """The indices as int64, where source (bytes, or of the dtype), indices and numbers for channels fit together."""
    if not isinstance(source, np.ndarray) or source.dtype not in (np.uint8, dtype):
        kind = getattr(source, "dtype", type(source).__name__)
        raise ConfigError(f"{op}: source must be a uint8 or {dtype} array, got {kind}; convert it with .astype")
    expect_axes(op, "source", source, "N, H, W, C")
    picks = np.ascontiguousarray(indices, np.int64)
    expect_axes(op, "indices", picks, "n")
    if picks.size and not (picks.min() >= 0 and picks.max() < len(source)):
        raise DataError(f"{op}: indices run from {picks.min()} to {picks.max()}, but there are {len(source)} pictures")
    for name, value in channels.items():
        expect_shape(op, name, value, source.shape[3:], "one number for each channel")
    return picks


def swap_axes(x: Array, *, out: Array | None = None) -> Array:
    """y[b,a,c] = x[a,b,c]: rows of flattened pictures from (C, H, W) to (H, W, C), or back.

    Shapes: x (A,B,C) -> y (B,A,C).
    Errors: ShapeError unless x has three axes; ConfigError if it holds no floats.
    """
    x = array("swap_axes", "x", x)
    expect_axes("swap_axes", "x", x, "A, B, C")
    a, b, c = x.shape
    y = result("swap_axes", (b, a, c), (x,), out)
    run("swap_axes", x, y)
    return y


def permute(x: Array, dims: Sequence[int], *, out: Array | None = None) -> Array:
    """The axes of each picture in another order: y's axis i is x's axis dims[i], counted from 1, the batch being 0.

    Shapes: permute(x, (3, 1, 2)): x (N,H,W,C) -> y (N,C,H,W).
    Errors: ShapeError unless dims has every axis but the batch once.
    """
    x = array("permute", "x", x)
    if sorted(dims) != list(range(1, x.ndim)):
        raise ShapeError(f"permute: dims must have each axis from 1 to {x.ndim - 1} once, got {tuple(dims)}")
    y = result("permute", tuple(x.shape[axis] for axis in (0, *dims)), (x,), out)
    forms = list(swaps(x.shape[1:], dims))
    if not forms:
        y[...] = x
    for number, (outer, a, inner, b, c) in enumerate(forms, 1):
        target = y if number == len(forms) else np.empty_like(y)
        run("permute", x.reshape(len(x), outer, a, inner, b, c), target.reshape(len(x), outer, b, inner, a, c))
        x = target
    return y


def concatenate(parts: Sequence[Array], axis: int = -1, *, out: Array | None = None) -> Array:
    """y = the parts behind one another along an axis.

    Shapes: parts (N,H,W,C1), (N,H,W,C2), ... -> y (N,H,W,C1+C2+...).
    Errors: ShapeError for no parts, an axis that they do not have, or parts that differ in another.
    """
    op = "concatenate"
    parts = arrays(op, **{f"part {number}": part for number, part in enumerate(parts, 1)})
    if not parts:
        raise ShapeError(f"{op}: there must be one part or more, got none")
    axis, shape = _axis(op, parts[0].shape, axis), parts[0].shape
    for number, part in enumerate(parts, 1):
        like = (*shape[:axis], *part.shape[axis : axis + 1], *shape[axis + 1 :])
        expect_shape(op, f"part {number}", part, like, "parts differ along their axis alone")
    whole = (*shape[:axis], sum(part.shape[axis] for part in parts), *shape[axis + 1 :])
    y = result(op, whole, parts, out)
    ((laid, _),) = columns([whole], axis)
    for part, (seen, first) in zip(parts, columns([part.shape for part in parts], axis), strict=True):
        run(op, part.reshape(seen), y.reshape(laid), first)
    return y


def split(y: Array, sizes: Sequence[int], axis: int = -1) -> tuple[Array, ...]:
    """The parts of so many rows each along an axis, in order: the way back from `concatenate`, and its gradient.

    Shapes: y (N,H,W,C1+C2+...), sizes (C1, C2, ...) -> (N,H,W,C1), (N,H,W,C2), ...
    Errors: ShapeError for an axis that y does not have, or sizes that do not add up to it.
    """
    y = array("split", "y", y)
    axis, shape = _axis("split", y.shape, axis), y.shape
    if min(sizes, default=0) < 0 or sum(sizes) != shape[axis]:
        raise ShapeError(f"split: sizes must add up to {shape[axis]}, which axis {axis} has, got {tuple(sizes)}")
    parts = tuple(np.empty((*shape[:axis], size, *shape[axis + 1 :]), y.dtype) for size in sizes)
    ((laid, _),) = columns([shape], axis)
    for part, (seen, first) in zip(parts, columns([part.shape for part in parts], axis), strict=True):
        run("split", y.reshape(laid), part.reshape(seen), first)
    return parts


def _axis(op: str, shape: Shape, axis: int) -> int:
    """Counted from 0. Errors: ShapeError where there is none."""
    if not -len(shape) <= axis < len(shape):
        raise ShapeError(f"{op}: axis must be one of {len(shape)} axes, got {axis}")
    return axis % len(shape)


def multiply(x: Array, factor: Array, *, out: Array | None = None) -> Array:
    """y = x * factor, number by number; a factor (N,C) multiplies each channel of maps by its number.

    Shapes: x (N,...,C), factor the same or (N,C) -> y like x; `out` may be x.
    Errors: ShapeError for another factor.
    """
    x, factor = arrays("multiply", x=x, factor=factor)
    laid_x, laid_factor = product_shapes(x.shape, factor.shape, "multiply")
    y = result("multiply", x.shape, (x, factor), out, in_place=0)
    run("multiply", x.reshape(laid_x), factor.reshape(laid_factor), y.reshape(laid_x))
    return y


def multiply_backward(dy: Array, x: Array, factor: Array, *, out: Array | None = None) -> tuple[Array, Array]:
    """dx = dy * factor; dfactor = dy * x, of a row (N,C) summed over all pixels.

    Shapes: dy, x (N,...,C), factor as `multiply` -> dx like x, dfactor like the factor; `out` may be dy.
    Errors: ShapeError if shapes do not match.
    """
    op = "multiply_backward"
    dy, x, factor = arrays(op, dy=dy, x=x, factor=factor)
    expect_shape(op, "dy", dy, x.shape, "it is the gradient of the product")
    laid_x, laid_factor = product_shapes(x.shape, factor.shape, op)
    dx, dfactor = result(op, x.shape, (dy, x, factor), out, in_place=0), np.empty_like(factor)
    row = dy.reshape(laid_x), x.reshape(laid_x), factor.reshape(laid_factor), dx.reshape(laid_x)
    run(op, *row, dfactor.reshape(laid_factor))
    return dx, dfactor
