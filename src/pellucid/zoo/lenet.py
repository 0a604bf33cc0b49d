"""LeNet-5 twice: as courses teach it, and as it was published."""

from __future__ import annotations

from pellucid.datasets.transforms import Preprocessing
from pellucid.errors import expect_known
from pellucid.layers import (
    RBF,
    AvgPool2D,
    Conv2D,
    Dense,
    Flatten,
    Input,
    ScaledTanh,
    Softmax,
    Subsampling2D,
    TableConv2D,
)
from pellucid.model import Sequential
from pellucid.ops.geometry import Shape
from pellucid.zoo.bitmaps import HEIGHT, WIDTH, digit_bitmaps
from pellucid.zoo.recipes import Recipe, network

TABLE_I = (
    *((0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5)),  # three neighbours, round and round
    *((0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 2, 5)),  # four neighbours
    *((0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5)),  # two pairs
    (0, 1, 2, 3, 4, 5),
)
"""The paper's table I: which maps of S2 each map of C3 sees; 60 connections of 96."""

PUBLISHED_SCALING = Preprocessing(mean=(0.1 / 1.275,), std=(1 / 1.275,))
"""Paper (0) becomes -0.1 and ink (255) 1.175, so that inputs have mean near 0 and variance near 1: section II-B."""


@network("lenet5", Recipe(learning_rate=0.002, schedule="cosine"))
def lenet5(
    input_shape: Shape = (28, 28, 1), classes: int = 10, *, activation: str = "sigmoid", seed: int = 0
) -> Sequential:
    """6 and 16 filters 5x5 with average pooling, dense 120 and 84, softmax; 61,706 parameters for MNIST.

    This is the form that courses teach; `lenet5_published` is the paper's.
    Differs from LeNet-5 as published: plain sigmoids for scaled tanh, pooling without trained coefficients, every map
    of the third layer connected to every one below, softmax for radial basis functions, padding 2 for 32x32 pictures.
    Source: LeCun, Bottou, Bengio & Haffner 1998, section II-B.
    """
    return Sequential(
        [
            Input(input_shape),
            Conv2D(6, 5, padding=2, activation=activation, name="conv1"),
            AvgPool2D(2, name="pool1"),
            Conv2D(16, 5, activation=activation, name="conv2"),
            AvgPool2D(2, name="pool2"),
            Flatten(name="flatten"),
            Dense(120, activation=activation, name="dense1"),
            Dense(84, activation=activation, name="dense2"),
            Dense(classes, activation="softmax", name="dense3"),
        ],
        name="lenet5",
        seed=seed,
    )


@network("lenet5-published", Recipe(batch_size=64, learning_rate=0.005, loss="map_criterion", schedule="cosine"))
def lenet5_published(
    input_shape: Shape = (28, 28, 1), classes: int = 10, *, codes: str | None = None, seed: int = 0
) -> Sequential:
    """C1, S2, C3, S4, C5, F6 and the RBF output of the paper; 60,000 trained parameters and 840 fixed ones for MNIST.

    Trained: C1 156, S2 12, C3 1,516 (table I), S4 32, C5 48,120, F6 10,164. Pictures smaller than 32x32 are padded by
    2. Train it with loss="map_criterion", equation 9. codes: the +-1 points of the output units, "digits" (7x12
    bitmaps, the default for up to ten classes) or "random" (for more).
    Differs from the paper: the output has the opposite sign and a softmax behind it, so that the largest is the answer;
    padding is 0 where the paper's background is -0.1; biases start at 0; the bitmaps of the digits are our own; any
    optimizer, where the paper has a stochastic diagonal Levenberg-Marquardt method.
    Source: LeCun, Bottou, Bengio & Haffner 1998, section II-B, table I, equations 5 to 7; weights start uniform within
    2.4 / fan-in, and A = 1.7159, S = 2/3: appendix A.
    """
    chosen = ("digits" if classes <= 10 else "random") if codes is None else codes
    expect_known("codes", chosen, ("digits", "random"))
    start = "fan_in_uniform"
    model = Sequential(
        [
            Input(input_shape),
            Conv2D(6, 5, padding=0 if min(input_shape[:2]) >= 32 else 2, kernel_initializer=start, name="c1"),
            ScaledTanh(name="squash1"),
            Subsampling2D(2, kernel_initializer=start, name="s2"),
            ScaledTanh(name="squash2"),
            TableConv2D(TABLE_I, 5, kernel_initializer=start, name="c3"),
            ScaledTanh(name="squash3"),
            Subsampling2D(2, kernel_initializer=start, name="s4"),
            ScaledTanh(name="squash4"),
            Conv2D(120, 5, kernel_initializer=start, name="c5"),
            ScaledTanh(name="squash5"),
            Flatten(name="flatten"),
            Dense(WIDTH * HEIGHT, kernel_initializer=start, name="f6"),
            ScaledTanh(name="squash6"),
            # chosen by hand and kept fixed, as in the paper
            RBF(classes, digit_bitmaps if chosen == "digits" else "random_signs", trainable=False, name="output"),
            Softmax(name="softmax"),
        ],
        name="lenet5-published",
        seed=seed,
    )
    model.preprocessing = PUBLISHED_SCALING
    return model
