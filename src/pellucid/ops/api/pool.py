"""Pooling over windows and over whole pictures."""

from __future__ import annotations

import math
from typing import Any, Unpack

import numpy as np

from pellucid.errors import ConfigError, DataError, ShapeError
from pellucid.ops import geometry
from pellucid.ops.dispatch import array, expect_axes, expect_shape, options_of, pads, pooling, result, run
from pellucid.ops.geometry import NO_PADS, Array, Pads, Pair, Pooling, Shape
from pellucid.ops.reference.pool import MAX_POOL_TAPS as MAX_POOL_TAPS

_DY_HINT = "it is the gradient of the pooling's output"


def argmax_dtype(pool_size: Pair) -> type[np.uint8] | type[np.int32]:
    """What holds a place in a window: uint8 up to 255 taps, else int32."""
    return np.uint8 if pool_size[0] * pool_size[1] <= MAX_POOL_TAPS else np.int32


@options_of(pooling)
def max_pool2d(x: Array, *, out: Array | None = None, **window: Unpack[Pooling]) -> tuple[Array, Array]:
    """y[n,i,j,c] = max over (a,b) of x[n, i*SH + a - top, j*SW + b - left, c]; argmax = a*PW + b of the largest.

    Padding counts as minus infinity and is never picked; ties go to the first in row order; a NaN wins, as in NumPy.

    Shapes: x (N,H,W,C) -> y, argmax (N,OH,OW,C).
    Units: pool_size, strides, padding in pixels. argmax is uint8 up to 255 taps, else int32.
    Errors: ShapeError if a window does not fit; ConfigError if the padding is as large as the window.
    Source: LeCun et al. 1998, section II-B, with max for mean; overlapping: Krizhevsky et al. 2012, section 3.4.
    """
    window = pooling(**window)
    x = array("max_pool2d", "x", x)
    shape = geometry.pool2d_shape(x.shape, **window)
    y = result("max_pool2d", shape, (x,), out)
    argmax = np.empty(shape, argmax_dtype(window["pool_size"]))
    run("max_pool2d", x, y, argmax, **window)
    return y, argmax


@options_of(pooling)
def max_pool2d_backward(
    dy: Array, argmax: Array, input_shape: Shape, *, out: Array | None = None, **window: Unpack[Pooling]
) -> Array:
    """dx = each dy added to the pixel that its window picked, zero elsewhere.

    Shapes: dy, argmax (N,OH,OW,C) -> dx (N,H,W,C) = input_shape.
    Errors: ShapeError if dy or argmax is not what max_pool2d gives for input_shape; DataError if argmax is no tap.
    """
    op = "max_pool2d_backward"
    window = pooling(**window)
    dy = array(op, "dy", dy)
    shape = geometry.pool2d_shape(input_shape, **window)
    expect_shape(op, "dy", dy, shape, _DY_HINT)
    expect_shape(op, "argmax", argmax, shape, "it is max_pool2d's second result")
    argmax = np.ascontiguousarray(argmax, argmax_dtype(window["pool_size"]))
    _expect_places(op, argmax, math.prod(window["pool_size"]))
    dx = result(op, tuple(input_shape), (dy, argmax), out)
    run(op, dy, argmax, dx, **window)
    return dx


def _expect_places(op: str, argmax: Array, count: int) -> None:
    """Errors: DataError for a place that is none of so many."""
    if argmax.size and not 0 <= argmax.min() <= argmax.max() < count:
        raise DataError(f"{op}: argmax holds {argmax.min()} to {argmax.max()}, but taps count 0 to {count - 1}")


def _counting(op: str, counted: Pads, window: Pooling) -> dict[str, Any]:
    """What a mean takes beside its window. Errors: ConfigError for more than there is padding."""
    if counted == NO_PADS:
        return {}
    counted = pads(counted)
    if any(some > most for some, most in zip(sum(counted, ()), sum(window["padding"], ()), strict=True)):
        raise ConfigError(f"{op}: counted must be at most the padding {window['padding']}, got {counted}")
    return {"counted": counted}


