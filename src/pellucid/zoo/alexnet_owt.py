"""AlexNet in the form of "One weird trick", which torchvision publishes weights for: one tower, no normalisation."""

from __future__ import annotations

from pellucid.layers import Conv2D, Dense, Dropout, Flatten, Input, MaxPool2D
from pellucid.model import Sequential
from pellucid.ops.geometry import Shape
from pellucid.zoo.recipes import Recipe, network


@network("alexnet-owt", Recipe())
def alexnet_owt(
    input_shape: Shape = (224, 224, 3),
    classes: int = 1000,
    *,
    dropout: float = 0.5,
    dense_units: int = 4096,
    seed: int = 0,
) -> Sequential:
    """Five convolutions of 64, 192, 384, 256 and 256 filters, three dense layers; 61,100,840 parameters.

    It differs from `alexnet` (2012) in having no groups, no local response normalisation, fewer filters in its first
    convolutions, and dropout before the first two dense layers instead of behind them.
    Layer by layer it is torchvision's `alexnet`, with two differences: torchvision averages the last maps to 6x6, which
    changes nothing at 224x224 pictures and is left out here; and weights start as He et al. 2015 have them, where
    torchvision takes PyTorch's defaults. The paper has softmax or logistic outputs; this has softmax.
    Source: Krizhevsky 2014 (One weird trick for parallelizing convolutional neural networks, arXiv:1404.5997);
    torchvision/models/alexnet.py.
    """

    def conv(number: int, filters: int, size: int, *, strides: int = 1) -> Conv2D:
        return Conv2D(
            filters,
            size,
            strides=strides,
            padding=size // 2 if strides == 1 else 2,
            activation="relu",
            kernel_initializer="he_normal",
            name=f"conv{number}",
        )

    return Sequential(
        [
            Input(input_shape),
            conv(1, 64, 11, strides=4),
            MaxPool2D(3, strides=2, name="pool1"),
            conv(2, 192, 5),
            MaxPool2D(3, strides=2, name="pool2"),
            conv(3, 384, 3),
            conv(4, 256, 3),
            conv(5, 256, 3),
            MaxPool2D(3, strides=2, name="pool5"),
            Flatten(name="flatten"),
            Dropout(dropout, name="dropout6"),
            Dense(dense_units, activation="relu", kernel_initializer="he_normal", name="fc6"),
            Dropout(dropout, name="dropout7"),
            Dense(dense_units, activation="relu", kernel_initializer="he_normal", name="fc7"),
            Dense(classes, activation="softmax", name="fc8"),
        ],
        name="alexnet-owt",
        seed=seed,
    )
