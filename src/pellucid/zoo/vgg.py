"""VGG: nothing but 3x3 convolutions, 2x2 max pooling and three dense layers."""

from __future__ import annotations

from pellucid.layers import BatchNorm, Conv2D, Dense, Dropout, Flatten, Input, Layer, MaxPool2D, ReLU
from pellucid.model import Sequential
from pellucid.ops.geometry import Shape
from pellucid.zoo.recipes import Recipe, variant

WIDTHS = (64, 128, 256, 512, 512)
"""Filters of the convolutions in each of the five blocks."""


def _vgg(
    name: str,
    convolutions: tuple[int, ...],
    input_shape: Shape = (224, 224, 3),
    classes: int = 1000,
    *,
    batch_norm: bool = False,
    dropout: float = 0.5,
    dense_units: int = 4096,
    seed: int = 0,
) -> Sequential:
    layers: list[Layer] = [Input(input_shape)]
    for block, (count, width) in enumerate(zip(convolutions, WIDTHS, strict=True), start=1):
        for number in range(1, count + 1):
            place = f"{block}_{number}"
            layers.append(
                Conv2D(
                    width,
                    3,
                    padding="same",
                    activation=None if batch_norm else "relu",
                    kernel_initializer="he_normal",
                    name=f"conv{place}",
                )
            )
            if batch_norm:
                layers += [BatchNorm(momentum=0.9, epsilon=1e-5, name=f"norm{place}"), ReLU(name=f"relu{place}")]
        layers.append(MaxPool2D(2, name=f"pool{block}"))
    layers.append(Flatten(name="flatten"))
    for number in (6, 7):
        layers += [
            Dense(dense_units, activation="relu", kernel_initializer="he_normal", name=f"fc{number}"),
            Dropout(dropout, name=f"dropout{number}"),
        ]
    layers.append(Dense(classes, activation="softmax", name="fc8"))
    return Sequential(layers, name=name, seed=seed)


_AS = "Source and deviations: see `vgg16`."
vgg11 = variant(
    _vgg, "vgg11", (1, 1, 2, 2, 2), Recipe(), f"Configuration A: 8 convolutions; 132,863,336 parameters. {_AS}"
)
vgg13 = variant(
    _vgg, "vgg13", (2, 2, 2, 2, 2), Recipe(), f"Configuration B: 10 convolutions; 133,047,848 parameters. {_AS}"
)
vgg16 = variant(
    _vgg,
    "vgg16",
    (2, 2, 3, 3, 3),
    Recipe(),
    """Configuration D: 13 convolutions and 3 dense layers; 138,357,544 parameters.

    batch_norm puts batch normalisation between each convolution and its ReLU, which the paper does not have.
    Differs from the paper: weights start as He et al. 2015 have them, where the paper first trains a shallower network;
    pixels are 0 to 1, where the paper takes the mean colour off them.
    Source: Simonyan & Zisserman 2015, table 1; dropout 0.5 after the first two dense layers, section 3.1.
    """,
)
vgg19 = variant(
    _vgg, "vgg19", (2, 2, 4, 4, 4), Recipe(), f"Configuration E: 16 convolutions; 143,667,240 parameters. {_AS}"
)
