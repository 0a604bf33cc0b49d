"""Xception: blocks of separable convolutions with shortcuts around them."""

from __future__ import annotations

from functools import partial
from typing import Any

from pellucid.keras.networks.application import application
from pellucid.keras.networks.parts import Top
from pellucid.keras.networks.scaling import decode_predictions as decode_predictions
from pellucid.keras.networks.scaling import to_one as preprocess_input
from pellucid.layers import Activation, Add, BatchNorm, Conv2D, MaxPool2D, SeparableConv2D

__all__ = ["Xception", "decode_predictions", "preprocess_input"]


def _normed(layer: Any, x: Any) -> Any:
    named = "" if layer.auto_named else f"{layer.name}_bn"
    return BatchNorm(name=named or None)(layer(x))


def _separable(x: Any, filters: int, name: str, number: int, *, first: bool = True) -> Any:
    """ReLU, then the separable convolution; first=False: ReLU behind it."""
    relu = Activation("relu", name=f"{name}_sepconv{number}_act")
    conv = SeparableConv2D(filters, 3, padding="same", use_bias=False, name=f"{name}_sepconv{number}")
    return _normed(conv, relu(x)) if first else relu(_normed(conv, x))


def _halved(x: Any, filters: Any, number: int) -> Any:
    """Two separable convolutions and a pooling, with a projected shortcut around them."""
    name, conv = f"block{number}", partial(Conv2D, use_bias=False)
    shortcut = _normed(conv(filters[1], 1, strides=2, padding="same"), x)
    if number == 2:  # behind whose input ReLU stands already
        first = SeparableConv2D(filters[0], 3, padding="same", use_bias=False, name=f"{name}_sepconv1")
        x = _normed(first, x)
    else:
        x = _separable(x, filters[0], name, 1)
    x = _separable(x, filters[1], name, 2)
    x = MaxPool2D(3, strides=2, padding="same", name=f"{name}_pool")(x)
    return Add()([x, shortcut])


def _xception(x: Any, top: Top | None) -> Any:
    conv = partial(Conv2D, use_bias=False)
    for number, (filters, strides) in enumerate(((32, 2), (64, 1)), start=1):
        name = f"block1_conv{number}"
        x = Activation("relu", name=f"{name}_act")(_normed(conv(filters, 3, strides=strides, name=name), x))
    for number, filters in ((2, 128), (3, 256), (4, 728)):
        x = _halved(x, (filters, filters), number)
    for number in range(5, 13):
        y = x
        for part in (1, 2, 3):
            y = _separable(y, 728, f"block{number}", part)
        x = Add()([y, x])
    x = _halved(x, (728, 1024), 13)
    x = _separable(x, 1536, "block14", 1, first=False)
    x = _separable(x, 2048, "block14", 2, first=False)
    return x if top is None else top(x)


Xception = application(
    "Xception",
    _xception,
    size=299,
    least=71,
    doc="""36 convolutions, 34 of them separable, in 14 blocks, 12 with shortcuts. 22,910,480 parameters.

    Source: Chollet 2017, figure 5.""",
)
