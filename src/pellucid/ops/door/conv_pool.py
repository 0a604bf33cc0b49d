"""Convolution, activation and pooling as one operation, whose unpooled map is never written."""

from __future__ import annotations

import numpy as np

from pellucid.errors import ConfigError, DataError, unknown_name
from pellucid.ops import geometry
from pellucid.ops.dispatch import array, arrays, expect_shape, result, run, window
from pellucid.ops.geometry import Array, Pads, Pair, Shape, pair
from pellucid.ops.reference import KINDS

_DY_HINT = "it is the gradient of the pooled output"
_TAPS = 255
NO_ROUTE = 255
"""In argmax: a ReLU gave zero here, so no gradient comes this way."""


def _checked(op: str, activation: str, slope: float, pool_size: object) -> Pair:
    """The window.

    Errors: ConfigError for an unknown activation, a negative slope, or a window whose places do not fit in a byte.
    """
    if activation != "linear" and activation not in KINDS:
        raise unknown_name("activation", activation, ("linear", *KINDS))
    if not slope >= 0:
        raise ConfigError(f"{op}: slope must be at least 0, got {slope}")
    size = pair(pool_size, "pool_size")
    if size[0] * size[1] > _TAPS:
        raise ConfigError(f"{op}: a window may have {_TAPS} taps, got {size[0]}x{size[1]}; pool in a step of its own")
    return size


def conv2d_max_pool2d(
    x: Array,
    kernel: Array,
    bias: Array | None = None,
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
    out: Array | None = None,
) -> tuple[Array, Array]:
    """y, argmax = max_pool2d of activation(conv2d); argmax is 255 where a ReLU gave zero.

    Shapes: x (N,H,W,C), kernel (KH,KW,C/G,O) -> y, argmax (N,QH,QW,O), as conv2d and then max_pool2d give them.
    Units: as there; argmax is uint8.
    Errors: as there; ConfigError for a window of more than 255 taps or an unknown activation.
    """
    op = "conv2d_max_pool2d"
    strides, padding, dilation = window(strides, padding, dilation)
    pool_strides, pool_padding, _ = window(pool_strides, pool_padding)
    pool_size = _checked(op, activation, slope, pool_size)
    x, kernel = arrays(op, x=x, kernel=kernel)
    conv = geometry.conv2d_shape(x.shape, kernel.shape, strides, padding, dilation, groups)
    if bias is not None:
        bias = array(op, "bias", bias, x.dtype)
        expect_shape(op, "bias", bias, conv[3:], "one number for each filter")
    shape = geometry.pool2d_shape(conv, pool_size, pool_strides, pool_padding)
    y = result(op, shape, (x, kernel, bias), out)
    argmax = np.empty(shape, np.uint8)
    run(
        "conv2d_pool", x, kernel, bias, y, argmax,
        strides=strides, padding=padding, dilation=dilation, groups=groups, activation=activation, slope=slope,
        pool_size=pool_size, pool_strides=pool_strides, pool_padding=pool_padding,
    )  # fmt: skip
    return y, argmax


def conv2d_avg_pool2d(
    x: Array,
    kernel: Array,
    bias: Array | None = None,
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
    out: Array | None = None,
) -> Array:
    """y = avg_pool2d of activation(conv2d).

    Shapes: x (N,H,W,C), kernel (KH,KW,C/G,O) -> y (N,QH,QW,O), as conv2d and then avg_pool2d give it.
    Errors: as conv2d_max_pool2d.
    """
    op = "conv2d_avg_pool2d"
    strides, padding, dilation = window(strides, padding, dilation)
    pool_strides, pool_padding, _ = window(pool_strides, pool_padding)
    pool_size = _checked(op, activation, slope, pool_size)
    x, kernel = arrays(op, x=x, kernel=kernel)
    conv = geometry.conv2d_shape(x.shape, kernel.shape, strides, padding, dilation, groups)
    if bias is not None:
        bias = array(op, "bias", bias, x.dtype)
        expect_shape(op, "bias", bias, conv[3:], "one number for each filter")
    y = result(op, geometry.pool2d_shape(conv, pool_size, pool_strides, pool_padding), (x, kernel, bias), out)
    run(
        "conv2d_pool", x, kernel, bias, y, None,
        strides=strides, padding=padding, dilation=dilation, groups=groups, activation=activation, slope=slope,
        pool="average", pool_size=pool_size, pool_strides=pool_strides, pool_padding=pool_padding,
    )  # fmt: skip
    return y


