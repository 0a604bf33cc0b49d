"""In use: blocks 1x1, depthwise, 1x1 (MobileNetV2, EfficientNet-Lite) as one step that writes no wide map."""

from __future__ import annotations

from typing import cast

from pellucid.layers import Layer
from pellucid.layers.conv import BaseConv2D
from pellucid.layers.depthwise import POINTWISE
from pellucid.ops import native
from pellucid.ops.geometry import Array, Convolution, Shape, conv2d_shape
from pellucid.plan.lowered import Context, Lowered, activation_of


def lower_inverted_residual(
    context: Context, layers: tuple[Layer, ...], before: Lowered, *added: Lowered
) -> Lowered | None:
    """[convolution 1x1, activation,] depthwise convolution, the same activation, convolution 1x1 [+ what is added]."""
    if context.training or len(added) > 1:
        return None
    convs = [layer for layer in layers if isinstance(layer, BaseConv2D)]
    deep = convs[-2]
    activations = [activation_of(layers[layers.index(conv) + 1]) for conv in convs[:-1]]
    scaled = [context.scaled(conv, "kernel") for conv in convs]
    kernels, scales = ([pair[i] for pair in scaled] for i in (0, 1))
    shape, around = before.y.shape[1:-1], [conv for conv in convs if conv is not deep]
    if any(conv.nonlinearity is not None for conv in convs) or any(kernel is None for kernel in kernels):
        return None
    if not all(_pointwise(conv, shape) for conv in around):
        return None
    if activations[0] is None or activations[0] != activations[-1] or deep.dilation_rate != (1, 1):
        return None

    x, kind, numbers = before.y, *activations[0]
    expand = None if convs[0] is deep else cast(Array, kernels[0])[0, 0]
    kernel, project = cast(Array, kernels[-2]), cast(Array, kernels[-1])[0, 0]
    wide = (*x.shape[:-1], kernel.shape[-2])
    settings = deep.options(wide[1:])
    window: Convolution = {"strides": settings["strides"], "padding": settings["padding"]}
    if kernel.shape[-1] > 1 or not native.inverted_residual_runs(x.shape, kernel[..., 0].shape, project.shape, window):
        return None
    y = context.output((*conv2d_shape(wide, deep.as_filters(kernel).shape, **settings)[1:-1], project.shape[-1]))
    biases = [context.parameter(conv, "bias") for conv in convs]
    kernel = cast(Array, context.parameter(deep, "kernel"))
    step = native.inverted_residual(
        x,
        expand,
        None if expand is None else biases[0],
        kernel[..., 0],
        biases[-2],
        project,
        biases[-1],
        y,
        addend=added[0].y if added else None,
        expand_scale=None if expand is None else scales[0],
        project_scale=scales[-1],
        activation=kind,
        **numbers,
        **window,
    )
    return Lowered(layers, y, (step,))


def _pointwise(conv: BaseConv2D, size: Shape) -> bool:
    """Whether it sees one place; strides and padding show on a map of this size, whatever its channels."""
    window: Convolution = {**conv.options((*size, 1)), "dilation": (1, 1)}
    return conv.kernel_size == (1, 1) and window == {**POINTWISE, "dilation": (1, 1), "groups": 1}
