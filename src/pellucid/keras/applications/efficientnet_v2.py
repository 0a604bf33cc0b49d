"""EfficientNet v2: the first stages convolve all channels at once, where depthwise convolutions are slow."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

from pellucid.keras.applications.efficientnet import DROPPED, START, TOP_START, added, conv, ended, weighed
from pellucid.keras.networks.application import application
from pellucid.keras.networks.parts import Top
from pellucid.keras.networks.scaling import as_they_are as preprocess_input
from pellucid.keras.networks.scaling import decode_predictions as decode_predictions
from pellucid.layers import Activation, BatchNorm, DepthwiseConv2D, Normalization, Rescaling
from pellucid.zoo.inverted import rounded

__all__ = [
    "EfficientNetV2B0",
    "EfficientNetV2B1",
    "EfficientNetV2B2",
    "EfficientNetV2B3",
    "EfficientNetV2L",
    "EfficientNetV2M",
    "EfficientNetV2S",
    "decode_predictions",
    "preprocess_input",
]

Stage = tuple[int, int, int, int]
"""Blocks, filters, how many times wider the inside is, strides of the first."""

STAGES: dict[str, tuple[tuple[Stage, ...], tuple[Stage, ...]]] = {
    "b": (((1, 16, 1, 1), (2, 32, 4, 2), (2, 48, 4, 2)), ((3, 96, 4, 2), (5, 112, 6, 1), (8, 192, 6, 2))),
    "s": (((2, 24, 1, 1), (4, 48, 4, 2), (4, 64, 4, 2)), ((6, 128, 4, 2), (9, 160, 6, 1), (15, 256, 6, 2))),
    "m": (
        ((3, 24, 1, 1), (5, 48, 4, 2), (5, 80, 4, 2)),
        ((7, 160, 4, 2), (14, 176, 6, 1), (18, 304, 6, 2), (5, 512, 6, 1)),
    ),
    "l": (
        ((4, 32, 1, 1), (7, 64, 4, 2), (7, 96, 4, 2)),
        ((10, 192, 4, 2), (19, 224, 6, 1), (25, 384, 6, 2), (7, 640, 6, 1)),
    ),
}
"""Those whose blocks convolve all channels at once, and those with depthwise convolutions."""

FIRST = {"b": 32, "s": 24, "m": 24, "l": 32}

_norm = partial(BatchNorm, momentum=0.9)


def _efficientnet(
    kind: str, width: float, depth: float, x: Any, top: Top | None, *, include_preprocessing: bool = True
) -> Any:
    def active(x: Any, name: str) -> Any:
        return Activation("swish", name=f"{name}activation")(_norm(name=f"{name}bn")(x))

    def wide(filters: float) -> int:
        return rounded(filters * width, least=0.0)

    narrow = partial(conv, use_bias=False)
    if include_preprocessing and kind == "b" and x.shape[-1] == 3:
        x = Normalization(mean=[0.485, 0.456, 0.406], variance=[0.229**2, 0.224**2, 0.225**2])(Rescaling(1 / 255)(x))
    elif include_preprocessing:
        x = Rescaling(1 / 128, -1.0)(x)
    x = active(narrow(wide(FIRST[kind]), 3, strides=2, name="stem_conv")(x), "stem_")
    stages = [(stage, fused) for stages, fused in zip(STAGES[kind], (True, False), strict=True) for stage in stages]
    rows = [
        (f"block{number}{chr(97 + block)}_", stage, fused, not block)
        for number, (stage, fused) in enumerate(stages, start=1)
        for block in range(math.ceil(depth * stage[0]))
    ]
    blocks = sum(stage[0] for stage, _ in stages)
    for number, (name, (_, filters, expansion, strides), fused, first) in enumerate(rows):
        before, y = int(x.shape[-1]), x
        filters, strides = wide(filters), strides if first else 1
        window = {"kernel_size": 3, "strides": strides} if fused else {"kernel_size": 1}
        if expansion > 1:
            y = active(narrow(before * expansion, **window, name=f"{name}expand_conv")(y), f"{name}expand_")
            window = {"kernel_size": 1}
        if not fused:
            depthwise = partial(DepthwiseConv2D, padding="same", use_bias=False, depthwise_initializer=START)
            y = active(depthwise(3, strides=strides, name=f"{name}dwconv2")(y), name)
            y = weighed(y, max(1, int(before * 0.25)), name)
        y = _norm(name=f"{name}project_bn")(narrow(filters, **window, name=f"{name}project_conv")(y))
        y = Activation("swish", name=f"{name}project_activation")(y) if expansion == 1 else y
        x = added(x, y, DROPPED * number / blocks, name) if strides == 1 and before == filters else y
    x = ended(x, wide(1280), 0.9)
    return x if top is None else top(x, dropout=0.2, kernel_initializer=TOP_START)


def _network(name: str, size: int, parameters: str, width: float = 1.0, depth: float = 1.0) -> Any:
    return application(
        f"EfficientNetV2{name}",
        partial(_efficientnet, name[0].lower(), width, depth),
        f"efficientnetv2-{name.lower()}",
        size=size,
        order="include_top weights input_tensor input_shape pooling classes classifier_activation "
        "include_preprocessing name",
        file="",
        doc=f"""Inverted residuals, those of the first stages with one convolution 3x3 for two. {parameters} parameters.

    Pictures from 0 to 255 are scaled within, unless include_preprocessing=False.
    Source: Tan & Le 2021, table 4.""",
    )


EfficientNetV2B0 = _network("B0", 224, "7,200,312")
EfficientNetV2B1 = _network("B1", 240, "8,212,124", 1.0, 1.1)
EfficientNetV2B2 = _network("B2", 260, "10,178,374", 1.1, 1.2)
EfficientNetV2B3 = _network("B3", 300, "14,467,622", 1.2, 1.4)
EfficientNetV2S = _network("S", 384, "21,612,360")
EfficientNetV2M = _network("M", 480, "54,431,388")
EfficientNetV2L = _network("L", 480, "119,027,848")
