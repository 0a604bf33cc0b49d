"""The base of a network whose first layers are frozen: what a training step only passes through.

A base has nothing to train and gives in training what it gives in use. So no gradient enters it, it is lowered like a
network that only predicts (two buffers in turn, no records for a way back), and its outputs can be kept.
"""

from __future__ import annotations

from collections.abc import Sequence

from pellucid.layers import (
    RBF,
    Activation,
    AvgPool1D,
    AvgPool2D,
    BatchNorm,
    Conv1D,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool2D,
    Layer,
    LeakyReLU,
    LocalResponseNorm,
    MaxPool1D,
    MaxPool2D,
    ReLU,
    ScaledTanh,
    Sigmoid,
    Softmax,
    Subsampling2D,
    TableConv2D,
    Tanh,
    ZeroPadding2D,
)

STEADY: frozenset[type[Layer]] = frozenset(
    (
        Activation,
        AvgPool1D,
        AvgPool2D,
        Conv1D,
        Conv2D,
        Dense,
        Flatten,
        GlobalAvgPool2D,
        LeakyReLU,
        LocalResponseNorm,
        MaxPool1D,
        MaxPool2D,
        RBF,
        ReLU,
        ScaledTanh,
        Sigmoid,
        Softmax,
        Subsampling2D,
        TableConv2D,
        Tanh,
        ZeroPadding2D,
    )
)
"""Layers whose forward pass knows no training. Exact types: a layer of one's own may do as it likes in training."""


def base_depth(layers: Sequence[Layer]) -> int:
    """How many leading layers make the base: frozen or without parameters, and the same in training as in use."""
    for depth, layer in enumerate(layers):
        if (layer.trainable and layer.params) or not is_steady(layer):
            return depth
    return len(layers)


def is_steady(layer: Layer) -> bool:
    """Whether a layer that is not trained gives in training what it gives in use.

    A frozen batch norm takes its running statistics; dropout draws anew in each step, unless its rate is 0.
    """
    if type(layer) is BatchNorm:
        return not layer.trainable
    if type(layer) is Dropout:
        return layer.rate == 0
    return type(layer) in STEADY
