"""SqueezeNet: few parameters, because 1x1 convolutions squeeze the channels before 3x3 ones see them."""

from __future__ import annotations

from functools import partial

from pellucid.initializers import RandomNormal
from pellucid.layers import Concatenate, Conv2D, Dropout, GlobalAvgPool2D, Input, MaxPool2D, Softmax
from pellucid.layers.symbolic import Symbolic
from pellucid.model import Model
from pellucid.ops.geometry import Shape
from pellucid.zoo.normed import l2
from pellucid.zoo.recipes import Recipe, variant

FIRE = ((16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256))
"""Filters of the squeezing convolution and of each expanding one in fire2 to fire9."""

# the paper's 0.04 for batches of 512, less for a network without batch norm on few pictures
_RECIPE = Recipe(optimizer="adam", learning_rate=0.0003, schedule="cosine", augment="standard", standardize=True)


def _squeezenet(
    name: str,
    form: tuple[int, int, tuple[int, ...]],
    input_shape: Shape = (224, 224, 3),
    classes: int = 1000,
    *,
    dropout: float = 0.5,
    decay: float = 0.0002,
    seed: int = 0,
) -> Model:
    filters, size, pooled = form
    conv = partial(
        Conv2D, activation="relu", kernel_initializer="he_uniform", kernel_regularizer=l2(decay)
    )  # as torchvision draws them
    pool = partial(MaxPool2D, 3, strides=2, padding=((0, 1), (0, 1)))  # a last window may begin inside: ceil mode
    inputs = Input(input_shape)
    x: Symbolic = pool(name="pool1")(conv(filters, size, strides=2, name="conv1")(inputs))
    for number, (squeezed, expanded) in enumerate(FIRE, start=2):
        fire = f"fire{number}"
        x = conv(squeezed, 1, name=f"{fire}_squeeze")(x)
        branches = [
            conv(expanded, 1, name=f"{fire}_expand1x1")(x),
            conv(expanded, 3, padding=1, name=f"{fire}_expand3x3")(x),
        ]
        x = Concatenate(name=f"{fire}_concat")(branches)
        if number in pooled:
            x = pool(name=f"pool{number}")(x)
    last = conv(classes, 1, kernel_initializer=RandomNormal(stddev=0.01), name="conv10")
    x = GlobalAvgPool2D(name="average")(last(Dropout(dropout, name="dropout")(x)))
    return Model(inputs, Softmax(name="softmax")(x), name, seed=seed)


squeezenet1_0 = variant(
    _squeezenet,
    "squeezenet1_0",
    (96, 7, (4, 8)),
    _RECIPE,
    """Eight fire modules; as many maps as classes, averaged; softmax. 1,248,424 parameters.

    A fire module is a 1x1 convolution that squeezes the channels, and side by side a 1x1 and a 3x3 one that expand
    them. decay: of the kernels, half of an L2 penalty.
    Differs from the paper as torchvision does: the first convolution has no padding.
    Source: Iandola et al. 2016, table 1; torchvision/models/squeezenet.py.
    """,
)
squeezenet1_1 = variant(
    _squeezenet,
    "squeezenet1_1",
    (64, 3, (3, 5)),
    _RECIPE,
    """`squeezenet1_0` with a smaller first convolution and earlier pooling: 2.4 times less work, 1,235,496 parameters.

    Source: the authors' SqueezeNet_v1.1; torchvision/models/squeezenet.py. Arguments: see `squeezenet1_0`.
    """,
)
