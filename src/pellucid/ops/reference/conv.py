"""Convolution (cross-correlation) as im2col and one matrix product for each group.

Every window is copied out as a row of KH*KW*C numbers, so that y = columns @ kernel. That costs KH*KW times the
picture's memory, so it is done for a few pictures at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Unpack

import numpy as np
from numpy.lib.stride_tricks import as_strided

from pellucid.ops.geometry import NO_PADS, Array, Pads, Pair
from pellucid.ops.reference.nonlinear import activation as activate
from pellucid.ops.table import CONVOLUTION_FLOPS, MAP, SAME3, VALID, WIDE_MAP, Numbers, call, op

_COLUMN_BYTES = 64 << 20


def padded(x: Array, padding: Pads, value: float = 0.0) -> Array:
    """x with a border of `value`; x itself where there is none to add."""
    if padding == ((0, 0), (0, 0)):
        return x
    n, h, w, c = x.shape
    (top, bottom), (left, right) = padding
    y = np.full((n, top + h + bottom, left + w + right, c), value, x.dtype)
    y[:, top : top + h, left : left + w] = x
    return y


def tap(x: Array, at: Pair, size: Pair, strides: Pair) -> Array:
    """View of what one tap of a sliding window sees: x[:, a + i*SH, b + j*SW] for every output position (i, j)."""
    (a, b), (oh, ow), (sh, sw) = at, size, strides
    return x[:, a : a + (oh - 1) * sh + 1 : sh, b : b + (ow - 1) * sw + 1 : sw]


def _windows(x: Array, kernel: Pair, size: Pair, strides: Pair, dilation: Pair) -> Array:
    """View of padded pictures as windows (N, OH, OW, KH, KW, C); nothing is copied."""
    sn, sy, sx, sc = x.strides
    steps = (sn, sy * strides[0], sx * strides[1], sy * dilation[0], sx * dilation[1], sc)
    return as_strided(x, (x.shape[0], *size, *kernel, x.shape[3]), steps, writeable=False)


def _blocks(pictures: int, bytes_each: int) -> Iterator[slice]:
    step = max(1, _COLUMN_BYTES // max(1, bytes_each))
    return (slice(start, min(start + step, pictures)) for start in range(0, pictures, step))


@op(
    flops=CONVOLUTION_FLOPS,
    typical=[
        call("100 x 28x28x1, 5x5, 30", x=(100, 28, 28, 1), kernel=(5, 5, 1, 30), bias=None, **VALID),
        call("16 x 56x56x64, 3x3, 64", x=MAP, kernel=(3, 3, 64, 64), **SAME3),
        call("16 x 56x56x64, 1x1, 64", x=MAP, kernel=(1, 1, 64, 64), **VALID),
        call("the same + addend", x=MAP, kernel=(1, 1, 64, 64), addend=MAP, activation="relu", **VALID),
        call("16 x 56x56x144, depthwise 3x3", x=WIDE_MAP, kernel=(3, 3, 1, 144), groups=144, **SAME3),
        call("16 x 7x7x960, depthwise 3x3", x=(16, 7, 7, 960), kernel=(3, 3, 1, 960), groups=960, **SAME3),
    ],
)
def conv2d(
    x: Array,
    kernel: Array,
    bias: Array | None,
    y: Array,
    *,
    strides: Pair,
    padding: Pads,
    dilation: Pair = (1, 1),
    groups: int = 1,
    activation: str = "linear",
    addend: Array | None = None,
    scale: Array | None = None,
    **numbers: Unpack[Numbers],
) -> None:
    """y[n,i,j,o] = bias[o] + sum over (a,b,c) of x[n, i*SH + a*DH - top, j*SW + b*DW - left, c] * kernel[a,b,c,o].

    addend: added to that, like y, before the activation. scale: (O,), a factor of each filter.
    """
    kernel = kernel if scale is None else kernel * scale
    kh, kw, cg, o = kernel.shape
    _, oh, ow, _ = y.shape
    og = o // groups
    source = padded(x, padding)
    for block in _blocks(len(x), oh * ow * kh * kw * cg * groups * x.itemsize):
        windows = _windows(source[block], (kh, kw), (oh, ow), strides, dilation)
        for g in range(groups):
            columns = windows[..., g * cg : (g + 1) * cg].reshape(-1, kh * kw * cg)
            weights = kernel[..., g * og : (g + 1) * og].reshape(-1, og)
            y[block, ..., g * og : (g + 1) * og] = (columns @ weights).reshape(-1, oh, ow, og)
    if bias is not None:
        y += bias
    if addend is not None:
        y += addend
    if activation != "linear":
        activate(y, y, activation, **numbers)


@op(
    flops=CONVOLUTION_FLOPS,
    typical=[
        call("16 x 56x56x64, 3x3, 64", dx=MAP, kernel=(3, 3, 64, 64), **SAME3),
        call("the same + addend", dx=MAP, kernel=(3, 3, 64, 64), addend=MAP, **SAME3),
        call("16 x 56x56x144, depthwise 3x3", dx=WIDE_MAP, kernel=(3, 3, 1, 144), groups=144, **SAME3),
        call(
            "to 16 x 56x56x64, 2x2, 2, 128 + bias, relu", dx=MAP, kernel=(2, 2, 64, 128), bias=(64,), activation="relu",
            strides=(2, 2), padding=NO_PADS,
        ),
    ],
)  # fmt: skip
def conv2d_backward_input(
    dy: Array,
    kernel: Array,
    dx: Array,
    *,
    strides: Pair,
    padding: Pads,
    dilation: Pair = (1, 1),
    groups: int = 1,
    addend: Array | None = None,
    bias: Array | None = None,
    activation: str = "linear",
    **numbers: Unpack[Numbers],
) -> None:
    """dx = the rows dy @ kernel^T, each tap added back to the pixel it came from (col2im).

    addend: added to that, like dx: the gradient by another way. bias, activation: of a transposed convolution, whose
    result this is: dx = f(dx + bias).
    """
    kh, kw, cg, o = kernel.shape
    _, oh, ow, _ = dy.shape
    og = o // groups
    (top, bottom), (left, right) = padding
    n, h, w, c = dx.shape
    for block in _blocks(n, oh * ow * kh * kw * cg * dx.itemsize):
        dsource = np.zeros((len(dy[block]), top + h + bottom, left + w + right, c), dx.dtype)
        for g in range(groups):
            weights = kernel[..., g * og : (g + 1) * og].reshape(-1, og)
            dcolumns = dy[block, ..., g * og : (g + 1) * og].reshape(-1, og) @ weights.T
            dwindows = dcolumns.reshape(-1, oh, ow, kh, kw, cg)
            for a in range(kh):
                for b in range(kw):
                    target = tap(dsource, (a * dilation[0], b * dilation[1]), (oh, ow), strides)
                    target[..., g * cg : (g + 1) * cg] += dwindows[:, :, :, a, b]
        dx[block] = dsource[:, top : top + h, left : left + w]
    if bias is not None:
        dx += bias
    if addend is not None:
        dx += addend
    if activation != "linear":
        activate(dx, dx, activation, **numbers)


@op(
    flops=CONVOLUTION_FLOPS,
    typical=[
        call("16 x 56x56x64, 3x3, 64", x=MAP, dkernel=(3, 3, 64, 64), **SAME3),
        call("16 x 56x56x144, depthwise 3x3", x=WIDE_MAP, dkernel=(3, 3, 1, 144), groups=144, **SAME3),
    ],
)
def conv2d_backward_kernel(
    x: Array, dy: Array, dkernel: Array, *, strides: Pair, padding: Pads, dilation: Pair = (1, 1), groups: int = 1
) -> None:
    """dkernel = columns^T @ dy: for each weight the sum over all positions of what it saw times dy."""
    kh, kw, cg, o = dkernel.shape
    _, oh, ow, _ = dy.shape
    og = o // groups
    source = padded(x, padding)
    dkernel[...] = 0
    for block in _blocks(len(x), oh * ow * kh * kw * cg * groups * x.itemsize):
        windows = _windows(source[block], (kh, kw), (oh, ow), strides, dilation)
        for g in range(groups):
            columns = windows[..., g * cg : (g + 1) * cg].reshape(-1, kh * kw * cg)
            rows = dy[block, ..., g * og : (g + 1) * og].reshape(-1, og)
            dkernel[..., g * og : (g + 1) * og] += (columns.T @ rows).reshape(kh, kw, cg, og)
