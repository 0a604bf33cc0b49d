"""Convolution as native steps, with the activation behind it, and in use the sum with another value between them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from pellucid.layers import Conv2D, Layer
from pellucid.ops import native
from pellucid.ops.geometry import Array, Convolution
from pellucid.plan.lowered import Context, Lowered, activation_behind
from pellucid.plan.work import Work


def lower_conv2d(context: Context, layers: tuple[Layer, ...], before: Lowered, *added: Lowered) -> Lowered | None:
    """convolution + bias + what is added + activation: y = f(x * kernel + b + addend)."""
    conv = layers[0]
    kernel = context.parameter(conv, "kernel")
    if kernel is None or (added and (context.training or conv.nonlinearity is not None or len(added) > 1)):
        return None
    return convolve(context, layers, before, kernel, context.gradient(conv, "kernel"), *added)


def convolve(
    context: Context,
    layers: tuple[Layer, ...],
    before: Lowered,
    kernel: Array,
    dkernel: Array | None,
    added: Lowered | None = None,
) -> Lowered | None:
    """The same with a kernel from anywhere, and its gradient to anywhere."""
    conv = cast(Conv2D, layers[0])
    activation = activation_behind(conv, layers[1 if added is None else 2 :])
    if activation is None or activation[0] == "softmax":
        return None
    bias = context.parameter(conv, "bias")
    x, (kind, slope) = before.y, activation
    settings, addend = conv.options(x.shape[1:]), None if added is None else added.y
    y = context.output(conv.output_shape(x.shape[1:]))

    def backward(dy: Array, dx: Array | None) -> Sequence[Work]:
        work: list[Work] = []
        if kind != "linear":
            work.append(native.activation_backward(dy, y, dy, kind, slope=slope))
        dbias = context.gradient(conv, "bias")
        if dbias is not None:
            work.append(native.bias_backward(dy, dbias))
        return [*work, *back_through(x, kernel, dy, dkernel, dx, settings)]

    step = native.conv2d(x, kernel, bias, y, activation=kind, slope=slope, addend=addend, **settings)
    return Lowered(layers, y, (step,), backward, needs_output=kind != "linear")


def back_through(
    x: Array, kernel: Array, dy: Array, dkernel: Array | None, dx: Array | None, settings: Convolution
) -> list[Work]:
    """From the gradient of a convolution's sums to those of its kernel and of x, where they are wanted."""
    work: list[Work] = [] if dkernel is None else [native.conv2d_backward_kernel(x, dy, dkernel, **settings)]
    return work if dx is None else [*work, native.conv2d_backward_input(dy, kernel, dx, **settings)]
