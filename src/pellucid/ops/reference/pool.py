"""Pooling: one pass for each tap of the window, so that overlapping and padded windows need no special case."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Unpack

import numpy as np

from pellucid.ops.geometry import NO_PADS, Array, Pads, Pair, Shape
from pellucid.ops.reference.conv import padded, tap
from pellucid.ops.reference.linear import bias_backward
from pellucid.ops.reference.nonlinear import activation_backward
from pellucid.ops.table import HALVED, LONG, POOLING_FLOPS, Numbers, call, op

MAX_POOL_TAPS = 255
"""Of a window whose place of the maximum is kept in one byte, as kernels do; above, the reference takes int32."""
NO_PLACE = 255
"""In such a byte behind a ReLU that gave zero: no gradient goes there."""


def _taps(x_shape: Shape, size: Pair, pool_size: Pair, strides: Pair, padding: Pads) -> Iterator[tuple[int, Pair]]:
    """The taps that lie on the picture in some window, and their places in it; the others see nothing but padding."""
    rows, columns = (
        range(max(0, pads[0] - (windows - 1) * stride), min(taps, pads[0] + length))
        for length, windows, taps, stride, pads in zip(x_shape[1:3], size, pool_size, strides, padding, strict=True)
    )
    return ((a * pool_size[1] + b, (a, b)) for a in rows for b in columns)


def _inside(x_shape: tuple[int, ...], padding: Pads) -> Array:
    """Which positions of the padded picture are picture: (1, top+H+bottom, left+W+right, 1)."""
    return padded(np.ones((1, *x_shape[1:3], 1), np.bool_), padding)


@op(
    flops=POOLING_FLOPS,
    reference_dtypes=("int32",),  # a place in a window of more than 255 taps
    typical=[call("64 x 56x56x64, 2x2", x=LONG, **HALVED)],
)
def max_pool2d(x: Array, y: Array, argmax: Array, *, pool_size: Pair, strides: Pair, padding: Pads) -> None:
    """y[n,i,j,c] = max over (a,b) of x[n, i*SH + a - top, j*SW + b - left, c]; argmax = a*PW + b of the first such.

    A NaN wins over every number, as in np.argmax; padding is never picked, not even among minus infinities.
    """
    source, inside = padded(x, padding, -np.inf), _inside(x.shape, padding)
    size = (y.shape[1], y.shape[2])
    y[...] = -np.inf
    found = np.zeros(y.shape, np.bool_)
    for index, at in _taps(x.shape, size, pool_size, strides, padding):
        value = tap(source, at, size, strides)
        better = (value > y) | (np.isnan(value) & ~np.isnan(y)) | ~found
        better &= tap(inside, at, size, strides)
        np.copyto(y, value, where=better)
        np.copyto(argmax, argmax.dtype.type(index), where=better)
        found |= better


@op(flops=POOLING_FLOPS, reference_dtypes=("int32",), typical=[call("64 x 56x56x64, 2x2", dx=LONG, **HALVED)])
def max_pool2d_backward(dy: Array, argmax: Array, dx: Array, *, pool_size: Pair, strides: Pair, padding: Pads) -> None:
    """dx = dy added to the pixel each window picked."""
    (top, _), (left, _) = padding
    dsource, size = padded(np.zeros_like(dx), padding), (dy.shape[1], dy.shape[2])
    for index, at in _taps(dx.shape, size, pool_size, strides, padding):
        tap(dsource, at, size, strides)[...] += np.where(argmax == index, dy, 0)
    dx[...] = dsource[:, top : top + dx.shape[1], left : left + dx.shape[2]]


def _counts(
    x_shape: tuple[int, ...], size: Pair, pool_size: Pair, strides: Pair, padding: Pads, counted: Pads
) -> Array:
    """How many pixels of the picture, and of the padding that counts, each window holds: (1, OH, OW, 1)."""
    held = []
    for axis in (0, 1):
        starts = np.arange(size[axis]) * strides[axis] - padding[axis][0]
        ends = np.minimum(starts + pool_size[axis], x_shape[1 + axis] + counted[axis][1])
        held.append(ends - np.maximum(starts, -counted[axis][0]))
    return np.asarray(np.multiply.outer(*held)[None, :, :, None])


@op(flops=POOLING_FLOPS, typical=[call("64 x 56x56x64, 2x2", x=LONG, **HALVED)])
def avg_pool2d(x: Array, y: Array, *, pool_size: Pair, strides: Pair, padding: Pads, counted: Pads = NO_PADS) -> None:
    """y[n,i,j,c] = mean of the window's pixels; of the padding only `counted` is, as zeros."""
    source, size = padded(x, padding), (y.shape[1], y.shape[2])
    y[...] = 0
    for _, at in _taps(x.shape, size, pool_size, strides, padding):
        y += tap(source, at, size, strides)
    y /= _counts(x.shape, size, pool_size, strides, padding, counted).astype(y.dtype)


