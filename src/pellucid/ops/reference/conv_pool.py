"""Convolution, activation and pooling as one operation: the plain ones, one after another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

import numpy as np

from pellucid.ops import geometry
from pellucid.ops.geometry import Array, Convolution, Pooling
from pellucid.ops.reference.conv import conv2d, conv2d_backward_input, conv2d_backward_kernel
from pellucid.ops.reference.linear import bias_backward
from pellucid.ops.reference.nonlinear import activation as activate
from pellucid.ops.reference.nonlinear import activation_backward
from pellucid.ops.reference.pool import NO_PLACE, avg_pool2d, avg_pool2d_backward, max_pool2d, max_pool2d_backward
from pellucid.ops.table import CONVOLUTION_FLOPS, HALVED, POOLED, SAME3, SAME5, Numbers, call, op


def _argmax_of_average(values: Mapping[str, Any]) -> str | None:
    if not values["average"] or values["argmax"] is None:
        return None
    return f"an average has no argmax, got one of shape {values['argmax'].shape}"


@op(
    fields={"average": "POOL"},
    flops=CONVOLUTION_FLOPS,
    refuse=_argmax_of_average,
    typical=[
        call("100 x 28x28x1, 5x5, 30, max 2x2", x=(100, 28, 28, 1), kernel=(5, 5, 1, 30), activation="relu", **POOLED)
    ],
)
def conv2d_pool(
    x: Array,
    kernel: Array,
    bias: Array | None,
    y: Array,
    argmax: Array | None,
    *,
    convolution: Convolution,
    pooling: Pooling,
    average: bool = False,
    activation: str = "linear",
    **numbers: Unpack[Numbers],
) -> None:
    """y = pool(activation(x (*) kernel + bias)); argmax (not average): the place that won, 255 where relu gave 0.

    Every activation rises, so the maximum may be taken before it.
    """
    z = np.empty(geometry.conv2d_shape(x.shape, kernel.shape, **convolution), y.dtype)
    conv2d(x, kernel, bias, z, **convolution, activation=activation if average else "linear", **numbers)
    if average:
        avg_pool2d(z, y, **pooling)
        return
    places = np.empty(y.shape, np.uint8) if argmax is None else argmax
    max_pool2d(z, y, places, **pooling)
    if activation != "linear":
        activate(y, y, activation, **numbers)
    if activation == "relu":
        places[~(y > 0)] = NO_PLACE


def _unpooled(
    dy: Array,
    y: Array,
    argmax: Array,
    conv_shape: geometry.Shape,
    activation: str,
    pooling: Pooling,
    numbers: Numbers,
) -> Array:
    """The gradient of the convolution's result."""
    dpooled, dz = dy, np.empty(conv_shape, dy.dtype)
    if activation != "linear":
        dpooled = np.empty_like(dy)
        activation_backward(dy, y, dpooled, activation, **numbers)
    max_pool2d_backward(dpooled, argmax, dz, **pooling)
    return dz


@op(
    flops=CONVOLUTION_FLOPS,
    typical=[
        call("100 x 28x28x1, 5x5, 30, max 2x2", x=(100, 28, 28, 1), dkernel=(5, 5, 1, 30), activation="relu", **POOLED)
    ],
)
def conv2d_pool_backward_kernel(
    x: Array,
    dy: Array,
    y: Array,
    argmax: Array,
    dkernel: Array,
    dbias: Array | None,
    *,
    convolution: Convolution,
    pooling: Pooling,
    activation: str = "linear",
    **numbers: Unpack[Numbers],
) -> None:
    """dkernel and dbias of conv2d_pool, not average."""
    shape = geometry.conv2d_shape(x.shape, dkernel.shape, **convolution)
    dz = _unpooled(dy, y, argmax, shape, activation, pooling, numbers)
    conv2d_backward_kernel(x, dz, dkernel, **convolution)
    if dbias is not None:
        bias_backward(dz, dbias)


@op(
    flops=CONVOLUTION_FLOPS,
    typical=[
        call(
            "32 x 16x16x36, 3x3, 72, max 2x2", dx=(32, 16, 16, 36), kernel=(3, 3, 36, 72),
            convolution=SAME3, pooling=HALVED, activation="relu",
        )
    ],
)  # fmt: skip
def conv2d_pool_backward_input(
    dy: Array,
    y: Array,
    argmax: Array,
    kernel: Array,
    dx: Array,
    *,
    convolution: Convolution,
    pooling: Pooling,
    activation: str = "linear",
    **numbers: Unpack[Numbers],
) -> None:
    """dx of conv2d_pool, not average."""
    shape = geometry.conv2d_shape(dx.shape, kernel.shape, **convolution)
    dz = _unpooled(dy, y, argmax, shape, activation, pooling, numbers)
    conv2d_backward_input(dz, kernel, dx, **convolution)


@op(
    flops=CONVOLUTION_FLOPS,
    typical=[
        call(
            "100 x 28x28x1, 5x5, 6, mean 2x2", x=(100, 28, 28, 1), kernel=(5, 5, 1, 6),
            convolution=SAME5, pooling=HALVED, activation="sigmoid",
        )
    ],
)  # fmt: skip
def conv2d_pool_map(
    x: Array,
    kernel: Array,
    bias: Array | None,
    y: Array,
    map: Array,
    *,
    convolution: Convolution,
    pooling: Pooling,
    activation: str = "linear",
    **numbers: Unpack[Numbers],
) -> None:
    """y = avg_pool2d of map, map (N,O,OH,OW) = activation(x (*) kernel + bias) in planes, for the gradient."""
    z = np.empty(geometry.conv2d_shape(x.shape, kernel.shape, **convolution), y.dtype)
    conv2d(x, kernel, bias, z, **convolution, activation=activation, **numbers)
    avg_pool2d(z, y, **pooling)
    map[...] = z.transpose(0, 3, 1, 2)


@op(
    flops=CONVOLUTION_FLOPS,
    typical=[
        call(
            "100 x 28x28x1, 5x5, 6, mean 2x2", x=(100, 28, 28, 1), dkernel=(5, 5, 1, 6),
            convolution=SAME5, pooling=HALVED, activation="sigmoid",
        )
    ],
)  # fmt: skip
def conv2d_pool_map_backward_kernel(
    x: Array,
    dy: Array,
    map: Array,
    dkernel: Array,
    dbias: Array | None,
    *,
    convolution: Convolution,
    pooling: Pooling,
    activation: str = "linear",
    **numbers: Unpack[Numbers],
) -> None:
    """dkernel and dbias of conv2d_pool_map."""
    z = np.ascontiguousarray(map.transpose(0, 2, 3, 1))
    dz = np.empty_like(z)
    avg_pool2d_backward(dy, dz, **pooling)
    if activation != "linear":
        activation_backward(dz, z, dz, activation, **numbers)
    conv2d_backward_kernel(x, dz, dkernel, **convolution)
    if dbias is not None:
        bias_backward(dz, dbias)
