"""DenseNet: each layer reads all that came before it in its block."""

from __future__ import annotations

from functools import partial
from typing import Any

from pellucid.keras.networks.application import application
from pellucid.keras.networks.parts import Top
from pellucid.keras.networks.scaling import decode_predictions as decode_predictions
from pellucid.keras.networks.scaling import standardized as preprocess_input
from pellucid.keras.networks.torchvision import from_zoo
from pellucid.layers import Activation, AvgPool2D, BatchNorm, Concatenate, Conv2D, MaxPool2D, ZeroPadding2D

__all__ = ["DenseNet121", "DenseNet169", "DenseNet201", "decode_predictions", "preprocess_input"]

GROWTH = 32


def _active(x: Any, name: str = "") -> Any:
    x = BatchNorm(epsilon=1.001e-5, name=f"{name}bn")(x)
    return Activation("relu", name=f"{name}relu")(x)


def _densenet(blocks: tuple[int, ...], x: Any, top: Top | None) -> Any:
    conv = partial(Conv2D, use_bias=False)
    x = conv(64, 7, strides=2, name="conv1_conv")(ZeroPadding2D(3)(x))
    x = MaxPool2D(3, strides=2, name="pool1")(ZeroPadding2D(1)(_active(x, "conv1_")))
    for stage, count in enumerate(blocks, start=2):
        for number in range(1, count + 1):
            name = f"conv{stage}_block{number}_"
            y = conv(4 * GROWTH, 1, name=f"{name}1_conv")(_active(x, f"{name}0_"))
            y = conv(GROWTH, 3, padding="same", name=f"{name}2_conv")(_active(y, f"{name}1_"))
            x = Concatenate(name=f"{name}concat")([x, y])
        if stage < len(blocks) + 1:
            x = conv(int(x.shape[-1]) // 2, 1, name=f"pool{stage}_conv")(_active(x, f"pool{stage}_"))
            x = AvgPool2D(2, strides=2, name=f"pool{stage}_pool")(x)
    x = _active(x)
    return x if top is None else top(x)


def _network(name: str, blocks: tuple[int, ...], parameters: str, ready: Any = None) -> Any:
    doc = f"""Four dense blocks of {", ".join(map(str, blocks))} layers, halved between. {parameters} parameters.

    Source: Huang, Liu, van der Maaten & Weinberger 2017, table 1."""
    return application(name, partial(_densenet, blocks), ready=ready, doc=doc)


DenseNet121 = _network("DenseNet121", (6, 12, 24, 16), "8,062,504", partial(from_zoo, "densenet121", "torch"))
DenseNet169 = _network("DenseNet169", (6, 12, 32, 32), "14,307,880")
DenseNet201 = _network("DenseNet201", (6, 12, 48, 32), "20,242,984")
