"""Inception-ResNet v2: what the branches of a block give is scaled and added to its input."""

from __future__ import annotations

from typing import Any

from pellucid.keras.applications.inception_v3 import Step, in_a_row, normed, pooled, reduced, stem
from pellucid.keras.networks.application import application
from pellucid.keras.networks.parts import Top
from pellucid.keras.networks.scaling import decode_predictions as decode_predictions
from pellucid.keras.networks.scaling import to_one as preprocess_input
from pellucid.layers import Activation, Add, Concatenate, Conv2D, MaxPool2D, Rescaling

__all__ = ["InceptionResNetV2", "decode_predictions", "preprocess_input"]

BLOCKS: tuple[tuple[str, int, float, tuple[tuple[Step, ...], ...]], ...] = (
    ("block35", 10, 0.17, (((32, 1, 1),), ((32, 1, 1), (32, 3, 3)), ((32, 1, 1), (48, 3, 3), (64, 3, 3)))),
    ("block17", 20, 0.1, (((192, 1, 1),), ((128, 1, 1), (160, 1, 7), (192, 7, 1)))),
    ("block8", 10, 0.2, (((192, 1, 1),), ((192, 1, 1), (224, 1, 3), (256, 3, 1)))),
)
"""The blocks of each stage: name, how many, how much of the branches is added, and the convolutions of each."""


def _blocks(x: Any, name: str, count: int, scale: float, branches: tuple[tuple[Step, ...], ...]) -> Any:
    """The last block of the last stage adds all, and has no ReLU."""
    for number in range(1, count + 1):
        block, last = f"{name}_{number}", (name, number) == ("block8", 10)
        mixed = Concatenate(name=f"{block}_mixed")([in_a_row(x, *branch) for branch in branches])
        up = Conv2D(int(x.shape[-1]), 1, padding="same", name=f"{block}_conv")(mixed)
        x = Add()([x, Rescaling(1.0 if last else scale)(up)])
        x = x if last else Activation("relu", name=f"{block}_ac")(x)
    return x


def _inception_resnet(x: Any, top: Top | None) -> Any:
    x = stem(x)
    fives, threes = in_a_row(x, (48, 1, 1), (64, 5, 5)), in_a_row(x, (64, 1, 1), (96, 3, 3), (96, 3, 3))
    x = Concatenate(name="mixed_5b")([normed(x, 96, 1), fives, threes, pooled(x, 64)])
    x = _blocks(x, *BLOCKS[0])
    threes = reduced(in_a_row(x, (256, 1, 1), (256, 3, 3)), 384)
    x = Concatenate(name="mixed_6a")([reduced(x, 384), threes, MaxPool2D(3, strides=2)(x)])
    x = _blocks(x, *BLOCKS[1])
    branches = [
        reduced(normed(x, 256, 1), 384),
        reduced(normed(x, 256, 1), 288),
        reduced(in_a_row(x, (256, 1, 1), (288, 3, 3)), 320),
        MaxPool2D(3, strides=2)(x),
    ]
    x = _blocks(Concatenate(name="mixed_7a")(branches), *BLOCKS[2])
    x = normed(x, 1536, 1, name="conv_7b")
    return x if top is None else top(x)


InceptionResNetV2 = application(
    "InceptionResNetV2",
    _inception_resnet,
    "inception_resnet_v2",
    size=299,
    least=75,
    doc="""40 blocks of branches with shortcuts around them, in three stages. 55,873,736 parameters.

    Source: Szegedy, Ioffe, Vanhoucke & Alemi 2017, figures 15 to 19.""",
)