def _lacks_what_was_pooled(values: Mapping[str, Any]) -> str | None:
    kind, y = values["activation"], values["y"]
    return f"the gradient of {kind!r} needs y, which it gave" if kind != "linear" and y is None else None


@op(
    flops=POOLING_FLOPS,
    refuse=_lacks_what_was_pooled,
    typical=[call("64 x 56x56x64, 2x2", dx=LONG, **HALVED)],
)
def avg_pool2d_backward(
    dy: Array,
    dx: Array,
    *,
    pool_size: Pair,
    strides: Pair,
    padding: Pads,
    counted: Pads = NO_PADS,
    y: Array | None = None,
    activation: str = "linear",
    dbias: Array | None = None,
    **numbers: Unpack[Numbers],
) -> None:
    """dx = each dy shared equally among the pixels of its window, and what is `counted` of its padding.

    y: what was pooled, where it is an activation of something; dx is then the gradient of that, and may be y itself.
    dbias: the sum of dx over all pixels.
    """
    (top, _), (left, _) = padding
    size = (dy.shape[1], dy.shape[2])
    share = dy / _counts(dx.shape, size, pool_size, strides, padding, counted).astype(dy.dtype)
    dsource = padded(np.zeros_like(dx), padding)
    for _, at in _taps(dx.shape, size, pool_size, strides, padding):
        tap(dsource, at, size, strides)[...] += share
    gradient = np.ascontiguousarray(dsource[:, top : top + dx.shape[1], left : left + dx.shape[2]])
    if y is not None and activation != "linear":
        activation_backward(gradient, y, gradient, activation, **numbers)
    if dbias is not None:
        bias_backward(gradient, dbias)
    dx[...] = gradient


@op(typical=[call("64 x 56x56x64", x=LONG)])
def global_avg_pool2d(x: Array, y: Array) -> None:
    """y[n,c] = mean over the picture."""
    y[...] = x.mean(axis=(1, 2), dtype=np.float64)


@op(typical=[call("64 x 56x56x64", x=LONG)])
def global_max_pool2d(x: Array, y: Array, argmax: Array) -> None:
    """y[n,c] = max over the picture; argmax = i*W + j of the first such. A NaN wins, as in np.argmax."""
    pixels = x.reshape(len(x), -1, x.shape[-1])
    argmax[...] = pixels.argmax(axis=1)
    y[...] = np.take_along_axis(pixels, argmax[:, None], axis=1)[:, 0]


@op(typical=[call("64 x 56x56x64", dx=LONG)])
def global_max_pool2d_backward(dy: Array, argmax: Array, dx: Array) -> None:
    """dx = dy at the pixel that won, else 0."""
    dx[...] = 0
    np.put_along_axis(dx.reshape(len(dx), -1, dx.shape[-1]), argmax[:, None], dy[:, None], axis=1)


@op(typical=[call("64 x 56x56x64", dx=LONG)])
def global_avg_pool2d_backward(dy: Array, dx: Array) -> None:
    """dx[n,i,j,c] = dy[n,c] / (H * W)."""
    dx[...] = (dy / (dx.shape[1] * dx.shape[2]))[:, None, None, :]
