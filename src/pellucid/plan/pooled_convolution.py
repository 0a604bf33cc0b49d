"""Convolution, activation and pooling that run as one step each way, and never write the unpooled map."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from pellucid import ops
from pellucid.layers import AvgPool2D, Conv2D, Layer, MaxPool2D
from pellucid.ops import native
from pellucid.ops.geometry import NO_PADS, Array, Pooling
from pellucid.ops.table import Numbers
from pellucid.plan.convolution import back_through
from pellucid.plan.lowered import Context, Lowered, activation_behind
from pellucid.plan.work import Work

_IN_TILES: Pooling = {"pool_size": (2, 2), "strides": (2, 2), "padding": NO_PADS}


def lower_conv2d_pool(context: Context, layers: tuple[Layer, ...], before: Lowered) -> Lowered | None:
    """convolution + bias + activation + pooling: y = pool(f(x * kernel + b)).

    Not for an activation whose gradient reads its input: it does not rise. Maximum: all others do, so f and its
    gradient act on the pooled numbers, and one byte each says where the
    gradient goes. Where Winograd's algorithm pays, it saves more than the unpooled map costs, so then only pooling that
    its tiles hold is merged (2x2, stride 2). Average: only without an activation, whose gradient needs the unpooled
    map; with one, see `_average_after`.
    """
    conv, pool = cast(Conv2D, layers[0]), cast("MaxPool2D | AvgPool2D", layers[-1])
    activation = activation_behind(conv, layers[1:-1])
    kernel, bias = context.parameter(conv, "kernel"), context.parameter(conv, "bias")
    if kernel is None or activation is None or activation[0] in ("softmax", *ops.READ_INPUT):
        return None
    if conv.groups > 1 and kernel.shape[2] == 1:  # filters of one channel each are quicker by themselves
        return None
    if math.prod(pool.pool_size) > ops.MAX_POOL_TAPS:
        return None
    x, (kind, numbers) = before.y, activation
    average = type(pool) is AvgPool2D
    settings = conv.options(x.shape[1:])
    unpooled = context.shapes[conv.name]
    window = pool.options(unpooled)
    if pool.counted(unpooled) != NO_PADS:
        return None
    if average and kind != "linear" and not context.training:
        return None
    if average and kind != "linear":
        merged = not before.layers and native.conv2d_pool_map_pays(x, kernel, convolution=settings, pooling=window)
        return (_average_of_map if merged else _average_after)(context, layers, before, kind, numbers)
    in_tiles = not average and window == _IN_TILES
    if not (in_tiles or native.conv2d_choice(x, kernel, **settings) == "direct"):
        return None
    options: dict[str, Any] = {"convolution": settings, "pooling": window, "activation": kind, **numbers}
    y = context.output_of(pool)
    argmax = None if average or not context.training else context.buffer(y.shape, np.uint8)

    def backward_max(dy: Array, dx: Array | None) -> Sequence[Work]:
        places = cast(Array, argmax)
        work: list[Work] = []
        dkernel, dbias = context.gradient(conv, "kernel"), context.gradient(conv, "bias")
        if dkernel is not None:
            work.append(native.conv2d_pool_backward_kernel(x, dy, y, places, dkernel, dbias, **options))
        if dx is not None:
            work.append(native.conv2d_pool_backward_input(dy, y, places, kernel, dx, **options))
        return work

    def backward_average(dy: Array, dx: Array | None) -> Sequence[Work]:
        dz = context.output(unpooled)
        dkernel, dbias = context.gradient(conv, "kernel"), context.gradient(conv, "bias")
        pooled = native.avg_pool2d_backward(dy, dz, **window, dbias=dbias)
        return [pooled, *back_through(x, kernel, dz, dkernel, dx, settings)]

    step = native.conv2d_pool(x, kernel, bias, y, argmax, average=average, **options)
    backward = backward_average if average else backward_max
    # A ReLU's zeros are marked in argmax; the other activations' gradients are functions of y.
    return Lowered(layers, y, (step,), backward, needs_output=kind not in ("linear", "relu"))


def _average_after(
    context: Context, layers: tuple[Layer, ...], before: Lowered, kind: str, numbers: Numbers
) -> Lowered:
    """convolution + bias + activation, then average pooling of the map z they leave: y = mean of z.

    Back, one pass goes through pooling and activation and sums up the bias's gradient; what it makes overwrites z.
    """
    conv, pool = cast(Conv2D, layers[0]), cast(AvgPool2D, layers[-1])
    x, settings = before.y, conv.options(before.y.shape[1:])
    kernel, bias = cast(Array, context.parameter(conv, "kernel")), context.parameter(conv, "bias")
    z = context.output_of(conv)
    window = pool.options(z.shape[1:])
    y = context.output_of(pool)

    def backward(dy: Array, dx: Array | None) -> Sequence[Work]:
        dkernel, dbias = context.gradient(conv, "kernel"), context.gradient(conv, "bias")
        pooled = native.avg_pool2d_backward(dy, z, **window, y=z, activation=kind, **numbers, dbias=dbias)
        return [pooled, *back_through(x, kernel, z, dkernel, dx, settings)]

    forward = (
        native.conv2d(x, kernel, bias, z, activation=kind, **numbers, **settings),
        native.avg_pool2d(z, y, **window),
    )
    return Lowered(layers, y, forward, backward)


def _average_of_map(
    context: Context, layers: tuple[Layer, ...], before: Lowered, kind: str, numbers: Numbers
) -> Lowered:
    """The same where the pictures themselves are read: no gradient of them is wanted, and the map may lie in planes."""
    conv, pool = cast(Conv2D, layers[0]), cast(AvgPool2D, layers[-1])
    x, kernel, bias = before.y, cast(Array, context.parameter(conv, "kernel")), context.parameter(conv, "bias")
    height, width, filters = shape = context.shapes[conv.name]
    window = pool.options(shape)
    planes, y = context.buffer((len(x), filters, height, width)), context.output_of(pool)
    options: dict[str, Any] = {
        "convolution": conv.options(x.shape[1:]),
        "pooling": window,
        "activation": kind,
        **numbers,
    }

    def backward(dy: Array, dx: Array | None) -> Sequence[Work]:
        dkernel, dbias = context.gradient(conv, "kernel"), context.gradient(conv, "bias")
        if dkernel is None:
            return ()
        return (native.conv2d_pool_map_backward_kernel(x, dy, planes, dkernel, dbias, **options),)

    return Lowered(layers, y, (native.conv2d_pool_map(x, kernel, bias, y, planes, **options),), backward)
