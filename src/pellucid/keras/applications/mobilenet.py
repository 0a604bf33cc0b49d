"""MobileNet: depthwise convolutions 3x3 and convolutions 1x1, by turns."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from pellucid.keras.networks.application import application
from pellucid.keras.networks.parts import Top
from pellucid.keras.networks.scaling import decode_predictions as decode_predictions
from pellucid.keras.networks.scaling import to_one as preprocess_input
from pellucid.layers import (
    Activation,
    BatchNorm,
    Conv2D,
    DepthwiseConv2D,
    Dropout,
    GlobalAvgPool2D,
    ReLU,
    Reshape,
    ZeroPadding2D,
)

__all__ = ["MobileNet", "decode_predictions", "preprocess_input"]

BLOCKS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1))
"""Filters of each block, and its strides."""


def _active(x: Any, layer: Any) -> Any:
    x = BatchNorm(name=f"{layer.name}_bn")(layer(x))
    return ReLU(6.0, name=f"{layer.name}_relu")(x)


def _mobilenet(x: Any, top: Top | None, *, alpha: float = 1.0, depth_multiplier: int = 1, dropout: float = 1e-3) -> Any:
    conv = partial(Conv2D, padding="same", use_bias=False)
    x = _active(x, conv(int(32 * alpha), 3, strides=2, name="conv1"))
    for number, (filters, strides) in enumerate(BLOCKS, start=1):
        x = ZeroPadding2D(((0, 1), (0, 1)), name=f"conv_pad_{number}")(x) if strides > 1 else x
        depthwise = DepthwiseConv2D(
            3,
            strides=strides,
            padding="valid" if strides > 1 else "same",
            depth_multiplier=depth_multiplier,
            use_bias=False,
            name=f"conv_dw_{number}",
        )
        x = _active(_active(x, depthwise), conv(int(filters * alpha), 1, name=f"conv_pw_{number}"))
    if top is None:
        return x
    x = Dropout(dropout, name="dropout")(GlobalAvgPool2D(keepdims=True)(x))
    x = Reshape((top.classes,), name="reshape_2")(Conv2D(top.classes, 1, padding="same", name="conv_preds")(x))
    return Activation(top.activation, name="predictions")(x)


def _file(given: Mapping[str, Any]) -> str:
    """By the filters and the size of pictures; 224 pixels where that is none of those it was published for."""
    side = (given["input_shape"] or (224,))[0]
    alpha = {1.0: "1_0", 0.75: "7_5", 0.5: "5_0", 0.25: "2_5"}.get(given["alpha"], str(given["alpha"]))
    side = side if side in (128, 160, 192) and side == given["input_shape"][1] else 224
    return f"mobilenet_{alpha}_{side}_tf{'' if given['include_top'] else '_no_top'}.h5"


MobileNet = application(
    "MobileNet",
    _mobilenet,
    "mobilenet_{alpha:.2f}_{rows}",
    file=_file,
    order="input_shape alpha depth_multiplier dropout include_top weights input_tensor pooling classes "
    "classifier_activation name",
    doc="""13 blocks of a depthwise convolution and one of 1x1. 4,253,864 parameters.

    alpha: how many filters there are, 1 as published.
    Source: Howard et al. 2017, table 1.""",
)
