"""GoogLeNet: modules of four branches side by side, each of which looks at another size of neighbourhood."""

from __future__ import annotations

from functools import partial

from pellucid.layers import Concatenate, Dense, Dropout, GlobalAvgPool2D, Input, MaxPool2D, ReLU
from pellucid.layers.symbolic import Symbolic
from pellucid.model import Model
from pellucid.ops.geometry import Shape
from pellucid.zoo.normed import normed
from pellucid.zoo.recipes import Recipe, network

MODULES = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}
"""Table 1: filters of 1x1, 3x3 reduce, 3x3, 5x5 reduce, 5x5 and pool proj."""


@network(
    "googlenet",
    Recipe(
        optimizer="sgd",
        learning_rate=0.01,
        optimizer_settings={"momentum": 0.9},
        schedule="cosine",
        augment="standard",
        standardize=True,
    ),
)
def googlenet(
    input_shape: Shape = (224, 224, 3),
    classes: int = 1000,
    *,
    dropout: float = 0.2,
    momentum: float = 0.9,
    seed: int = 0,
) -> Model:
    """Nine inception modules, in which 1x1, 3x3 and wider convolutions and a pooling are joined. 6,624,904 parameters.

    Differs from the paper as torchvision does: batch norm behind every convolution (momentum: of its running
    statistics), no response normalisation, 3x3 in place of 5x5, a 2x2 pool4, dropout 0.2 for 0.4, and no classifiers
    at half depth, which only helped training.
    Source: Szegedy et al. 2015, "Going Deeper with Convolutions", table 1; torchvision/models/googlenet.py.
    """

    def convolved(x: Symbolic, filters: int, size: int, strides: int = 1, *, name: str) -> Symbolic:
        y = normed(x, filters, size, strides, name=name, momentum=momentum, epsilon=1e-3)
        value: Symbolic = ReLU(name=f"{name}_relu")(y)
        return value

    def inception(x: Symbolic, name: str, widths: tuple[int, ...]) -> Symbolic:
        one, reduce3, three, reduce5, five, projected = widths
        branches = [
            convolved(x, one, 1, name=f"{name}_1x1"),
            convolved(convolved(x, reduce3, 1, name=f"{name}_3x3_reduce"), three, 3, name=f"{name}_3x3"),
            convolved(convolved(x, reduce5, 1, name=f"{name}_5x5_reduce"), five, 3, name=f"{name}_5x5"),
            convolved(
                MaxPool2D(3, strides=1, padding=1, name=f"{name}_pool")(x), projected, 1, name=f"{name}_pool_proj"
            ),
        ]
        joined: Symbolic = Concatenate(name=f"{name}_concat")(branches)
        return joined

    pool = partial(MaxPool2D, strides=2, padding=((0, 1), (0, 1)))  # a last window may begin inside: ceil mode
    inputs = Input(input_shape)
    x = pool(3, name="pool1")(convolved(inputs, 64, 7, 2, name="conv1"))
    x = convolved(convolved(x, 64, 1, name="conv2_reduce"), 192, 3, name="conv2")
    x = pool(3, name="pool2")(x)
    for module, widths in MODULES.items():
        x = inception(x, f"inception{module}", widths)
        if module in ("3b", "4e"):
            x = pool(3 if module == "3b" else 2, name=f"pool{module[0]}")(x)
    x = Dropout(dropout, name="dropout")(GlobalAvgPool2D(name="average")(x))
    return Model(inputs, Dense(classes, activation="softmax", name="classes")(x), "googlenet", seed=seed)