def _routes(op: str, argmax: Array, shape: Shape, pool_size: Pair) -> Array:
    """argmax, checked.

    Errors: ShapeError or DataError if it is not what conv2d_max_pool2d gives.
    """
    expect_shape(op, "argmax", argmax, shape, "it is conv2d_max_pool2d's second result")
    argmax = np.ascontiguousarray(argmax, np.uint8)
    taps = pool_size[0] * pool_size[1]
    wrong = argmax[(argmax >= taps) & (argmax != NO_ROUTE)]
    if wrong.size:
        raise DataError(f"{op}: argmax holds {wrong[0]}, but taps count 0 to {taps - 1}, and {NO_ROUTE} is no route")
    return argmax


def conv2d_max_pool2d_backward_kernel(
    x: Array,
    dy: Array,
    y: Array,
    argmax: Array,
    kernel_shape: Shape,
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
    out: Array | None = None,
) -> tuple[Array, Array]:
    """dkernel, dbias = conv2d_backward_kernel and bias_backward of dy, brought to the pixels that argmax names.

    Shapes: x (N,H,W,C), dy, y, argmax (N,QH,QW,O) -> dkernel (KH,KW,C/G,O) = kernel_shape, dbias (O,).
    Errors: ShapeError if dy, y or argmax is not as conv2d_max_pool2d's; DataError if argmax is no tap.
    """
    op = "conv2d_max_pool2d_backward_kernel"
    strides, padding, dilation = window(strides, padding, dilation)
    pool_strides, pool_padding, _ = window(pool_strides, pool_padding)
    pool_size = _checked(op, activation, slope, pool_size)
    x, dy, y = arrays(op, x=x, dy=dy, y=y)
    conv = geometry.conv2d_shape(x.shape, kernel_shape, strides, padding, dilation, groups)
    shape = geometry.pool2d_shape(conv, pool_size, pool_strides, pool_padding)
    expect_shape(op, "dy", dy, shape, _DY_HINT)
    expect_shape(op, "y", y, shape, "it is the pooled output")
    argmax = _routes(op, argmax, shape, pool_size)
    dkernel = result(op, tuple(kernel_shape), (x, dy, y, argmax), out)
    dbias = np.empty(conv[3:], x.dtype)
    run(
        "conv2d_pool_backward_kernel", x, dy, y, argmax, dkernel, dbias,
        strides=strides, padding=padding, dilation=dilation, groups=groups, activation=activation, slope=slope,
        pool_size=pool_size, pool_strides=pool_strides, pool_padding=pool_padding,
    )  # fmt: skip
    return dkernel, dbias


def conv2d_max_pool2d_backward_input(
    dy: Array,
    y: Array,
    argmax: Array,
    kernel: Array,
    input_shape: Shape,
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
    out: Array | None = None,
) -> Array:
    """dx = conv2d_backward_input of dy, brought to the pixels that argmax names.

    Shapes: dy, y, argmax (N,QH,QW,O), kernel (KH,KW,C/G,O) -> dx (N,H,W,C) = input_shape.
    Errors: as conv2d_max_pool2d_backward_kernel.
    """
    op = "conv2d_max_pool2d_backward_input"
    strides, padding, dilation = window(strides, padding, dilation)
    pool_strides, pool_padding, _ = window(pool_strides, pool_padding)
    pool_size = _checked(op, activation, slope, pool_size)
    dy, y, kernel = arrays(op, dy=dy, y=y, kernel=kernel)
    conv = geometry.conv2d_shape(input_shape, kernel.shape, strides, padding, dilation, groups)
    shape = geometry.pool2d_shape(conv, pool_size, pool_strides, pool_padding)
    expect_shape(op, "dy", dy, shape, _DY_HINT)
    expect_shape(op, "y", y, shape, "it is the pooled output")
    argmax = _routes(op, argmax, shape, pool_size)
    dx = result(op, tuple(input_shape), (dy, y, argmax, kernel), out)
    run(
        "conv2d_pool_backward_input", dy, y, argmax, kernel, dx,
        strides=strides, padding=padding, dilation=dilation, groups=groups, activation=activation, slope=slope,
        pool_size=pool_size, pool_strides=pool_strides, pool_padding=pool_padding,
    )  # fmt: skip
    return dx
