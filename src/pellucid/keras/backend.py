"""Keras's backend: what programs ask of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.autodiff import Variable
from pellucid.keras.activations import relu, sigmoid, softmax, tanh
from pellucid.keras.functions import clip, concatenate, ones, zeros
from pellucid.keras.losses import binary_crossentropy, categorical_crossentropy, sparse_categorical_crossentropy
from pellucid.keras.random import normal as random_normal
from pellucid.keras.random import uniform as random_uniform
from pellucid.keras.tensor import tensor
from pellucid.keras.tensorflow import cast, expand_dims, one_hot, ones_like, reshape, shape, squeeze, stack, zeros_like
from pellucid.keras.tensorflow.math import (
    abs,
    argmax,
    cumsum,
    equal,
    exp,
    l2_normalize,
    log,
    matmul,
    maximum,
    minimum,
    pow,
    reduce_logsumexp,
    reduce_max,
    reduce_mean,
    reduce_min,
    reduce_prod,
    reduce_std,
    reduce_sum,
    reduce_variance,
    round,
    sign,
    sqrt,
    square,
    stop_gradient,
)

dot, constant, variable, logsumexp = matmul, tensor, Variable, reduce_logsumexp
max, mean, min, prod, std, sum, var = (
    reduce_max, reduce_mean, reduce_min, reduce_prod, reduce_std, reduce_sum, reduce_variance,
)  # fmt: skip

__all__ = [
    "abs", "argmax", "backend", "batch_flatten", "binary_crossentropy", "cast", "categorical_crossentropy",
    "clear_session", "clip", "concatenate", "constant", "cumsum", "dot", "epsilon", "equal", "exp", "expand_dims",
    "flatten", "floatx", "get_value", "image_data_format", "int_shape", "l2_normalize", "log", "logsumexp", "max",
    "maximum", "mean", "min", "minimum", "one_hot", "ones", "ones_like", "permute_dimensions", "pow", "prod",
    "random_normal", "random_uniform", "relu", "reshape", "round", "set_value", "shape", "sigmoid", "sign", "softmax",
    "sparse_categorical_crossentropy", "sqrt", "square", "squeeze", "stack", "std", "stop_gradient", "sum", "tanh",
    "transpose", "var", "variable", "zeros", "zeros_like",
]  # fmt: skip


def int_shape(x: Any) -> tuple[int | None, ...]:
    """The sizes of the axes, None for the batch's."""
    return tuple(tensor(x).shape)


def flatten(x: Any) -> Any:
    """All numbers in a row."""
    return np.reshape(tensor(x), (-1,))


def batch_flatten(x: Any) -> Any:
    """All numbers of each picture in a row."""
    return reshape(x, (-1, int(np.prod(tensor(x).shape[1:]))))


def permute_dimensions(x: Any, pattern: Any) -> Any:
    """The axes in another order."""
    return np.transpose(tensor(x), tuple(pattern))


def transpose(x: Any) -> Any:
    """The axes the other way round."""
    return np.transpose(tensor(x))


def backend() -> str:
    """The name of what computes."""
    return "pellucid"


def clear_session(free_memory: bool = True) -> None:
    """Nothing: models are independent of each other, and go when nobody holds them."""


def epsilon() -> float:
    """The small number that keeps logarithms finite, 1e-7."""
    return 1e-7


def floatx() -> str:
    """The type of all numbers, "float32"."""
    return "float32"


def image_data_format() -> str:
    """Where a picture's channels stand, "channels_last"."""
    return "channels_last"


def get_value(x: Any) -> Any:
    """A variable's value, such as that of `optimizer.learning_rate`."""
    return x.numpy() if hasattr(x, "numpy") else x


def set_value(x: Any, value: Any) -> None:
    """Give a variable a value: `set_value(optimizer.learning_rate, 0.01)`."""
    x.assign(value)
