"""MobileNet v2: narrow maps are added, and each filter of the wide ones between sees one channel."""

from __future__ import annotations

from functools import partial
from typing import Any

from pellucid.keras.networks.application import application
from pellucid.keras.networks.parts import Top, correct_pad
from pellucid.keras.networks.scaling import decode_predictions as decode_predictions
from pellucid.keras.networks.scaling import to_one as preprocess_input
from pellucid.keras.networks.torchvision import from_zoo
from pellucid.layers import Add, BatchNorm, Conv2D, DepthwiseConv2D, ReLU, ZeroPadding2D
from pellucid.zoo.inverted import MOBILENET_V2, rounded

__all__ = ["MobileNetV2", "decode_predictions", "preprocess_input"]

_norm = partial(BatchNorm, epsilon=1e-3, momentum=0.999)


def _mobilenet(x: Any, top: Top | None, *, alpha: float = 1.0) -> Any:
    conv = partial(Conv2D, padding="same", use_bias=False)
    x = _norm(name="bn_Conv1")(conv(rounded(32 * alpha), 3, strides=2, name="Conv1")(x))
    x = ReLU(6.0, name="Conv1_relu")(x)
    blocks = [(stage, block) for stage in MOBILENET_V2 for block in range(stage.blocks)]
    for number, (stage, block) in enumerate(blocks):
        name, channels, y = f"block_{number}_" if number else "expanded_conv_", int(x.shape[-1]), x
        filters, strides = rounded(int(stage.filters * alpha)), 1 if block else stage.strides
        if number:
            y = _norm(name=f"{name}expand_BN")(conv(stage.expansion * channels, 1, name=f"{name}expand")(y))
            y = ReLU(6.0, name=f"{name}expand_relu")(y)
        y = ZeroPadding2D(correct_pad(y, 3), name=f"{name}pad")(y) if strides > 1 else y
        depthwise = partial(DepthwiseConv2D, padding="valid" if strides > 1 else "same", use_bias=False)
        y = _norm(name=f"{name}depthwise_BN")(depthwise(3, strides=strides, name=f"{name}depthwise")(y))
        y = ReLU(6.0, name=f"{name}depthwise_relu")(y)
        y = _norm(name=f"{name}project_BN")(conv(filters, 1, name=f"{name}project")(y))
        x = Add(name=f"{name}add")([x, y]) if strides == 1 and channels == filters else y
    last = rounded(1280 * alpha) if alpha > 1 else 1280
    x = ReLU(6.0, name="out_relu")(_norm(name="Conv_1_bn")(Conv2D(last, 1, use_bias=False, name="Conv_1")(x)))
    return x if top is None else top(x)


MobileNetV2 = application(
    "MobileNetV2",
    _mobilenet,
    "mobilenetv2_{alpha:.2f}_{rows}",
    order="input_shape alpha include_top weights input_tensor pooling classes classifier_activation name",
    ready=partial(from_zoo, "mobilenet-v2", "tf"),
    doc="""17 inverted residuals: 1x1 to 6 times the channels, depthwise 3x3, 1x1 back. 3,538,984 parameters.

    alpha: how many filters there are, 1 as published.
    Source: Sandler, Howard, Zhu, Zhmoginov & Chen 2018, table 2.""",
)
