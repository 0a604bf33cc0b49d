"""The small network of seed 000: convolution, ReLU, max pooling, and two dense layers."""

from __future__ import annotations

from pellucid.errors import ConfigError, unknown_name
from pellucid.initializers import Initializer, RandomNormal
from pellucid.layers import Conv2D, Dense, Flatten, Input, MaxPool2D
from pellucid.model import Sequential
from pellucid.ops.geometry import Shape

SCALED = {"he": "he_normal", "relu": "he_normal", "xavier": "glorot_normal", "sigmoid": "glorot_normal"}


def simple_convnet(
    input_shape: Shape = (28, 28, 1),
    classes: int = 10,
    *,
    filter_num: int = 30,
    filter_size: int = 5,
    pad: int = 0,
    stride: int = 1,
    hidden_size: int = 100,
    weight_init_std: float | str = 0.01,
    seed: int = 0,
) -> Sequential:
    """conv - relu - max pool 2x2 - dense - relu - dense - softmax; 433,890 parameters for MNIST.

    Arguments have the book's names. weight_init_std: a standard deviation, or "he" ("relu") or "xavier" ("sigmoid"),
    which the book's docstring offers and its code lacks.
    Differs from the page: pictures need not be square, and an odd map is pooled as the layer itself rounds it.
    Source: K. Saitoh, Deep Learning from Scratch, 2016, chapter 7, as seed 000 follows it.
    """
    initializer: Initializer | str
    if isinstance(weight_init_std, str):
        if weight_init_std.lower() not in SCALED:
            raise unknown_name("weight_init_std", weight_init_std, SCALED)
        initializer = SCALED[weight_init_std.lower()]
    elif weight_init_std > 0:
        initializer = RandomNormal(stddev=weight_init_std)
    else:
        raise ConfigError(f"weight_init_std must be above 0, got {weight_init_std!r}; equal weights never come apart")
    return Sequential(
        [
            Input(input_shape),
            Conv2D(
                filter_num,
                filter_size,
                strides=stride,
                padding=pad,
                activation="relu",
                kernel_initializer=initializer,
                name="conv1",
            ),
            MaxPool2D(2, name="pool1"),
            Flatten(name="flatten"),
            Dense(hidden_size, activation="relu", kernel_initializer=initializer, name="affine1"),
            Dense(classes, activation="softmax", kernel_initializer=initializer, name="affine2"),
        ],
        name="simple-convnet",
        seed=seed,
    )
