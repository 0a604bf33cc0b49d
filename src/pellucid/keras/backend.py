"""Keras's backend: what programs ask of it, and TensorFlow's functions by the names they have there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pellucid.autodiff import Variable
from pellucid.errors import ConfigError, shown
from pellucid.keras.activations import elu, hard_sigmoid, relu, sigmoid, softmax, softplus, softsign, tanh
from pellucid.keras.functions import clip, concatenate, ones, zeros
from pellucid.keras.losses import categorical_crossentropy, sparse_categorical_crossentropy
from pellucid.keras.random import normal as random_normal
from pellucid.keras.random import uniform as random_uniform
from pellucid.keras.tensor import tensor
from pellucid.keras.tensorflow import (
    cast,
    expand_dims,
    gather,
    one_hot,
    ones_like,
    repeat,
    reshape,
    shape,
    squeeze,
    stack,
    tile,
    where,
    zeros_like,
)
from pellucid.keras.tensorflow.math import (
    abs,
    cos,
    cumsum,
    equal,
    exp,
    greater,
    greater_equal,
    l2_normalize,
    less,
    less_equal,
    log,
    matmul,
    maximum,
    minimum,
    not_equal,
    pow,
    reduce_all,
    reduce_any,
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
    sin,
    sqrt,
    square,
    stop_gradient,
)
from pellucid.keras.tensorflow.math import argmax as _argmax
from pellucid.keras.tensorflow.math import argmin as _argmin
from pellucid.layers.symbolic import is_symbolic

dot, constant, variable, logsumexp = matmul, tensor, Variable, reduce_logsumexp
all, any, switch = reduce_all, reduce_any, where
max, mean, min, prod, std, sum, var = (
    reduce_max, reduce_mean, reduce_min, reduce_prod, reduce_std, reduce_sum, reduce_variance,
)  # fmt: skip

__all__ = [
    "abs",
    "all",
    "any",
    "argmax",
    "argmin",
    "backend",
    "batch_flatten",
    "binary_crossentropy",
    "cast",
    "cast_to_floatx",
    "categorical_crossentropy",
    "clear_session",
    "clip",
    "concatenate",
    "constant",
    "cos",
    "cumsum",
    "dot",
    "elu",
    "epsilon",
    "equal",
    "exp",
    "expand_dims",
    "flatten",
    "floatx",
    "function",
    "gather",
    "get_value",
    "greater",
    "greater_equal",
    "hard_sigmoid",
    "image_data_format",
    "image_dim_ordering",
    "int_shape",
    "is_keras_tensor",
    "l2_normalize",
    "learning_phase",
    "less",
    "less_equal",
    "log",
    "logsumexp",
    "max",
    "maximum",
    "mean",
    "min",
    "minimum",
    "ndim",
    "not_equal",
    "one_hot",
    "ones",
    "ones_like",
    "permute_dimensions",
    "pow",
    "prod",
    "random_normal",
    "random_uniform",
    "relu",
    "repeat_elements",
    "reshape",
    "round",
    "set_epsilon",
    "set_floatx",
    "set_image_data_format",
    "set_image_dim_ordering",
    "set_learning_phase",
    "set_session",
    "set_value",
    "shape",
    "sigmoid",
    "sign",
    "sin",
    "softmax",
    "softplus",
    "softsign",
    "sparse_categorical_crossentropy",
    "sqrt",
    "square",
    "squeeze",
    "stack",
    "std",
    "stop_gradient",
    "sum",
    "switch",
    "tanh",
    "tile",
    "transpose",
    "var",
    "variable",
    "zeros",
    "zeros_like",
]  # fmt: skip


def function(inputs: Sequence[Any], outputs: Any, updates: Any = None, **more: Any) -> Callable[..., Any]:
    """A function of arrays that gives what these values of a network are for them; `learning_phase()` among the inputs
    is left out.

    Errors: ConfigError for updates.
    """
    from pellucid.keras.models import Model

    if updates:
        raise ConfigError("K.function(updates=...) is not here; optimizers and fit change weights")
    places = [number for number, value in enumerate(inputs) if is_symbolic(value)]
    model = Model([inputs[number] for number in places], outputs)

    def calculated(given: Sequence[Any]) -> Any:
        arrays = [np.asarray(given[number]) for number in places]
        answers = model.predict(arrays[0] if len(arrays) == 1 else arrays, verbose=0)
        return answers if isinstance(answers, list) or not isinstance(outputs, list | tuple) else [answers]

    return calculated


def int_shape(x: Any) -> tuple[int | None, ...]:
    """The sizes of the axes, None for the batch's."""
    return tuple(tensor(x).shape)


def ndim(x: Any) -> int:
    """How many axes."""
    return len(tensor(x).shape)


def is_keras_tensor(x: Any) -> bool:
    """Whether it is a value of a network."""
    return is_symbolic(x)


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


def repeat_elements(x: Any, rep: int, axis: int) -> Any:
    """Each row along an axis so many times."""
    return repeat(x, rep, axis)


def cast_to_floatx(x: Any) -> Any:
    """The numbers as float32."""
    return cast(x, np.float32)


def argmax(x: Any, axis: int = -1) -> Any:
    """Where the largest number stands along an axis."""
    return _argmax(x, axis)


def argmin(x: Any, axis: int = -1) -> Any:
    """Where the smallest number stands along an axis."""
    return _argmin(x, axis)


def binary_crossentropy(target: Any, output: Any, from_logits: bool = False) -> Any:
    """The loss of each number by itself."""
    if from_logits:
        return maximum(output, 0.0) - output * target + log(1.0 + exp(-abs(output)))
    share = clip(output, epsilon(), 1 - epsilon())
    return -(target * log(share) + (1.0 - target) * log(1.0 - share))


def backend() -> str:
    """Whose functions a program may call beside Keras's: "tensorflow"."""
    return "tensorflow"


def clear_session(free_memory: bool = True) -> None:
    """Nothing: models are independent of each other, and go when nobody holds them."""


def set_session(session: Any) -> None:
    """Nothing: there are no sessions."""


def epsilon() -> float:
    """The small number that keeps logarithms finite, 1e-7."""
    return 1e-7


def floatx() -> str:
    """The type of all numbers, "float32"."""
    return "float32"


def image_data_format() -> str:
    """Where a picture's channels stand, "channels_last"."""
    return "channels_last"


def image_dim_ordering() -> str:
    """`image_data_format` by its name of before: "tf"."""
    return "tf"


def learning_phase() -> int:
    """0: outside of `fit` nothing learns."""
    return 0


def _only(what: str, *known: Any) -> Callable[[Any], None]:
    def set_(value: Any) -> None:
        if value not in known:
            raise ConfigError(f"set_{what}({shown(value)}): here it is always {known[0]!r}; leave the line out")

    set_.__name__ = set_.__qualname__ = f"set_{what}"
    set_.__doc__ = f"Nothing for {known[0]!r}, as it always is. Errors: ConfigError for anything else."
    return set_


set_epsilon, set_floatx = _only("epsilon", epsilon()), _only("floatx", floatx())
set_image_data_format = _only("image_data_format", image_data_format())
set_image_dim_ordering = _only("image_dim_ordering", image_dim_ordering())
set_learning_phase = _only("learning_phase", 0, False)


def get_value(x: Any) -> Any:
    """A variable's value, such as that of `optimizer.learning_rate`."""
    return x.numpy() if hasattr(x, "numpy") else x


def set_value(x: Any, value: Any) -> None:
    """Give a variable a value: `set_value(optimizer.learning_rate, 0.01)`."""
    x.assign(value)
