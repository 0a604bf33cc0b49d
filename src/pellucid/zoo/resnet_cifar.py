"""Residual networks for small pictures: what a block adds to its input is learned, not the whole of what it gives."""

from __future__ import annotations

from pellucid.layers import Add, BatchNorm, Conv2D, Dense, GlobalAvgPool2D, Input, ReLU
from pellucid.layers.penalty import L2
from pellucid.layers.symbolic import Symbolic
from pellucid.model import Model
from pellucid.ops.geometry import Shape
from pellucid.zoo.recipes import Recipe, network


@network(
    "resnet20",
    Recipe(
        batch_size=128,
        optimizer="sgd",
        learning_rate=0.1,
        optimizer_settings={"momentum": 0.9},
        schedule="cosine",
        augment="standard",
        standardize=True,
    ),
)
def resnet20(
    input_shape: Shape = (32, 32, 3),
    classes: int = 10,
    *,
    blocks: int = 3,
    filters: int = 16,
    decay: float = 0.0001,
    momentum: float = 0.9,
    seed: int = 0,
) -> Model:
    """3 stages of `blocks` residual blocks with n, 2n and 4n filters; global average; softmax. 272,474 trained numbers.

    Each block is two 3x3 convolutions with batch norm, and a shortcut around them: the value itself, or where a stage
    halves the map and doubles the channels its 1x1 projection (the paper's option B). 6 * blocks + 2 layers with
    weights. decay: of the convolutions' and the dense layer's weights, half of an L2 penalty; the paper decays all.
    momentum: of batch norm's running statistics.
    Source: He, Zhang, Ren & Sun 2016, "Deep Residual Learning for Image Recognition", section 4.2; weights as He et al.
    2015 draw them.
    """
    penalty = L2(decay / 2) if decay else None

    def convolved(x: Symbolic, width: int, size: int, strides: int, name: str) -> Symbolic:
        conv = Conv2D(
            width,
            size,
            strides,
            "same",
            use_bias=False,
            kernel_initializer="he_normal",
            kernel_regularizer=penalty,
            name=name,
        )
        normed: Symbolic = BatchNorm(momentum=momentum, epsilon=1e-5, name=f"{name}_norm")(conv(x))
        return normed

    inputs = Input(input_shape)
    x = ReLU(name="relu")(convolved(inputs, filters, 3, 1, "conv"))
    for stage in range(3):
        width = filters * 2**stage
        for block in range(blocks):
            name, strides = f"block{stage + 1}_{block + 1}", 2 if stage and not block else 1
            y = ReLU(name=f"{name}_relu1")(convolved(x, width, 3, strides, f"{name}_conv1"))
            y = convolved(y, width, 3, 1, f"{name}_conv2")
            shortcut = convolved(x, width, 1, strides, f"{name}_shortcut") if strides == 2 else x
            x = ReLU(name=f"{name}_relu2")(Add(name=f"{name}_add")([y, shortcut]))
    x = GlobalAvgPool2D(name="average")(x)
    answers = Dense(classes, activation="softmax", kernel_regularizer=penalty, name="classes")(x)
    return Model(inputs, answers, "resnet20", seed=seed)
