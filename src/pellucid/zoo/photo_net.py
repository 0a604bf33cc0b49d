"""A network for a folder of photographs: small enough for a laptop, built of today's parts."""

from __future__ import annotations

from collections.abc import Sequence

from pellucid.layers import BatchNorm, Conv2D, Dense, Dropout, GlobalAvgPool2D, Input, Layer, MaxPool2D, ReLU
from pellucid.model import Sequential
from pellucid.ops.geometry import Shape
from pellucid.zoo.recipes import Recipe, network

FILTERS = (16, 32, 64, 128, 128)


# batch norm's last epochs are restless unless the learning rate falls to zero; with batch norm it may begin high
@network("photo-net", Recipe(augment="standard", schedule="cosine", learning_rate=0.003))
def photo_net(
    input_shape: Shape = (128, 128, 3),
    classes: int = 2,
    *,
    filters: Sequence[int] | None = None,
    dropout: float = 0.2,
    momentum: float = 0.9,
    seed: int = 0,
) -> Sequential:
    """A block of 3x3 convolution, batch norm, ReLU and 2x2 max pooling per entry of `filters`; global average; softmax.

    filters: by default as many of 16, 32, 64, 128, 128 as the picture's shorter side allows, which each block halves:
    five from 32 pixels on, four from 16, three from 8, and so down to none. Other filters need 2^blocks pixels a side.
    The running statistics of batch norm move with `momentum`,
    faster than Keras's 0.99, because a folder of a thousand pictures has few steps an epoch.
    Source: the block is that of Ioffe & Szegedy 2015, the global average that of Lin et al. 2014; the sizes are ours.
    """
    if filters is None:
        filters = FILTERS[: max(min(input_shape[:2]), 1).bit_length() - 1]
    layers: list[Layer] = [Input(input_shape)]
    for number, width in enumerate(filters, start=1):
        layers += [
            Conv2D(width, 3, padding="same", use_bias=False, kernel_initializer="he_normal", name=f"conv{number}"),
            BatchNorm(momentum=momentum, name=f"norm{number}"),
            ReLU(name=f"relu{number}"),
            MaxPool2D(2, name=f"pool{number}"),
        ]
    layers += [
        GlobalAvgPool2D(name="average"),
        Dropout(dropout, name="dropout"),
        Dense(classes, activation="softmax", name="classes"),
    ]
    return Sequential(layers, name="photo-net", seed=seed)
