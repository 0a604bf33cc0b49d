"""Convolution, activation and pooling as one operation, whose unpooled map is never written."""

from __future__ import annotations

import math
from typing import NotRequired, Unpack

import numpy as np

from pellucid.errors import ConfigError, DataError, unknown_name
from pellucid.ops import dispatch, geometry
from pellucid.ops.api.nonlinear import READ_INPUT, check_numbers
from pellucid.ops.dispatch import arrays, expect_shape, optional, options_of, result, run
from pellucid.ops.geometry import Array, Convolution, Pooling, Shape
from pellucid.ops.reference.nonlinear import ACTIVATIONS
from pellucid.ops.reference.pool import MAX_POOL_TAPS, NO_PLACE
from pellucid.ops.table import Numbers


class _Options(Numbers):
    convolution: Convolution
    pooling: Pooling
    activation: NotRequired[str]


def _checked(
    op: str,
    *,
    convolution: Convolution,
    pooling: Pooling,
    activation: str = "linear",
    slope: float = 0.0,
    threshold: float = 0.0,
    ceiling: float = math.inf,
) -> _Options:
    """Errors: ConfigError for an activation that does not rise, a negative number, or a window whose places overflow a
    byte.
    """
    convolution, pooling = dispatch.convolution(**convolution), dispatch.pooling(**pooling)
    known = ("linear", *(kind for kind in ACTIVATIONS if kind not in READ_INPUT))
    if activation not in known:
        raise unknown_name("activation", activation, known)
    numbers: Numbers = {"slope": slope, "threshold": threshold, "ceiling": ceiling}
    check_numbers(op, **numbers)
    height, width = pooling["pool_size"]
    if height * width > MAX_POOL_TAPS:
        raise ConfigError(
            f"{op}: a window may have {MAX_POOL_TAPS} taps, got {height}x{width}; pool in a step of its own"
        )
    return {"convolution": convolution, "pooling": pooling, "activation": activation, **numbers}


def _pooled_shape(x_shape: Shape, kernel_shape: Shape, options: _Options) -> Shape:
    unpooled = geometry.conv2d_shape(x_shape, kernel_shape, **options["convolution"])
    return geometry.pool2d_shape(unpooled, **options["pooling"])


def _inputs(
    op: str, x: Array, kernel: Array, bias: Array | None, options: _Options
) -> tuple[Array, Array, Array | None, Shape]:
    """x, kernel and bias, checked, and the shape of y."""
    x, kernel = arrays(op, x=x, kernel=kernel)
    shape = _pooled_shape(x.shape, kernel.shape, options)
    return x, kernel, optional(op, "bias", bias, x.dtype, shape[3:], "one number for each filter"), shape


@options_of(_checked)
def conv2d_max_pool2d(
    x: Array, kernel: Array, bias: Array | None = None, *, out: Array | None = None, **options: Unpack[_Options]
) -> tuple[Array, Array]:
    """y, argmax = max_pool2d of activation(conv2d); argmax is 255 where a ReLU gave zero.

    Shapes: x (N,H,W,C), kernel (KH,KW,C/G,O) -> y, argmax (N,QH,QW,O), as conv2d and then max_pool2d give them.
    Units: as there; argmax is uint8.
    Errors: as there; ConfigError for a window of more than 255 taps or an unknown activation.
    """
    op = "conv2d_max_pool2d"
    options = _checked(op, **options)
    x, kernel, bias, shape = _inputs(op, x, kernel, bias, options)
    y = result(op, shape, (x, kernel, bias), out)
    argmax = np.empty(shape, np.uint8)
    run("conv2d_pool", x, kernel, bias, y, argmax, **options)
    return y, argmax


@options_of(_checked)
def conv2d_avg_pool2d(
    x: Array, kernel: Array, bias: Array | None = None, *, out: Array | None = None, **options: Unpack[_Options]
) -> Array:
    """y = avg_pool2d of activation(conv2d).

    Shapes: x (N,H,W,C), kernel (KH,KW,C/G,O) -> y (N,QH,QW,O), as conv2d and then avg_pool2d give it.
    Errors: as conv2d_max_pool2d.
    """
    op = "conv2d_avg_pool2d"
    options = _checked(op, **options)
    x, kernel, bias, shape = _inputs(op, x, kernel, bias, options)
    y = result(op, shape, (x, kernel, bias), out)
    run("conv2d_pool", x, kernel, bias, y, None, average=True, **options)
    return y


def _places(op: str, dy: Array, y: Array, argmax: Array, shape: Shape, pooling: Pooling) -> Array:
    """argmax, checked.

    Errors: ShapeError or DataError if dy, y or argmax is not what conv2d_max_pool2d gives.
    """
    expect_shape(op, "dy", dy, shape, "it is the gradient of the pooled output")
    expect_shape(op, "y", y, shape, "it is the pooled output")
    expect_shape(op, "argmax", argmax, shape, "it is conv2d_max_pool2d's second result")
    argmax = np.ascontiguousarray(argmax, np.uint8)
    taps = math.prod(pooling["pool_size"])
    if (argmax + np.uint8(1)).max(initial=0) > taps:  # one pass over so many bytes: NO_PLACE, 255, becomes 0
        wrong = argmax[(argmax >= taps) & (argmax != NO_PLACE)]
        raise DataError(f"{op}: argmax holds {wrong[0]}, but taps count 0 to {taps - 1}, and {NO_PLACE} is no place")
    return argmax


