"""The small network of Deep Learning from Scratch: convolution, pooling, two dense layers; every choice an argument."""

from __future__ import annotations

from collections.abc import Sequence

from pellucid import initializers
from pellucid.errors import ConfigError, expect_known, unknown_name
from pellucid.initializers import Initializer, RandomNormal
from pellucid.layers import AvgPool2D, Conv2D, Dense, Flatten, Input, MaxPool2D
from pellucid.model import Sequential
from pellucid.ops.geometry import Shape, above_zero
from pellucid.zoo.recipes import Recipe, network

SCALED = {"he": "he_normal", "relu": "he_normal", "xavier": "glorot_normal", "sigmoid": "glorot_normal"}
"""The book's words for a start; every initializer's own name is taken too."""
POOLINGS = {"max": MaxPool2D, "average": AvgPool2D}


# digits of 8 x 8 are small for kernels of 5 x 5
@network("simple-convnet", Recipe(on={"digits": {"pad": 2, "weight_init_std": "he"}}))
def simple_convnet(
    input_shape: Shape = (28, 28, 1),
    classes: int = 10,
    *,
    filter_num: int = 30,
    filter_size: int | Sequence[int] = 5,
    pad: int | str | Sequence[int] = 0,
    stride: int | Sequence[int] = 1,
    pooling: str = "max",
    pool_size: int | Sequence[int] = 2,
    pool_stride: int | Sequence[int] | None = None,
    hidden_size: int = 100,
    activation: str = "relu",
    weight_init_std: float | str = 0.01,
    seed: int = 0,
) -> Sequential:
    """conv - relu - max pool 2x2 - dense - relu - dense - softmax; 433,890 parameters for MNIST.

    Arguments have the book's names. pad: a number, "same" or "valid". pooling: "max" or "average"; a pool_stride below
    pool_size overlaps, None sets windows side by side. weight_init_std: a standard deviation, an initializer's name, or
    "he" ("relu") or "xavier" ("sigmoid"), which the book's docstring offers and its code lacks.
    Differs from the book: pictures need not be square, and an odd map is pooled as the layer itself rounds it.
    Source: K. Saitoh, Deep Learning from Scratch, 2016, chapter 7.
    """
    expect_known("pooling", pooling, POOLINGS)
    initializer = _start(weight_init_std)
    return Sequential(
        [
            Input(input_shape),
            Conv2D(
                filter_num,
                filter_size,
                strides=stride,
                padding=pad,
                activation=activation,
                kernel_initializer=initializer,
                name="conv1",
            ),
            POOLINGS[pooling](pool_size, pool_stride, name="pool1"),
            Flatten(name="flatten"),
            Dense(hidden_size, activation=activation, kernel_initializer=initializer, name="affine1"),
            Dense(classes, activation="softmax", kernel_initializer=initializer, name="affine2"),
        ],
        name="simple-convnet",
        seed=seed,
    )


def _start(weight_init_std: float | str) -> Initializer:
    """The initializer that weight_init_std means."""
    if isinstance(weight_init_std, str):
        plain = weight_init_std.lower()
        try:
            return initializers.get(SCALED.get(plain, plain))
        except ConfigError:
            raise unknown_name("weight_init_std", weight_init_std, (*SCALED, *initializers.NAMES)) from None
    return RandomNormal(stddev=above_zero(weight_init_std, "weight_init_std"))
