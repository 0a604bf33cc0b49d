"""The few of Keras's operations that programs call on arrays and on a network's values."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.keras.activations import gelu, leaky_relu, relu, selu, sigmoid, silu, softmax, softplus, tanh
from pellucid.keras.tensorflow import (
    cast,
    convert_to_tensor,
    expand_dims,
    one_hot,
    ones,
    reshape,
    squeeze,
    stack,
    transpose,
    zeros,
)
from pellucid.keras.tensorflow import concat as concatenate
from pellucid.keras.tensorflow import reduce_max as max
from pellucid.keras.tensorflow import reduce_mean as mean
from pellucid.keras.tensorflow import reduce_sum as sum
from pellucid.keras.tensorflow.math import (
    abs,
    add,
    argmax,
    exp,
    log,
    matmul,
    maximum,
    minimum,
    multiply,
    sqrt,
    square,
    subtract,
)
from pellucid.layers.symbolic import is_symbolic

__all__ = [
    "abs", "add", "argmax", "cast", "concatenate", "convert_to_numpy", "convert_to_tensor", "exp", "expand_dims",
    "gelu", "leaky_relu", "log", "matmul", "max", "maximum", "mean", "minimum", "multiply", "one_hot", "ones",
    "relu", "reshape", "selu", "shape", "sigmoid", "silu", "softmax", "softplus", "sqrt", "square", "squeeze",
    "stack", "subtract", "sum", "tanh", "transpose", "zeros",
]  # fmt: skip


def shape(x: Any) -> Any:
    """The sizes of the axes, as a tuple."""
    return x.shape if is_symbolic(x) else np.shape(x)


def convert_to_numpy(x: object) -> object:
    """As a plain array."""
    return np.asarray(x)
