"""LeNet-5's own layers as native steps: the scaled tanh, trained subsampling, convolution with a connection table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from pellucid.layers import Layer, ScaledTanh, Subsampling2D, TableConv2D
from pellucid.ops import native
from pellucid.ops.geometry import Array
from pellucid.plan.convolution import convolve
from pellucid.plan.lowered import Context, Lowered
from pellucid.plan.work import Work


def affine(context: Context, x: Array, y: Array, scale: Array, offset: Array | None, *, factor: float) -> native.Step:
    """y = x * scale * factor + offset, channel by channel: batch normalisation in use, with mean 0."""
    channels = x.shape[-1]
    zeros = context.constant(channels, 0)
    variance = context.constant(channels, 1 / factor**2)
    return native.batch_norm_inference(x, scale, zeros if offset is None else offset, zeros, variance, y, epsilon=0.0)


def lower_scaled_tanh(context: Context, layers: tuple[Layer, ...], before: Lowered) -> Lowered | None:
    """y = A tanh(S x), its tanh kept for the way back."""
    layer, x = cast(ScaledTanh, layers[0]), before.y
    channels = x.shape[-1]
    tanh, y = context.output(x.shape[1:]), context.output(x.shape[1:])

    def scaled(source: Array, target: Array, factor: float) -> native.Step:
        return affine(context, source, target, context.constant(channels, factor), None, factor=1)

    forward = (
        scaled(x, tanh, layer.slope),
        native.activation(tanh, tanh, "tanh"),
        scaled(tanh, y, layer.amplitude),
    )

    def backward(dy: Array, dx: Array) -> Sequence[Work]:
        return (
            native.activation_backward(dy, tanh, dy, "tanh"),
            scaled(dy, dx, layer.amplitude * layer.slope),
        )

    return Lowered(layers, y, forward, backward)


def lower_subsampling2d(context: Context, layers: tuple[Layer, ...], before: Lowered) -> Lowered | None:
    """Average pooling, and a trained multiple of it."""
    layer, x = cast(Subsampling2D, layers[0]), before.y
    kernel, bias = context.parameter(layer, "kernel"), context.parameter(layer, "bias")
    if kernel is None or bias is None:
        return None
    settings = layer.options(x.shape[1:])
    shape, taps = context.shapes[layer.name], math.prod(layer.pool_size)
    means, y = context.output(shape), context.output(shape)
    forward = (native.avg_pool2d(x, means, **settings), affine(context, means, y, kernel, bias, factor=taps))

    def backward(dy: Array, dx: Array | None) -> Sequence[Work]:
        work: list[Work] = []
        dkernel, dbias = context.gradient(layer, "kernel"), context.gradient(layer, "bias")
        if dkernel is not None and dbias is not None:
            ones, zeros = context.constant(len(kernel), 1), context.constant(len(kernel), 0)
            variance = context.constant(len(kernel), 1 / taps**2)
            work.append(native.batch_norm_backward(dy, means, ones, zeros, variance, None, dkernel, dbias, epsilon=0.0))
        if dx is not None:
            shares = context.buffer(dy.shape)
            work.append(affine(context, dy, shares, kernel, None, factor=taps))
            work.append(native.avg_pool2d_backward(shares, dx, **settings))
        return work

    return Lowered(layers, y, forward, backward)


def lower_table_conv2d(context: Context, layers: tuple[Layer, ...], before: Lowered) -> Lowered | None:
    """The small kernels laid into a dense one before, its gradient gathered behind; both are a few kilobytes."""
    conv = cast(TableConv2D, layers[0])
    kernel = context.parameter(conv, "kernel")
    if kernel is None:
        return None
    places = (slice(None), slice(None), conv.inputs, conv.outputs)
    dense = context.buffer((*conv.kernel_size, before.y.shape[-1], conv.filters))
    dense[...] = 0
    dkernel = context.gradient(conv, "kernel") if context.training else None
    ddense = None if dkernel is None else context.buffer(dense.shape)
    node = convolve(context, layers, before.y, dense, ddense, conv.options(before.y.shape[1:]))
    if node is None:
        return None

    def lay(n: int) -> None:
        dense[places] = kernel

    def gather(n: int) -> None:
        if dkernel is not None and ddense is not None:
            dkernel[...] = ddense[places]

    def backward(dy: Array, dx: Array | None) -> Sequence[Work]:
        return [*node.backward(dy, dx), *([] if dkernel is None else [gather])]

    return replace(node, forward=(lay, *node.forward), backward=backward)
