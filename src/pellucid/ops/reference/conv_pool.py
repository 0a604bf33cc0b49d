"""Convolution, activation and pooling as one operation: the plain ones, one after another."""

from __future__ import annotations

import numpy as np

from pellucid.ops import geometry
from pellucid.ops.geometry import Array, Pads, Pair
from pellucid.ops.reference.conv import conv2d, conv2d_backward_input, conv2d_backward_kernel
from pellucid.ops.reference.linear import bias_backward
from pellucid.ops.reference.nonlinear import activation as activate
from pellucid.ops.reference.nonlinear import activation_backward
from pellucid.ops.reference.pool import avg_pool2d, max_pool2d, max_pool2d_backward

NO_ROUTE = 255
"""In argmax: no gradient comes this way, for a ReLU gave zero."""


def conv2d_pool(
    x: Array,
    kernel: Array,
    bias: Array | None,
    y: Array,
    argmax: Array | None,
    *,
    strides: Pair,
    padding: Pads,
    dilation: Pair = (1, 1),
    groups: int = 1,
    activation: str = "linear",
    slope: float = 0.0,
    pool: str = "max",
    pool_size: Pair,
    pool_strides: Pair,
    pool_padding: Pads,
) -> None:
    """y = pool(activation(x (*) kernel + bias)); argmax (max only): the place that won, 255 where relu gave 0.

    Every activation rises, so the maximum may be taken before it.
    """
    z = np.empty(geometry.conv2d_shape(x.shape, kernel.shape, strides, padding, dilation, groups), y.dtype)
    conv2d(x, kernel, bias, z, strides=strides, padding=padding, dilation=dilation, groups=groups)
    if pool == "average":
        if activation != "linear":
            activate(z, z, activation, slope=slope)
        avg_pool2d(z, y, pool_size=pool_size, strides=pool_strides, padding=pool_padding)
        return
    places = np.empty(y.shape, np.uint8) if argmax is None else argmax
    max_pool2d(z, y, places, pool_size=pool_size, strides=pool_strides, padding=pool_padding)
    if activation != "linear":
        activate(y, y, activation, slope=slope)
    if activation == "relu":
        places[~(y > 0)] = NO_ROUTE


def _unpooled(
    dy: Array,
    y: Array,
    argmax: Array,
    conv_shape: geometry.Shape,
    activation: str,
    slope: float,
    pool_size: Pair,
    pool_strides: Pair,
    pool_padding: Pads,
) -> Array:
    """The gradient of the convolution's result."""
    dpooled, dz = dy, np.empty(conv_shape, dy.dtype)
    if activation != "linear":
        dpooled = np.empty_like(dy)
        activation_backward(dy, y, dpooled, activation, slope=slope)
    max_pool2d_backward(dpooled, argmax, dz, pool_size=pool_size, strides=pool_strides, padding=pool_padding)
    return dz


def conv2d_pool_backward_kernel(
    x: Array,
    dy: Array,
    y: Array,
    argmax: Array,
    dkernel: Array,
    dbias: Array | None,
    *,
    strides: Pair,
    padding: Pads,
    dilation: Pair = (1, 1),
    groups: int = 1,
    activation: str = "linear",
    slope: float = 0.0,
    pool_size: Pair,
    pool_strides: Pair,
    pool_padding: Pads,
) -> None:
    """dkernel and dbias of conv2d_pool with pool="max"."""
    shape = geometry.conv2d_shape(x.shape, dkernel.shape, strides, padding, dilation, groups)
    dz = _unpooled(dy, y, argmax, shape, activation, slope, pool_size, pool_strides, pool_padding)
    conv2d_backward_kernel(x, dz, dkernel, strides=strides, padding=padding, dilation=dilation, groups=groups)
    if dbias is not None:
        bias_backward(dz, dbias)


def conv2d_pool_backward_input(
    dy: Array,
    y: Array,
    argmax: Array,
    kernel: Array,
    dx: Array,
    *,
    strides: Pair,
    padding: Pads,
    dilation: Pair = (1, 1),
    groups: int = 1,
    activation: str = "linear",
    slope: float = 0.0,
    pool_size: Pair,
    pool_strides: Pair,
    pool_padding: Pads,
) -> None:
    """dx of conv2d_pool with pool="max"."""
    shape = geometry.conv2d_shape(dx.shape, kernel.shape, strides, padding, dilation, groups)
    dz = _unpooled(dy, y, argmax, shape, activation, slope, pool_size, pool_strides, pool_padding)
    conv2d_backward_input(dz, kernel, dx, strides=strides, padding=padding, dilation=dilation, groups=groups)
