"""What layers say about themselves, in the words of ops."""

from __future__ import annotations

from typing import TypedDict

from pellucid.layers import Activation, AvgPool2D, Conv2D, Layer, LeakyReLU, MaxPool2D, ReLU, Sigmoid, Tanh
from pellucid.layers.activation import LEAKY_ACTIVATION_SLOPE
from pellucid.ops import geometry
from pellucid.ops.geometry import Array, Pads, Pair, Shape


def activation_of(layer: Layer) -> tuple[str, float] | None:
    """(kind, slope) of an activation layer that acts on each number alone; None for softmax."""
    if type(layer) is LeakyReLU:
        return "leaky_relu", float(layer.negative_slope)
    if type(layer) is Activation:
        return None if layer.activation == "softmax" else (layer.activation or "linear", LEAKY_ACTIVATION_SLOPE)
    names: dict[type[Layer], str] = {ReLU: "relu", Sigmoid: "sigmoid", Tanh: "tanh"}
    return names[type(layer)], 0.0


def pads(layer: Conv2D | MaxPool2D | AvgPool2D, shape: Shape, kernel: Pair, dilation: Pair) -> Pads:
    """The layer's padding in pixels for inputs (N, H, W, C) of this shape."""
    return geometry.resolve_padding(layer.padding, (shape[1], shape[2]), kernel, layer.strides, dilation)


class Convolution(TypedDict):
    strides: Pair
    padding: Pads
    dilation: Pair
    groups: int


def convolution(conv: Conv2D, x: Array) -> Convolution:
    """A convolution's arguments for inputs like x."""
    return {
        "strides": conv.strides,
        "padding": pads(conv, x.shape, conv.kernel_size, conv.dilation_rate),
        "dilation": conv.dilation_rate,
        "groups": conv.groups,
    }
