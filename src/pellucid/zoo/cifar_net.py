"""A CIFAR-10 network as a lecture has it: three blocks of convolution, pooling and dropout."""

from __future__ import annotations

from pellucid.layers import Activation, Conv2D, Dense, Dropout, Flatten, Input, Layer, MaxPool2D
from pellucid.model import Sequential
from pellucid.ops.geometry import Shape
from pellucid.zoo.recipes import Recipe, network


@network("cifar-net", Recipe(batch_size=64, schedule="cosine", standardize=True))
def cifar_net(
    input_shape: Shape = (32, 32, 3),
    classes: int = 10,
    *,
    n_filter: int = 36,
    dropout: float = 0.25,
    dense_dropout: float = 0.5,
    seed: int = 0,
) -> Sequential:
    """n, 2n and 4n filters 3x3, each with ReLU, max pooling and dropout; dense 16n; softmax. 1,451,314 parameters.

    Differs from the lecture's code: the third convolution has padding "same" too, so that 4x4x144 = 2,304 numbers are
    flattened.
    Source: S. Oh, lecture 22 on CNNs, Korea University.
    """
    blocks: list[Layer] = [Input(input_shape)]
    for number, factor in enumerate((1, 2, 4), start=1):
        blocks += [
            Conv2D(factor * n_filter, (3, 3), padding="same", name=f"conv{number}"),
            Activation("relu", name=f"relu{number}"),
            MaxPool2D(pool_size=(2, 2), name=f"pool{number}"),
            Dropout(dropout, name=f"dropout{number}"),
        ]
    head: list[Layer] = [
        Flatten(name="flatten"),
        Dense(16 * n_filter, name="dense1"),
        Activation("relu", name="relu4"),
        Dropout(dense_dropout, name="dropout4"),
        Dense(classes, name="dense2"),
        Activation("softmax", name="softmax"),
    ]
    return Sequential([*blocks, *head], name="cifar-net", seed=seed)
