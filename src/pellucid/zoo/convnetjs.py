"""The CIFAR-10 network that ConvNetJS trains in a browser."""

from __future__ import annotations

from pellucid.datasets.transforms import Preprocessing
from pellucid.initializers import Constant
from pellucid.layers import Conv2D, Dense, Flatten, Input, Layer, MaxPool2D
from pellucid.model import Sequential
from pellucid.ops.geometry import Shape
from pellucid.zoo.recipes import Recipe, network

SCALING = Preprocessing(mean=(0.5,))
"""Pixels from -0.5 to 0.5, as the demo has them."""


@network("convnetjs-cifar10", Recipe(schedule="cosine"))
def convnetjs_cifar10(input_shape: Shape = (32, 32, 3), classes: int = 10, *, seed: int = 0) -> Sequential:
    """Three times 5x5 convolution (16, 20, 20 filters), ReLU and 2x2 max pooling; softmax; 22,466 parameters.

    The demo trains it with Adadelta (rate 1), batches of 4, an L2 decay of 0.0001, pictures shifted by up to 2 pixels
    and mirrored. Weights have variance 1 / fan-in and biases of ReLU units start at 0.1, as there.
    Differs from the demo: the Gaussian that weights are drawn from is cut at two deviations.
    Source: A. Karpathy, ConvNetJS, cs.stanford.edu/people/karpathy/convnetjs/demo/cifar10.html, its layer_defs.
    """
    layers: list[Layer] = [Input(input_shape)]
    for number, filters in enumerate((16, 20, 20), start=1):
        layers += [
            Conv2D(
                filters,
                5,
                padding=2,
                activation="relu",
                kernel_initializer="lecun_normal",
                bias_initializer=Constant(0.1),
                name=f"conv{number}",
            ),
            MaxPool2D(2, name=f"pool{number}"),
        ]
    layers += [
        Flatten(name="flatten"),
        Dense(classes, activation="softmax", kernel_initializer="lecun_normal", name="classes"),
    ]
    model = Sequential(layers, name="convnetjs-cifar10", seed=seed)
    model.preprocessing = SCALING
    return model
