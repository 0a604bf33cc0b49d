"""DenseNet: each layer reads all that came before it in its block, and adds a few maps of its own."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from pellucid.layers import (
    AvgPool2D,
    BatchNorm,
    Concatenate,
    Conv2D,
    Dense,
    GlobalAvgPool2D,
    Input,
    MaxPool2D,
    ReLU,
)
from pellucid.layers.symbolic import Symbolic
from pellucid.model import Model
from pellucid.ops.geometry import Shape
from pellucid.zoo.normed import l2, normed
from pellucid.zoo.recipes import Recipe, network


@network(
    "densenet121",
    Recipe(
        optimizer="sgd",
        learning_rate=0.0125,
        optimizer_settings={"momentum": 0.9, "nesterov": True},
        schedule="cosine",
        augment="standard",
        standardize=True,
    ),
)
def densenet121(
    input_shape: Shape = (224, 224, 3),
    classes: int = 1000,
    *,
    blocks: Sequence[int] = (6, 12, 24, 16),
    growth: int = 32,
    decay: float = 0.0001,
    momentum: float = 0.9,
    seed: int = 0,
) -> Model:
    """Four dense blocks of 6, 12, 24 and 16 layers, halved between; global average; softmax. 7,978,856 parameters.

    A layer is batch norm, ReLU, 1x1 convolution to 4 * growth maps, batch norm, ReLU and 3x3 convolution to `growth`
    maps, which are laid behind those it read. blocks: layers of each block. decay: of the weights, half of an L2
    penalty. momentum: of batch norm's running statistics.
    Source: Huang, Liu, van der Maaten & Weinberger 2017, table 1 (DenseNet-BC, compression 0.5);
    torchvision/models/densenet.py.
    """

    def preceded(x: Symbolic, filters: int, size: int, place: str, number: int | str = "") -> Symbolic:
        """Batch norm and ReLU, then the convolution: `place`_norm, _relu and _conv with the number."""
        x = BatchNorm(momentum=momentum, epsilon=1e-5, name=f"{place}_norm{number}")(x)
        x = ReLU(name=f"{place}_relu{number}")(x)
        value: Symbolic = convolution(filters, size, padding=size // 2, name=f"{place}_conv{number}")(x)
        return value

    convolution = partial(Conv2D, use_bias=False, kernel_initializer="he_normal", kernel_regularizer=l2(decay))
    inputs = Input(input_shape)
    x = ReLU(name="relu")(normed(inputs, 2 * growth, 7, 2, name="conv", decay=decay, momentum=momentum))
    x = MaxPool2D(3, strides=2, padding=1, name="pool")(x)
    for block, count in enumerate(blocks, start=1):
        for number in range(1, count + 1):
            layer = f"block{block}_{number}"
            y = preceded(preceded(x, 4 * growth, 1, layer, 1), growth, 3, layer, 2)
            x = Concatenate(name=f"{layer}_concat")([x, y])
        if block < len(blocks):
            x = preceded(x, x.shape[-1] // 2, 1, f"transition{block}")
            x = AvgPool2D(2, name=f"transition{block}_pool")(x)
    x = ReLU(name="last_relu")(BatchNorm(momentum=momentum, epsilon=1e-5, name="last_norm")(x))
    head = Dense(classes, activation="softmax", kernel_regularizer=l2(decay), name="classes")
    return Model(inputs, head(GlobalAvgPool2D(name="average")(x)), "densenet121", seed=seed)
