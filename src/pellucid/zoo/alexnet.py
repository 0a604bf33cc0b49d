"""AlexNet: as published, with two groups, local response normalisation, overlapping pooling and dropout; and in the
form of "One weird trick", which torchvision publishes weights for."""

from __future__ import annotations

from pellucid.errors import ConfigError, expect_known
from pellucid.initializers import Constant, RandomNormal
from pellucid.layers import BatchNorm, Conv2D, Dense, Dropout, Flatten, Input, Layer, LocalResponseNorm, MaxPool2D, ReLU
from pellucid.model import Sequential
from pellucid.ops.geometry import Shape
from pellucid.zoo.recipes import Recipe, network

NORMALIZATIONS = ("lrn", "batch", "none")


@network("alexnet", Recipe())
def alexnet(
    input_shape: Shape = (227, 227, 3),
    classes: int = 1000,
    *,
    groups: int = 2,
    normalization: str = "lrn",
    dropout: float = 0.5,
    dense_units: int = 4096,
    seed: int = 0,
) -> Sequential:
    """Five convolutions, three dense layers; 60,965,224 parameters with two groups, 62,378,344 with groups=1.

    The paper says 224x224 pictures, but its first maps are 55x55: that takes 227 without padding, or 224 with padding
    2, which is used for any picture smaller than 227. groups=1 and normalization="batch" or "none" give the modern
    form; with "batch" the norms stand where the paper has its LRN, before the pooling.
    Weights start as in the paper: Gaussian with deviation 0.01, biases 1 in convolutions 2, 4, 5 and in the two hidden
    dense layers, 0 elsewhere. Differs from the paper: one network instead of two halves on two GPUs; dropout scales
    what it keeps while training, where the paper halves the outputs in use; pixels are 0 to 1, where the paper takes
    the training pictures' mean off them.
    Source: Krizhevsky, Sutskever & Hinton 2012, sections 3.3 (n=5, alpha=1e-4, beta=0.75, k=2), 3.4, 3.5, 5.
    """
    expect_known("normalization", normalization, NORMALIZATIONS)
    if groups not in (1, 2):
        raise ConfigError(f"alexnet has groups=2 (as published) or groups=1, got {groups!r}")

    def conv(
        number: int, filters: int, size: int, *, ones: bool, strides: int = 1, padding: int = 0, groups: int = 1
    ) -> Conv2D:
        return Conv2D(
            filters,
            size,
            strides=strides,
            padding=padding,
            groups=groups,
            activation="relu",
            kernel_initializer=RandomNormal(stddev=0.01),
            bias_initializer=Constant(1.0) if ones else "zeros",
            name=f"conv{number}",
        )

    def norm(number: int) -> list[Layer]:
        if normalization == "lrn":
            return [LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=2.0, name=f"norm{number}")]
        return [BatchNorm(momentum=0.9, name=f"norm{number}")] if normalization == "batch" else []

    layers: list[Layer] = [
        Input(input_shape),
        conv(1, 96, 11, ones=False, strides=4, padding=0 if min(input_shape[:2]) >= 227 else 2),
        *norm(1),
        MaxPool2D(3, strides=2, name="pool1"),
        conv(2, 256, 5, ones=True, padding=2, groups=groups),
        *norm(2),
        MaxPool2D(3, strides=2, name="pool2"),
        conv(3, 384, 3, ones=False, padding=1),
        conv(4, 384, 3, ones=True, padding=1, groups=groups),
        conv(5, 256, 3, ones=True, padding=1, groups=groups),
        MaxPool2D(3, strides=2, name="pool5"),
        Flatten(name="flatten"),
    ]
    for number in (6, 7):
        layers += [
            Dense(
                dense_units,
                kernel_initializer=RandomNormal(stddev=0.01),
                bias_initializer=Constant(1.0),
                name=f"fc{number}",
            ),
            ReLU(name=f"relu{number}"),
            Dropout(dropout, name=f"dropout{number}"),
        ]
    layers.append(Dense(classes, activation="softmax", kernel_initializer=RandomNormal(stddev=0.01), name="fc8"))
    return Sequential(layers, name="alexnet", seed=seed)


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
