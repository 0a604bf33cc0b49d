"""Convolution as native steps, with the activation behind it, and in use the sum with another value between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from pellucid import ops
from pellucid.layers import Layer, SeparableConv2D
from pellucid.layers.conv import BaseConv2D
from pellucid.layers.depthwise import POINTWISE
from pellucid.ops import native
from pellucid.ops.geometry import Array, Convolution, conv2d_shape
from pellucid.plan.lowered import Context, Lowered, activation_behind
from pellucid.plan.work import Work


def lower_conv2d(context: Context, layers: tuple[Layer, ...], before: Lowered, *added: Lowered) -> Lowered | None:
    """convolution + bias + what is added + activation: y = f(x * kernel + b + addend)."""
    conv = cast(BaseConv2D, layers[0])
    kernel, scale, dkernel = _filters(context, conv, "kernel")
    if kernel is None or not _may_add(context, conv, added):
        return None
    return convolve(context, layers, before.y, kernel, dkernel, conv.options(before.y.shape[1:]), *added, scale=scale)


def lower_separable_conv2d(
    context: Context, layers: tuple[Layer, ...], before: Lowered, *added: Lowered
) -> Lowered | None:
    """depthwise convolution, then as `lower_conv2d` with the pointwise kernel: y = f((x * kernel) * pointwise + b)."""
    conv, x = cast(SeparableConv2D, layers[0]), before.y
    kernel, _, dkernel = _filters(context, conv, "depthwise_kernel")
    pointwise, scale = context.scaled(conv, "pointwise_kernel")
    if kernel is None or pointwise is None or not _may_add(context, conv, added):
        return None
    settings = conv.options(x.shape[1:])
    d = context.output(conv2d_shape(x.shape, kernel.shape, **settings)[1:])
    dpointwise = context.gradient(conv, "pointwise_kernel")
    node = convolve(context, layers, d, pointwise, dpointwise, POINTWISE, *added, scale=scale)
    if node is None:
        return None

    def backward(dy: Array, dx: Array | None, addend: Array | None = None) -> Sequence[Work]:
        if dkernel is None and dx is None:
            return node.backward(dy, None)
        dd = context.buffer(d.shape)
        return [*node.backward(dy, dd), *back_through(x, kernel, dd, dkernel, dx, settings, addend)]

    step = native.conv2d(x, kernel, None, d, **settings)
    return replace(node, forward=(step, *node.forward), backward=backward)


def _filters(context: Context, conv: BaseConv2D, name: str) -> tuple[Array | None, Array | None, Array | None]:
    """A parameter that slides, its filters' scale, and where its gradient goes, as operations take kernels."""
    (kernel, scale), dkernel = context.scaled(conv, name), context.gradient(conv, name)
    slide, dslide = (None if array is None else conv.as_filters(array) for array in (kernel, dkernel))
    return slide, scale, dslide


def _may_add(context: Context, conv: BaseConv2D, added: Sequence[Lowered]) -> bool:
    """Whether these values may be added to its sums."""
    return not added or (not context.training and conv.nonlinearity is None and len(added) == 1)


def convolve(
    context: Context,
    layers: tuple[Layer, ...],
    x: Array,
    kernel: Array,
    dkernel: Array | None,
    settings: Convolution,
    added: Lowered | None = None,
    *,
    scale: Array | None = None,
) -> Lowered | None:
    """The same with a kernel from anywhere, and its gradient to anywhere. scale: of its filters, in use."""
    conv = layers[0]
    activation = activation_behind(conv, layers[1 if added is None else 2 :])
    if activation is None or activation[0] == "softmax":
        return None
    bias = context.parameter(conv, "bias")
    kind, numbers = activation
    addend = None if added is None else added.y
    apart = context.training and kind in ops.READ_INPUT
    y = z = context.output(conv2d_shape(x.shape, kernel.shape, **settings)[1:])

    def backward(dy: Array, dx: Array | None, addend: Array | None = None) -> Sequence[Work]:
        work: list[Work] = []
        if kind != "linear":
            work.append(native.activation_backward(dy, z, dy, kind, **numbers))
        dbias = context.gradient(conv, "bias")
        if dbias is not None:
            work.append(native.bias_backward(dy, dbias))
        return [*work, *back_through(x, kernel, dy, dkernel, dx, settings, addend)]

    inside = "linear" if apart else kind
    sums = {"addend": addend, "scale": scale, "activation": inside, **numbers, **settings}
    forward = [native.conv2d(x, kernel, bias, z, **sums)]
    if apart:  # the gradient reads the sums
        y = context.output(z.shape[1:])
        forward.append(native.activation(z, y, kind, **numbers))
    return Lowered(layers, y, forward, backward, needs_output=kind != "linear" and not apart, adds=True)


def back_through(
    x: Array,
    kernel: Array,
    dy: Array,
    dkernel: Array | None,
    dx: Array | None,
    settings: Convolution,
    addend: Array | None = None,
) -> list[Work]:
    """From the gradient of a convolution's sums to those of its kernel and of x (+ addend), where they are wanted."""
    work: list[Work] = [] if dkernel is None else [native.conv2d_backward_kernel(x, dy, dkernel, **settings)]
    return work if dx is None else [*work, native.conv2d_backward_input(dy, kernel, dx, addend=addend, **settings)]
