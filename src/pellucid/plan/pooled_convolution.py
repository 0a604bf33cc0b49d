"""Convolution, activation and pooling that run as one step each way, and never write the unpooled map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict, cast

import numpy as np

from pellucid.layers import AvgPool2D, Conv2D, Layer, MaxPool2D
from pellucid.layers.activation import LEAKY_ACTIVATION_SLOPE
from pellucid.ops import native
from pellucid.ops.geometry import Array, Pads, Pair
from pellucid.plan.node import Context, Node
from pellucid.plan.settings import activation_of, convolution, pads
from pellucid.plan.work import Work


class _Pooling(TypedDict):
    pool_size: Pair
    pool_strides: Pair
    pool_padding: Pads


_IN_TILES: _Pooling = {"pool_size": (2, 2), "pool_strides": (2, 2), "pool_padding": ((0, 0), (0, 0))}


def lower_conv2d_pool(context: Context, layers: tuple[Layer, ...], before: Node) -> Node | None:
    """convolution + bias + activation + pooling: y = pool(f(x * kernel + b)).

    Maximum: every activation rises, so f and its gradient act on the pooled numbers, and one byte each says where the
    gradient goes. Where Winograd's algorithm pays, it saves more than the unpooled map costs, so then only pooling that
    its tiles hold is merged (2x2, stride 2). Average: only without an activation, whose gradient needs the unpooled map
    (LeNet's sigmoids also infer in 2.9 ms by themselves, in 3.9 ms merged).
    """
    conv, pool = cast(Conv2D, layers[0]), cast("MaxPool2D | AvgPool2D", layers[-1])
    kind, slope = conv.activation or "linear", LEAKY_ACTIVATION_SLOPE
    if len(layers) == 3:
        after = activation_of(layers[1])
        if kind != "linear" or after is None:
            return None
        kind, slope = after
    average = type(pool) is AvgPool2D
    x, window = before.y, pool.pool_size
    kernel, bias = context.parameter(conv, "kernel"), context.parameter(conv, "bias")
    if kernel is None or kind == "softmax" or window[0] * window[1] > native.MAX_POOL_TAPS:
        return None
    settings = convolution(conv, x)
    unpooled = conv.output_shape(x.shape[1:])
    pooling: _Pooling = {
        "pool_size": window,
        "pool_strides": pool.strides,
        "pool_padding": pads(pool, (len(x), *unpooled), window, (1, 1)),
    }
    in_tiles = not average and pooling == _IN_TILES
    if (average and kind != "linear") or not (in_tiles or native.conv2d_choice(x, kernel, **settings) == "direct"):
        return None
    y = context.output(pool.output_shape(unpooled))
    argmax = None if average or not context.training else context.buffer(y.shape, np.uint8)

    def backward_max(dy: Array, dx: Array | None) -> Sequence[Work]:
        places = cast(Array, argmax)
        work: list[Work] = []
        dkernel, dbias = context.gradient(conv, "kernel"), context.gradient(conv, "bias")
        if dkernel is not None:
            step = native.conv2d_pool_backward_kernel(
                x, dy, y, places, dkernel, dbias, activation=kind, slope=slope, **settings, **pooling
            )
            work.append(step)
        if dx is not None:
            step = native.conv2d_pool_backward_input(
                dy, y, places, kernel, dx, activation=kind, slope=slope, **settings, **pooling
            )
            work.append(step)
        return work

    def backward_average(dy: Array, dx: Array | None) -> Sequence[Work]:
        dz = context.output(unpooled)
        padding = pooling["pool_padding"]
        work: list[Work] = [native.avg_pool2d_backward(dy, dz, pool_size=window, strides=pool.strides, padding=padding)]
        dkernel, dbias = context.gradient(conv, "kernel"), context.gradient(conv, "bias")
        if dbias is not None:
            work.append(native.bias_backward(dz, dbias))
        if dkernel is not None:
            work.append(native.conv2d_backward_kernel(x, dz, dkernel, **settings))
        if dx is not None:
            work.append(native.conv2d_backward_input(dz, kernel, dx, **settings))
        return work

    step = native.conv2d_pool(
        x, kernel, bias, y, argmax,
        activation=kind, slope=slope, pool="average" if average else "max", **settings, **pooling,
    )  # fmt: skip
    backward = backward_average if average else backward_max
    # A ReLU's zeros are marked in argmax; the other activations' gradients are functions of y.
    return Node(layers, y, (step,), backward, needs_output=kind not in ("linear", "relu"))
