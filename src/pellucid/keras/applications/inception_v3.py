"""Inception v3: several windows side by side, 7x7 as 1x7 and 7x1."""

from __future__ import annotations

from typing import Any

from pellucid.keras.networks.application import application
from pellucid.keras.networks.parts import Top
from pellucid.keras.networks.scaling import decode_predictions as decode_predictions
from pellucid.keras.networks.scaling import to_one as preprocess_input
from pellucid.layers import Activation, AvgPool2D, BatchNorm, Concatenate, Conv2D, MaxPool2D

__all__ = ["InceptionV3", "decode_predictions", "preprocess_input"]

Step = tuple[int, int, int]
"""Filters of a convolution and its window's height and width."""


def normed(
    x: Any, filters: int, height: int, width: int = 0, strides: int = 1, padding: str = "same", name: str | None = None
) -> Any:
    """Convolution, batch norm without a scale, ReLU; width 0: a square window."""
    x = Conv2D(filters, (height, width or height), strides=strides, padding=padding, use_bias=False, name=name)(x)
    x = BatchNorm(scale=False, name=name and f"{name}_bn")(x)
    return Activation("relu", name=name and f"{name}_ac")(x)


def in_a_row(x: Any, *steps: Step) -> Any:
    """Such convolutions one behind the other."""
    for filters, height, width in steps:
        x = normed(x, filters, height, width)
    return x


def reduced(x: Any, filters: int) -> Any:
    """The convolution 3x3 that halves maps, and leaves out what does not fit."""
    return normed(x, filters, 3, strides=2, padding="valid")


def stem(x: Any) -> Any:
    """Five convolutions and two poolings, to 192 maps."""
    x = normed(normed(x, 32, 3, strides=2, padding="valid"), 32, 3, padding="valid")
    x = MaxPool2D(3, strides=2)(normed(x, 64, 3))
    x = normed(normed(x, 80, 1, padding="valid"), 192, 3, padding="valid")
    return MaxPool2D(3, strides=2)(x)


def pooled(x: Any, filters: int) -> Any:
    """Means of 3x3 windows, then a convolution 1x1."""
    return normed(AvgPool2D(3, strides=1, padding="same")(x), filters, 1)


def _forked(x: Any, name: str | None) -> Any:
    return Concatenate(name=name)([normed(x, 384, 1, 3), normed(x, 384, 3, 1)])


def _inception(x: Any, top: Top | None) -> Any:
    x = stem(x)
    for number, last in enumerate((32, 64, 64)):
        fives = in_a_row(x, (48, 1, 1), (64, 5, 5))
        threes = in_a_row(x, (64, 1, 1), (96, 3, 3), (96, 3, 3))
        x = Concatenate(name=f"mixed{number}")([normed(x, 64, 1), fives, threes, pooled(x, last)])
    threes = reduced(in_a_row(x, (64, 1, 1), (96, 3, 3)), 96)
    x = Concatenate(name="mixed3")([reduced(x, 384), threes, MaxPool2D(3, strides=2)(x)])
    for number, n in enumerate((128, 160, 160, 192), start=4):
        sevens = in_a_row(x, (n, 1, 1), (n, 1, 7), (192, 7, 1))
        twice = in_a_row(x, (n, 1, 1), (n, 7, 1), (n, 1, 7), (n, 7, 1), (192, 1, 7))
        x = Concatenate(name=f"mixed{number}")([normed(x, 192, 1), sevens, twice, pooled(x, 192)])
    sevens = reduced(in_a_row(x, (192, 1, 1), (192, 1, 7), (192, 7, 1)), 192)
    x = Concatenate(name="mixed8")([reduced(normed(x, 192, 1), 320), sevens, MaxPool2D(3, strides=2)(x)])
    for number in range(2):
        threes = _forked(normed(x, 384, 1), f"mixed9_{number}")
        twice = _forked(in_a_row(x, (448, 1, 1), (384, 3, 3)), None)
        x = Concatenate(name=f"mixed{9 + number}")([normed(x, 320, 1), threes, twice, pooled(x, 192)])
    return x if top is None else top(x)


InceptionV3 = application(
    "InceptionV3",
    _inception,
    "inception_v3",
    size=299,
    least=75,
    doc="""Eleven blocks of up to four branches behind five convolutions. 23,851,784 parameters.

    Source: Szegedy, Vanhoucke, Ioffe, Shlens & Wojna 2016.""",
)
