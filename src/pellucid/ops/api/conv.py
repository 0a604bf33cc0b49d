"""Convolution and padding."""

from __future__ import annotations

from typing import Unpack

from pellucid.ops import geometry
from pellucid.ops.dispatch import arrays, convolution, expect_shape, optional, options_of, result, run
from pellucid.ops.geometry import Array, Convolution, Shape

_DY_HINT = "it is the gradient of conv2d's output"


@options_of(convolution)
def conv2d(
    x: Array, kernel: Array, bias: Array | None = None, *, out: Array | None = None, **window: Unpack[Convolution]
) -> Array:
    """y[n,i,j,o] = bias[o] + sum over (a,b,c) of x[n, i*SH + a*DH - top, j*SW + b*DW - left, c] * kernel[a,b,c,o].

    Cross-correlation: the kernel is not flipped. With groups, output o sees only the C/G channels of its own group.

    Shapes: x (N,H,W,C), kernel (KH,KW,C/G,O), bias (O,) -> y (N,OH,OW,O), sizes as in `geometry.output_size`.
    Units: strides, dilation in pixels; padding ((top, bottom), (left, right)) in pixels of zeros.
    Errors: ShapeError if channels, groups, bias or sizes do not match; ConfigError for mixed dtypes.
    Source: LeCun et al. 1998; groups: Krizhevsky et al. 2012, section 3.2; dilation: Yu & Koltun 2016.
    """
    window = convolution(**window)
    x, kernel = arrays("conv2d", x=x, kernel=kernel)
    shape = geometry.conv2d_shape(x.shape, kernel.shape, **window)
    bias = optional("conv2d", "bias", bias, x.dtype, shape[3:], "one number for each filter")
    y = result("conv2d", shape, (x, kernel, bias), out)
    run("conv2d", x, kernel, bias, y, **window)
    return y


@options_of(convolution)
def conv2d_backward_input(
    dy: Array,
    kernel: Array,
    input_shape: Shape,
    *,
    bias: Array | None = None,
    out: Array | None = None,
    **window: Unpack[Convolution],
) -> Array:
    """dx[n,h,w,c] = sum over every (i,j,o) and tap that saw it of dy[n,i,j,o] * kernel[a,b,c,o].

    bias: added to that, where it is no gradient but a transposed convolution.
    Shapes: dy (N,OH,OW,O), kernel (KH,KW,C/G,O), bias (C,) -> dx (N,H,W,C) = input_shape.
    Errors: ShapeError if dy is not what conv2d gives for input_shape; the others as conv2d.
    """
    op = "conv2d_backward_input"
    window = convolution(**window)
    dy, kernel = arrays(op, dy=dy, kernel=kernel)
    shape = geometry.conv2d_shape(input_shape, kernel.shape, **window)
    expect_shape(op, "dy", dy, shape, _DY_HINT)
    bias = optional(op, "bias", bias, dy.dtype, tuple(input_shape)[3:], "one number for each channel")
    dx = result(op, tuple(input_shape), (dy, kernel, bias), out)
    run(op, dy, kernel, dx, bias=bias, **window)
    return dx


@options_of(convolution)
def conv2d_backward_kernel(
    x: Array, dy: Array, kernel_shape: Shape, *, out: Array | None = None, **window: Unpack[Convolution]
) -> Array:
    """dkernel[a,b,c,o] = sum over (n,i,j) of x[n, i*SH + a*DH - top, j*SW + b*DW - left, c] * dy[n,i,j,o].

    Shapes: x (N,H,W,C), dy (N,OH,OW,O) -> dkernel (KH,KW,C/G,O) = kernel_shape.
    Errors: ShapeError if dy is not what conv2d gives for x and kernel_shape; the others as conv2d.
    """
    op = "conv2d_backward_kernel"
    window = convolution(**window)
    x, dy = arrays(op, x=x, dy=dy)
    shape = geometry.conv2d_shape(x.shape, kernel_shape, **window)
    expect_shape(op, "dy", dy, shape, _DY_HINT)
    dkernel = result(op, tuple(kernel_shape), (x, dy), out)
    run(op, x, dy, dkernel, **window)
    return dkernel
