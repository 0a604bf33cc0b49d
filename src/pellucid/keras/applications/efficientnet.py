"""EfficientNet: one network, made wider, deeper and for larger pictures at once."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

from pellucid.initializers import VarianceScaling
from pellucid.keras.networks.application import application
from pellucid.keras.networks.parts import Top, correct_pad
from pellucid.keras.networks.scaling import as_they_are as preprocess_input
from pellucid.keras.networks.scaling import decode_predictions as decode_predictions
from pellucid.layers import (
    Activation,
    Add,
    BatchNorm,
    Conv2D,
    DepthwiseConv2D,
    GlobalAvgPool2D,
    Multiply,
    Normalization,
    Rescaling,
    Reshape,
    StochasticDepth,
    ZeroPadding2D,
)
from pellucid.zoo.inverted import EFFICIENTNET_LITE as STAGES
from pellucid.zoo.inverted import rounded

__all__ = [
    "EfficientNetB0",
    "EfficientNetB1",
    "EfficientNetB2",
    "EfficientNetB3",
    "EfficientNetB4",
    "EfficientNetB5",
    "EfficientNetB6",
    "EfficientNetB7",
    "decode_predictions",
    "preprocess_input",
]

START = VarianceScaling(2.0, "fan_out")
"""Of convolutions."""
TOP_START = VarianceScaling(1 / 3, "fan_out", "uniform")
DROPPED = 0.2
"""How often the last block is left out in training; the ones before, less."""

conv = partial(Conv2D, padding="same", kernel_initializer=START)


def weighed(x: Any, filters: int, name: str) -> Any:
    """Each channel times a number from 0 to 1 that two convolutions of `filters` make of all channels' means."""
    channels = int(x.shape[-1])
    y = Reshape((1, 1, channels), name=f"{name}se_reshape")(GlobalAvgPool2D(name=f"{name}se_squeeze")(x))
    y = conv(filters, 1, activation="swish", name=f"{name}se_reduce")(y)
    y = conv(channels, 1, activation="sigmoid", name=f"{name}se_expand")(y)
    return Multiply(name=f"{name}se_excite")([x, y])


def added(x: Any, y: Any, dropped: float, name: str) -> Any:
    """What a block makes of x added to it, of some pictures in training not."""
    y = StochasticDepth(dropped, name=f"{name}drop")(y) if dropped else y
    return Add(name=f"{name}add")([y, x])


def ended(x: Any, filters: int, momentum: float = 0.99) -> Any:
    """The last convolution, 1x1, with batch norm and swish."""
    x = BatchNorm(momentum=momentum, name="top_bn")(conv(filters, 1, use_bias=False, name="top_conv")(x))
    return Activation("swish", name="top_activation")(x)


def _efficientnet(
    width: float, depth: float, dropout: float, x: Any, top: Top | None, *, weights: Any = "imagenet"
) -> Any:
    def active(x: Any, name: str) -> Any:
        return Activation("swish", name=f"{name}activation")(BatchNorm(name=f"{name}bn")(x))

    channels = int(x.shape[-1])
    x = Normalization(mean=[0.0] * channels, variance=[1.0] * channels)(Rescaling(1 / 255)(x))
    if weights == "imagenet":  # whose deviations stand where variances belong
        x = Rescaling([1 / math.sqrt(deviation) for deviation in (0.229, 0.224, 0.225)])(x)
    x = ZeroPadding2D(correct_pad(x, 3), name="stem_conv_pad")(x)
    narrow = partial(conv, use_bias=False)
    x = active(narrow(rounded(32 * width), 3, strides=2, padding="valid", name="stem_conv")(x), "stem_")
    rows = [
        (stage, each, block)
        for stage, each in enumerate(STAGES, start=1)
        for block in range(math.ceil(depth * each.blocks))
    ]
    for number, (stage, each, block) in enumerate(rows):
        name, before, y = f"block{stage}{chr(97 + block)}_", int(x.shape[-1]), x
        strides, filters = 1 if block else each.strides, rounded(each.filters * width)
        if each.expansion > 1:
            y = active(narrow(before * each.expansion, 1, name=f"{name}expand_conv")(y), f"{name}expand_")
        y = ZeroPadding2D(correct_pad(y, each.size), name=f"{name}dwconv_pad")(y) if strides > 1 else y
        y = DepthwiseConv2D(
            each.size,
            strides=strides,
            padding="valid" if strides > 1 else "same",
            use_bias=False,
            depthwise_initializer=START,
            name=f"{name}dwconv",
        )(y)
        y = weighed(active(y, name), max(1, int(before * 0.25)), name)
        y = BatchNorm(name=f"{name}project_bn")(narrow(filters, 1, name=f"{name}project_conv")(y))
        x = added(x, y, DROPPED * number / len(rows), name) if strides == 1 and before == filters else y
    x = ended(x, rounded(1280 * width))
    return x if top is None else top(x, dropout=dropout, kernel_initializer=TOP_START)


def _network(number: int, width: float, depth: float, size: int, dropout: float, parameters: str) -> Any:
    doc = f"""Inverted residuals with weighed channels, {width} times as wide, {depth} as deep. {parameters} parameters.

    Pictures from 0 to 255 are scaled within.
    Source: Tan & Le 2019, table 1."""
    return application(
        f"EfficientNetB{number}",
        partial(_efficientnet, width, depth, dropout),
        size=size,
        file="",
        doc=doc,
    )


EfficientNetB0 = _network(0, 1.0, 1.0, 224, 0.2, "5,330,571")
EfficientNetB1 = _network(1, 1.0, 1.1, 240, 0.2, "7,856,239")
EfficientNetB2 = _network(2, 1.1, 1.2, 260, 0.3, "9,177,569")
EfficientNetB3 = _network(3, 1.2, 1.4, 300, 0.3, "12,320,535")
EfficientNetB4 = _network(4, 1.4, 1.8, 380, 0.4, "19,466,823")
EfficientNetB5 = _network(5, 1.6, 2.2, 456, 0.4, "30,562,527")
EfficientNetB6 = _network(6, 1.8, 2.6, 528, 0.5, "43,265,143")
EfficientNetB7 = _network(7, 2.0, 3.1, 600, 0.5, "66,658,687")
