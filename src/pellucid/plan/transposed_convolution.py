"""Transposed convolution as native steps: a convolution's gradient of its input, and back that convolution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from pellucid import ops
from pellucid.layers import Conv2DTranspose, Layer
from pellucid.ops import native
from pellucid.ops.geometry import Array
from pellucid.plan.lowered import Context, Lowered, activation_behind
from pellucid.plan.work import Work


def lower_conv2d_transpose(context: Context, layers: tuple[Layer, ...], before: Lowered) -> Lowered | None:
    """transposed convolution + bias + activation, in one step."""
    conv, x = cast(Conv2DTranspose, layers[0]), before.y
    kernel, bias = context.parameter(conv, "kernel"), context.parameter(conv, "bias")
    activation = activation_behind(conv, layers[1:])
    if kernel is None or activation is None or activation[0] == "softmax":
        return None
    (kind, numbers), settings = activation, conv.options(x.shape[1:])
    apart = context.training and kind in ops.READ_INPUT  # the gradient reads the sums
    y = z = context.output_of(conv)
    inside = "linear" if apart else kind
    forward = [native.conv2d_backward_input(x, kernel, z, bias=bias, activation=inside, **numbers, **settings)]
    if apart:
        y = context.output(z.shape[1:])
        forward.append(native.activation(z, y, kind, **numbers))

    def backward(dy: Array, dx: Array | None, addend: Array | None = None) -> Sequence[Work]:
        dkernel, dbias = context.gradient(conv, "kernel"), context.gradient(conv, "bias")
        work: list[Work] = [] if kind == "linear" else [native.activation_backward(dy, z, dy, kind, **numbers)]
        if dbias is not None:
            work.append(native.bias_backward(dy, dbias))
        if dkernel is not None:
            work.append(native.conv2d_backward_kernel(dy, x, dkernel, **settings))
        if dx is not None:
            work.append(native.conv2d(dy, kernel, None, dx, addend=addend, **settings))
        return work

    return Lowered(layers, y, forward, backward, needs_output=kind != "linear" and not apart, adds=True)
