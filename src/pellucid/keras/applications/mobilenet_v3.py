"""MobileNet v3: inverted residuals, some of which weigh their channels by what the picture shows."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

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
    Dropout,
    Flatten,
    GlobalAvgPool2D,
    Multiply,
    ReLU,
    Rescaling,
    ZeroPadding2D,
)
from pellucid.zoo.inverted import rounded

__all__ = ["decode_predictions", "preprocess_input"]

Block = tuple[float, int, int, int, bool, bool]
"""How many times wider the inside is, filters, window, strides, whether channels are weighed, whether hard swish."""

SMALL: tuple[Block, ...] = (
    (1, 16, 3, 2, True, False),
    (72 / 16, 24, 3, 2, False, False),
    (88 / 24, 24, 3, 1, False, False),
    (4, 40, 5, 2, True, True),
    *[(6, 40, 5, 1, True, True)] * 2,
    *[(3, 48, 5, 1, True, True)] * 2,
    (6, 96, 5, 2, True, True),
    *[(6, 96, 5, 1, True, True)] * 2,
)
LARGE: tuple[Block, ...] = (
    (1, 16, 3, 1, False, False),
    (4, 24, 3, 2, False, False),
    (3, 24, 3, 1, False, False),
    (3, 40, 5, 2, True, False),
    *[(3, 40, 5, 1, True, False)] * 2,
    (6, 80, 3, 2, False, True),
    (2.5, 80, 3, 1, False, True),
    *[(2.3, 80, 3, 1, False, True)] * 2,
    *[(6, 112, 3, 1, True, True)] * 2,
    (6, 160, 5, 2, True, True),
    *[(6, 160, 5, 1, True, True)] * 2,
)
"""Tables 1 and 2 of the paper."""

_norm = partial(BatchNorm, epsilon=1e-3, momentum=0.999)
_conv = partial(Conv2D, padding="same", use_bias=False)


def _weighed(x: Any, channels: int, name: str) -> Any:
    """Each channel times a number from 0 to 1 that two dense layers make of all channels' means."""
    name = f"{name}squeeze_excite_"
    y = GlobalAvgPool2D(keepdims=True, name=f"{name}avg_pool")(x)
    y = ReLU(name=f"{name}relu")(Conv2D(rounded(channels * 0.25), 1, padding="same", name=f"{name}conv")(y))
    y = Activation("hard_sigmoid")(Conv2D(channels, 1, padding="same", name=f"{name}conv_1")(y))
    return Multiply(name=f"{name}mul")([x, y])


def _mobilenet(
    blocks: tuple[Block, ...],
    last: int,
    x: Any,
    top: Top | None,
    *,
    alpha: float = 1.0,
    minimalistic: bool = False,
    dropout_rate: float = 0.2,
    include_preprocessing: bool = True,
) -> Any:
    def active(x: Any, hard: bool = True) -> Any:
        return (Activation("hard_swish") if hard and not minimalistic else ReLU())(x)

    x = Rescaling(1 / 127.5, -1.0)(x) if include_preprocessing else x
    x = active(_norm(name="conv_bn")(_conv(16, 3, strides=2, name="conv")(x)))
    for number, (expansion, filters, window, strides, weighed, hard) in enumerate(blocks):
        name, channels, y = f"expanded_conv_{number}_" if number else "expanded_conv_", int(x.shape[-1]), x
        filters, wide, window = rounded(filters * alpha), rounded(channels * expansion), 3 if minimalistic else window
        if number:
            y = active(_norm(name=f"{name}expand_bn")(_conv(wide, 1, name=f"{name}expand")(y)), hard)
        y = ZeroPadding2D(correct_pad(y, window), name=f"{name}depthwise_pad")(y) if strides > 1 else y
        depthwise = partial(DepthwiseConv2D, padding="valid" if strides > 1 else "same", use_bias=False)
        y = depthwise(window, strides=strides, name=f"{name}depthwise")(y)
        y = active(_norm(name=f"{name}depthwise_bn")(y), hard)
        y = _weighed(y, wide, name) if weighed and not minimalistic else y
        y = _norm(name=f"{name}project_bn")(_conv(filters, 1, name=f"{name}project")(y))
        x = Add(name=f"{name}add")([x, y]) if strides == 1 and channels == filters else y
    x = active(_norm(name="conv_1_bn")(_conv(rounded(int(x.shape[-1]) * 6), 1, name="conv_1")(x)))
    if top is None:
        return x
    last = rounded(last * alpha) if alpha > 1 else last
    x = active(Conv2D(last, 1, padding="same", name="conv_2")(GlobalAvgPool2D(keepdims=True)(x)))
    x = Conv2D(top.classes, 1, padding="same", name="logits")(Dropout(dropout_rate)(x) if dropout_rate else x)
    return Activation(top.activation, name="predictions")(Flatten()(x))


def _file(kind: str, given: Mapping[str, Any]) -> str:
    plain = "_minimalistic" if given["minimalistic"] else ""
    end = "" if given["include_top"] else "_no_top_v2"
    return f"weights_mobilenet_v3_{kind}{plain}_224_{float(given['alpha'])}_float{end}.h5"


def _network(name: str, blocks: tuple[Block, ...], last: int, parameters: str) -> Any:
    return application(
        name,
        partial(_mobilenet, blocks, last),
        name,
        order="input_shape alpha minimalistic include_top weights input_tensor classes pooling dropout_rate "
        "classifier_activation include_preprocessing name",
        file=partial(_file, name.removeprefix("MobileNetV3").lower()),
        doc=f"""{len(blocks)} inverted residuals, found by a search. {parameters} parameters.

    Pictures from 0 to 255 are scaled within. alpha: how many filters there are, 1 as published. minimalistic: windows
    3x3 alone, no weighed channels, ReLU for hard swish.
    Source: Howard et al. 2019, tables 1 and 2.""",
    )


MobileNetV3Small = _network("MobileNetV3Small", SMALL, 1024, "2,554,968")
MobileNetV3Large = _network("MobileNetV3Large", LARGE, 1280, "5,507,432")
