"""What layers say about themselves, in the words of ops."""

from __future__ import annotations

from pellucid.layers import (
    Activation,
    AvgPool2D,
    Conv2D,
    Dense,
    Layer,
    LeakyReLU,
    MaxPool2D,
    ReLU,
    Sigmoid,
    Subsampling2D,
    Tanh,
)
from pellucid.layers.activation import LEAKY_ACTIVATION_SLOPE
from pellucid.ops import geometry
from pellucid.ops.geometry import Array, Convolution, Pooling, Shape


def activation_of(layer: Layer) -> tuple[str, float] | None:
    """(kind, slope) of an activation layer that acts on each number alone; None for softmax."""
    if type(layer) is LeakyReLU:
        return "leaky_relu", float(layer.negative_slope)
    if type(layer) is Activation:
        return None if layer.activation == "softmax" else (layer.activation or "linear", LEAKY_ACTIVATION_SLOPE)
    names: dict[type[Layer], str] = {ReLU: "relu", Sigmoid: "sigmoid", Tanh: "tanh"}
    return names[type(layer)], 0.0


def activation_behind(layer: Conv2D | Dense, after: tuple[Layer, ...]) -> tuple[str, float] | None:
    """(kind, slope) of what acts on a layer's result: its own activation, perhaps softmax, or the layer `after` it.

    None where both do, or where the layer after it is a softmax.
    """
    if not after:
        return layer.activation or "linear", LEAKY_ACTIVATION_SLOPE
    return activation_of(after[0]) if (layer.activation or "linear") == "linear" else None


def convolution(conv: Conv2D, x: Array) -> Convolution:
    """A convolution's options for inputs like x."""
    return {
        "strides": conv.strides,
        "padding": geometry.resolve_padding(
            conv.padding, x.shape[1:3], conv.kernel_size, conv.strides, conv.dilation_rate
        ),
        "dilation": conv.dilation_rate,
        "groups": conv.groups,
    }


def pooling(pool: MaxPool2D | AvgPool2D | Subsampling2D, shape: Shape) -> Pooling:
    """A pooling's options for inputs (N, H, W, C) of this shape."""
    padding = geometry.resolve_padding(pool.padding, (shape[1], shape[2]), pool.pool_size, pool.strides)
    return {"pool_size": pool.pool_size, "strides": pool.strides, "padding": padding}