@options_of(pooling)
def avg_pool2d(x: Array, *, counted: Pads = NO_PADS, out: Array | None = None, **window: Unpack[Pooling]) -> Array:
    """y[n,i,j,c] = mean over the window's pixels; padding is not counted (TensorFlow's rule), or so much of it.

    Shapes: x (N,H,W,C) -> y (N,OH,OW,C).
    Units: pool_size, strides, padding, counted in pixels.
    Errors: as max_pool2d; ConfigError for more `counted` than padding.
    """
    window = pooling(**window)
    counting = _counting("avg_pool2d", counted, window)
    x = array("avg_pool2d", "x", x)
    y = result("avg_pool2d", geometry.pool2d_shape(x.shape, **window), (x,), out)
    run("avg_pool2d", x, y, **window, **counting)
    return y


@options_of(pooling)
def avg_pool2d_backward(
    dy: Array, input_shape: Shape, *, counted: Pads = NO_PADS, out: Array | None = None, **window: Unpack[Pooling]
) -> Array:
    """dx = each dy shared equally among the pixels of its window, and what is `counted` of its padding.

    Shapes: dy (N,OH,OW,C) -> dx (N,H,W,C) = input_shape.
    Errors: ShapeError if dy is not what avg_pool2d gives for input_shape.
    """
    op = "avg_pool2d_backward"
    window = pooling(**window)
    counting = _counting(op, counted, window)
    dy = array(op, "dy", dy)
    expect_shape(op, "dy", dy, geometry.pool2d_shape(input_shape, **window), _DY_HINT)
    dx = result(op, tuple(input_shape), (dy,), out)
    run(op, dy, dx, **window, **counting)
    return dx


def global_avg_pool2d(x: Array, *, out: Array | None = None) -> Array:
    """y[n,c] = mean of x[n,:,:,c].

    Shapes: x (N,H,W,C) -> y (N,C).
    Errors: ShapeError if x is no batch of pictures.
    Source: Lin, Chen & Yan 2014, section 3.2.
    """
    x = array("global_avg_pool2d", "x", x)
    expect_axes("global_avg_pool2d", "x", x, "N, H, W, C")
    y = result("global_avg_pool2d", (x.shape[0], x.shape[3]), (x,), out)
    run("global_avg_pool2d", x, y)
    return y


def global_avg_pool2d_backward(dy: Array, input_shape: Shape, *, out: Array | None = None) -> Array:
    """dx[n,h,w,c] = dy[n,c] / (H * W).

    Shapes: dy (N,C) -> dx (N,H,W,C) = input_shape.
    Errors: ShapeError if dy does not belong to input_shape.
    """
    op = "global_avg_pool2d_backward"
    dy = array(op, "dy", dy)
    input_shape = geometry.picture_shape(input_shape, op)
    expect_shape(op, "dy", dy, (input_shape[0], input_shape[-1]), _DY_HINT)
    dx = result(op, tuple(input_shape), (dy,), out)
    run(op, dy, dx)
    return dx


def global_max_pool2d(x: Array, *, out: Array | None = None) -> tuple[Array, Array]:
    """y[n,c] = the largest of x[n,:,:,c]; argmax = h*W + w of the first such, or of the first NaN.

    Shapes: x (N,H,W,C) -> y, argmax (N,C) int32.
    Errors: ShapeError if x is no batch of pictures.
    Source: Oquab, Bottou, Laptev & Sivic 2015, section 3.
    """
    op = "global_max_pool2d"
    x = array(op, "x", x)
    n, height, width, channels = geometry.picture_shape(x.shape, op)
    if not height * width:
        raise ShapeError(f"{op}: pictures must have a pixel, got shape {x.shape}")
    y = result(op, (n, channels), (x,), out)
    argmax = np.empty(y.shape, np.int32)
    run(op, x, y, argmax)
    return y, argmax


def global_max_pool2d_backward(dy: Array, argmax: Array, input_shape: Shape, *, out: Array | None = None) -> Array:
    """dx = dy at the pixel that won, zero elsewhere.

    Shapes: dy, argmax (N,C) -> dx (N,H,W,C) = input_shape.
    Errors: ShapeError if dy or argmax does not belong to input_shape; DataError if argmax is no pixel.
    """
    op = "global_max_pool2d_backward"
    dy = array(op, "dy", dy)
    input_shape = geometry.picture_shape(input_shape, op)
    for name, value in (("dy", dy), ("argmax", argmax)):
        expect_shape(op, name, value, (input_shape[0], input_shape[-1]), _DY_HINT)
    argmax = np.ascontiguousarray(argmax, np.int32)
    _expect_places(op, argmax, math.prod(input_shape[1:3]))
    dx = result(op, input_shape, (dy, argmax), out)
    run(op, dy, argmax, dx)
    return dx
