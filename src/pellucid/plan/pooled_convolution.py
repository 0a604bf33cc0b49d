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
    its tiles hold is merged (2x2, stride 2). Average: only without an activation, whose gradient needs the unpooled
    map; with one, see `_average_after`.
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
    if average and kind != "linear":
        return _average_after(context, layers, before, kind, slope) if context.training else None
    pooling: _Pooling = {
        "pool_size": window,
        "pool_strides": pool.strides,
        "pool_padding": pads(pool, (len(x), *unpooled), window, (1, 1)),
    }
    in_tiles = not average and pooling == _IN_TILES
    if not (in_tiles or native.conv2d_choice(x, kernel, **settings) == "direct"):
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
        dkernel, dbias = context.gradient(conv, "kernel"), context.gradient(conv, "bias")
        work: list[Work] = [
            native.avg_pool2d_backward(dy, dz, pool_size=window, strides=pool.strides, padding=padding, dbias=dbias)
        ]
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


def _average_after(context: Context, layers: tuple[Layer, ...], before: Node, kind: str, slope: float) -> Node:
    """convolution + bias + activation, then average pooling of the map z they leave: y = mean of z.

    Back, one pass goes through pooling and activation and sums up the bias's gradient; what it makes overwrites z.
    """
    conv, pool = cast(Conv2D, layers[0]), cast(AvgPool2D, layers[-1])
    x, settings = before.y, convolution(conv, before.y)
    kernel, bias = cast(Array, context.parameter(conv, "kernel")), context.parameter(conv, "bias")
    z = context.output(conv.output_shape(x.shape[1:]))
    window, strides, padding = pool.pool_size, pool.strides, pads(pool, z.shape, pool.pool_size, (1, 1))
    y = context.output(pool.output_shape(z.shape[1:]))

    def backward(dy: Array, dx: Array | None) -> Sequence[Work]:
        dkernel, dbias = context.gradient(conv, "kernel"), context.gradient(conv, "bias")
        work: list[Work] = [
            native.avg_pool2d_backward(
                dy, z, pool_size=window, strides=strides, padding=padding,
                y=z, activation=kind, slope=slope, dbias=dbias,
            )
        ]  # fmt: skip
        if dkernel is not None:
            work.append(native.conv2d_backward_kernel(x, z, dkernel, **settings))
        if dx is not None:
            work.append(native.conv2d_backward_input(z, kernel, dx, **settings))
        return work

    forward = (
        native.conv2d(x, kernel, bias, z, activation=kind, slope=slope, **settings),
        native.avg_pool2d(z, y, pool_size=window, strides=strides, padding=padding),
    )
    return Node(layers, y, forward, backward)
