"""VGG: nothing but 3x3 convolutions, 2x2 max pooling and three dense layers."""

from __future__ import annotations

from functools import partial
from typing import Any

from pellucid.keras.networks.application import application
from pellucid.keras.networks.parts import Top
from pellucid.keras.networks.torchvision import from_zoo
from pellucid.layers import Conv2D, Dense, Flatten, MaxPool2D
from pellucid.zoo.vgg import WIDTHS


def _vgg(convolutions: tuple[int, ...], x: Any, top: Top | None) -> Any:
    for block, (count, filters) in enumerate(zip(convolutions, WIDTHS, strict=True), start=1):
        for number in range(1, count + 1):
            x = Conv2D(filters, 3, padding="same", activation="relu", name=f"block{block}_conv{number}")(x)
        x = MaxPool2D(2, strides=2, name=f"block{block}_pool")(x)
    if top is None:
        return x
    x = Flatten(name="flatten")(x)
    for number in (1, 2):
        x = Dense(4096, activation="relu", name=f"fc{number}")(x)
    return Dense(top.classes, activation=top.activation, name="predictions")(x)


def _network(name: str, convolutions: tuple[int, ...], parameters: str) -> Any:
    doc = f"""{sum(convolutions)} convolutions and three dense layers. {parameters} parameters.

    Source: Simonyan & Zisserman 2015, table 1."""
    return application(name, partial(_vgg, convolutions), ready=partial(from_zoo, name.lower(), "caffe"), doc=doc)


VGG16 = _network("VGG16", (2, 2, 3, 3, 3), "138,357,544")
VGG19 = _network("VGG19", (2, 2, 4, 4, 4), "143,667,240")
