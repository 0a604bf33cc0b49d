"""LeNet as courses teach it: sigmoids and average pooling."""

from __future__ import annotations

from pellucid.layers import AvgPool2D, Conv2D, Dense, Flatten, Input
from pellucid.model import Sequential
from pellucid.ops.geometry import Shape


def lenet5(
    input_shape: Shape = (28, 28, 1),
    classes: int = 10,
    *,
    activation: str = "sigmoid",
    seed: int = 0,
) -> Sequential:
    """6 and 16 filters 5x5 with average pooling, dense 120 and 84, softmax; 61,706 parameters for MNIST.

    Differs from LeNet-5 as published: plain sigmoids for scaled tanh, pooling without trained coefficients, every map
    of the third layer connected to every one below, softmax for radial basis functions, padding 2 for 32x32 pictures.
    Source: LeCun, Bottou, Bengio & Haffner 1998, section II-B; the taught form as in seed 000.
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
