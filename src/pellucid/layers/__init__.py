"""The layers. Each file holds one kind; `layer.py` says what every layer is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pellucid._arguments import made
from pellucid.errors import unknown_name
from pellucid.layers.activation import Activation, LeakyReLU, ReLU, ScaledTanh, Sigmoid, Softmax, Tanh
from pellucid.layers.check import GradientCheck, check_gradients
from pellucid.layers.conv import Conv1D, Conv2D
from pellucid.layers.dense import Dense
from pellucid.layers.dropout import Dropout
from pellucid.layers.layer import Cache, Key, Layer
from pellucid.layers.merge import Add, Concatenate, Multiply
from pellucid.layers.normalization import BatchNorm, LocalResponseNorm
from pellucid.layers.penalty import L1, L1L2, L2, Penalty
from pellucid.layers.pool import AvgPool1D, AvgPool2D, GlobalAvgPool2D, MaxPool1D, MaxPool2D
from pellucid.layers.radial import RBF
from pellucid.layers.shape import Flatten, Input, ZeroPadding2D
from pellucid.layers.subsampling import Subsampling2D
from pellucid.layers.table_conv import TableConv2D

AveragePooling1D = AvgPool1D
AveragePooling2D = AvgPool2D
BatchNormalization = BatchNorm
Convolution1D = Conv1D
Convolution2D = Conv2D
GlobalAveragePooling2D = GlobalAvgPool2D
InputLayer = Input
MaxPooling1D = MaxPool1D
MaxPooling2D = MaxPool2D

LAYERS: dict[str, type[Layer]] = {
    cls.__name__: cls
    for cls in (
        Activation,
        Add,
        AvgPool1D,
        AvgPool2D,
        BatchNorm,
        Concatenate,
        Conv1D,
        Conv2D,
        Dense,
        Dropout,
        Flatten,
        GlobalAvgPool2D,
        Input,
        LeakyReLU,
        LocalResponseNorm,
        MaxPool1D,
        MaxPool2D,
        Multiply,
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
}
"""Every layer by the name its config carries."""


def from_config(config: Mapping[str, Any], custom_layers: Mapping[str, type[Layer]] | None = None) -> Layer:
    """The layer that `layer.config()` described; it has no weights yet.

    `custom_layers` maps names to classes of your own.
    Errors: ConfigError for an unknown type, or for arguments that it does not take.
    """
    arguments = dict(config)
    name = arguments.pop("type", None)
    known = {**LAYERS, **(custom_layers or {})}
    if name not in known:
        raise unknown_name("layer", name, known)
    return made(known[name], arguments, name)


__all__ = [
    "L1",
    "L1L2",
    "L2",
    "LAYERS",
    "RBF",
    "Activation",
    "Add",
    "AveragePooling1D",
    "AveragePooling2D",
    "AvgPool1D",
    "AvgPool2D",
    "BatchNorm",
    "BatchNormalization",
    "Cache",
    "Concatenate",
    "Conv1D",
    "Conv2D",
    "Convolution1D",
    "Convolution2D",
    "Dense",
    "Dropout",
    "Flatten",
    "GlobalAveragePooling2D",
    "GlobalAvgPool2D",
    "GradientCheck",
    "Input",
    "InputLayer",
    "Key",
    "Layer",
    "LeakyReLU",
    "LocalResponseNorm",
    "MaxPool1D",
    "MaxPool2D",
    "MaxPooling1D",
    "MaxPooling2D",
    "Multiply",
    "Penalty",
    "ReLU",
    "ScaledTanh",
    "Sigmoid",
    "Softmax",
    "Subsampling2D",
    "TableConv2D",
    "Tanh",
    "ZeroPadding2D",
    "check_gradients",
    "from_config",
]