@options_of(_checked)
def conv2d_max_pool2d_backward_kernel(
    x: Array,
    dy: Array,
    y: Array,
    argmax: Array,
    kernel_shape: Shape,
    *,
    out: Array | None = None,
    **options: Unpack[_Options],
) -> tuple[Array, Array]:
    """dkernel, dbias = conv2d_backward_kernel and bias_backward of dy, brought to the pixels that argmax names.

    Shapes: x (N,H,W,C), dy, y, argmax (N,QH,QW,O) -> dkernel (KH,KW,C/G,O) = kernel_shape, dbias (O,).
    Errors: ShapeError if dy, y or argmax is not as conv2d_max_pool2d's; DataError if argmax is no tap.
    """
    op = "conv2d_max_pool2d_backward_kernel"
    options = _checked(op, **options)
    x, dy, y = arrays(op, x=x, dy=dy, y=y)
    shape = _pooled_shape(x.shape, kernel_shape, options)
    argmax = _places(op, dy, y, argmax, shape, options["pooling"])
    dkernel = result(op, tuple(kernel_shape), (x, dy, y, argmax), out)
    dbias = np.empty(shape[3:], x.dtype)
    run("conv2d_pool_backward_kernel", x, dy, y, argmax, dkernel, dbias, **options)
    return dkernel, dbias


@options_of(_checked)
def conv2d_max_pool2d_backward_input(
    dy: Array,
    y: Array,
    argmax: Array,
    kernel: Array,
    input_shape: Shape,
    *,
    out: Array | None = None,
    **options: Unpack[_Options],
) -> Array:
    """dx = conv2d_backward_input of dy, brought to the pixels that argmax names.

    Shapes: dy, y, argmax (N,QH,QW,O), kernel (KH,KW,C/G,O) -> dx (N,H,W,C) = input_shape.
    Errors: as conv2d_max_pool2d_backward_kernel.
    """
    op = "conv2d_max_pool2d_backward_input"
    options = _checked(op, **options)
    dy, y, kernel = arrays(op, dy=dy, y=y, kernel=kernel)
    shape = _pooled_shape(input_shape, kernel.shape, options)
    argmax = _places(op, dy, y, argmax, shape, options["pooling"])
    dx = result(op, tuple(input_shape), (dy, y, argmax, kernel), out)
    run("conv2d_pool_backward_input", dy, y, argmax, kernel, dx, **options)
    return dx


def _map_shape(op: str, x_shape: Shape, kernel_shape: Shape, options: _Options) -> Shape:
    """That of the map in planes, (N,O,OH,OW).

    Errors: ConfigError unless the windows lie side by side within the map, of a convolution in one group.
    """
    n, height, width, filters = shape = geometry.conv2d_shape(x_shape, kernel_shape, **options["convolution"])
    if options["convolution"]["groups"] != 1 or not geometry.windows_side_by_side(shape, **options["pooling"]):
        raise ConfigError(f"{op}: windows must lie side by side, without padding, behind a convolution in one group")
    return n, filters, height, width


@options_of(_checked)
def conv2d_avg_pool2d_map(
    x: Array, kernel: Array, bias: Array | None = None, *, out: Array | None = None, **options: Unpack[_Options]
) -> tuple[Array, Array]:
    """y = avg_pool2d of map, map = activation(conv2d) in planes: what the gradient needs of it.

    Shapes: x (N,H,W,C), kernel (KH,KW,C,O) -> y (N,QH,QW,O), map (N,O,OH,OW).
    Errors: as conv2d_max_pool2d; ConfigError where windows overlap, leave gaps or are padded, or for groups.
    """
    op = "conv2d_avg_pool2d_map"
    options = _checked(op, **options)
    x, kernel, bias, shape = _inputs(op, x, kernel, bias, options)
    map = np.empty(_map_shape(op, x.shape, kernel.shape, options), x.dtype)
    y = result(op, shape, (x, kernel, bias), out)
    run("conv2d_pool_map", x, kernel, bias, y, map, **options)
    return y, map


@options_of(_checked)
def conv2d_avg_pool2d_map_backward_kernel(
    x: Array, dy: Array, map: Array, kernel_shape: Shape, *, out: Array | None = None, **options: Unpack[_Options]
) -> tuple[Array, Array]:
    """dkernel, dbias = conv2d_backward_kernel and bias_backward of dy, brought through pooling and activation.

    Shapes: x (N,H,W,C), dy (N,QH,QW,O), map (N,O,OH,OW) -> dkernel (KH,KW,C,O) = kernel_shape, dbias (O,).
    Errors: as conv2d_avg_pool2d_map; ShapeError if dy or map is not as its results.
    """
    op = "conv2d_avg_pool2d_map_backward_kernel"
    options = _checked(op, **options)
    x, dy, map = arrays(op, x=x, dy=dy, map=map)
    expect_shape(op, "dy", dy, _pooled_shape(x.shape, kernel_shape, options), "it is the gradient of the pooled output")
    expect_shape(op, "map", map, _map_shape(op, x.shape, kernel_shape, options), "it is the second result")
    dkernel = result(op, tuple(kernel_shape), (x, dy, map), out)
    dbias = np.empty(map.shape[1], x.dtype)
    run("conv2d_pool_map_backward_kernel", x, dy, map, dkernel, dbias, **options)
    return dkernel, dbias
