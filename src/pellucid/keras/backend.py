"""Keras's backend: what programs ask of it, and TensorFlow's functions by the names they have there."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pellucid.autodiff import Variable
from pellucid.errors import ConfigError, shown
from pellucid.keras.activations import elu, hard_sigmoid, relu, sigmoid, softmax, softplus, softsign, tanh
from pellucid.keras.ctc import ctc_batch_cost, ctc_decode
from pellucid.keras.deferred import Placeholder, evaluated, slopes
from pellucid.keras.losses import categorical_crossentropy, sparse_categorical_crossentropy
from pellucid.keras.nesting import clear_session
from pellucid.keras.numpy_ops import clip, concatenate, ones, zeros
from pellucid.keras.random import normal as random_normal
from pellucid.keras.random import uniform as random_uniform
from pellucid.keras.tensor import Calculated, tensor
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
from pellucid.keras.tensorflow.convolution import conv2d
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
    "abs", "all", "any", "argmax", "argmin", "backend", "batch_dot", "batch_flatten", "binary_crossentropy", "cast",
    "cast_to_floatx", "categorical_crossentropy", "clear_session", "clip", "concatenate", "constant", "conv1d",
    "conv2d", "cos", "ctc_batch_cost", "ctc_decode", "cumsum", "dot", "elu", "epsilon", "equal", "eval", "exp",
    "expand_dims", "flatten", "floatx", "function", "gather", "get_value", "gradients", "greater", "greater_equal",
    "hard_sigmoid", "image_data_format", "image_dim_ordering", "int_shape", "is_float_dtype", "is_int_dtype",
    "is_keras_tensor", "l2_normalize", "learning_phase", "less", "less_equal", "local_conv1d", "log", "logsumexp",
    "max", "maximum", "mean", "min", "minimum", "moving_average_update", "ndim", "not_equal", "one_hot", "ones",
    "ones_like", "permute_dimensions", "placeholder", "pow", "prod", "random_normal", "random_uniform", "relu",
    "repeat_elements", "reshape", "round", "set_epsilon", "set_floatx", "set_image_data_format",
    "set_image_dim_ordering", "set_learning_phase", "set_session", "set_value", "shape", "sigmoid", "sign", "sin",
    "softmax", "softplus", "softsign", "sparse_categorical_crossentropy", "sqrt", "square", "squeeze", "stack",
    "standardize_dtype", "std", "stop_gradient", "sum", "switch", "tanh", "tile", "transpose", "update",
    "update_add", "update_sub", "var", "variable", "zeros", "zeros_like",
]  # fmt: skip  # fmt: skip


def function(inputs: Sequence[Any], outputs: Any, updates: Any = None, **more: Any) -> Callable[..., Any]:
    """A function of arrays that gives what these values are for them: of a network, or what is calculated from such.

    inputs: values and placeholders; `learning_phase()` among them says whether layers learn. updates: what `update` and
    `optimizer.get_updates` gave, done after the outputs.
    """
    several = isinstance(outputs, list | tuple)
    wanted, later = list(outputs) if several else [outputs], list(updates or ())

    def calculated(given: Sequence[Any]) -> Any:
        values = [isinstance(value, Calculated) for value in inputs]
        fed = [(value, array) for value, array, one in zip(inputs, given, values, strict=True) if one]
        learns = builtins.any(bool(array) for array, one in zip(given, values, strict=True) if not one)
        reads = [value for _, *new in later for value in new]
        found = evaluated([*wanted, *reads], fed, learns)
        rest = iter(found[len(wanted) :])
        for change, *new in later:
            change(*(next(rest) for _ in new))
        return found[: len(wanted)] if several else found[0]

    return calculated


def placeholder(shape: Any = None, ndim: int | None = None, dtype: Any = None, **more: Any) -> Any:
    """What `function` is given numbers for. Shapes: with the batch axis; None for sizes that are not known."""
    return Placeholder([None] * int(ndim or 0) if shape is None else shape)


def gradients(loss: Any, variables: Any) -> Any:
    """The gradient of the sum of a loss for each of these: values of a network, placeholders, variables.

    Errors: ConfigError where the loss does not come from one.
    """
    return slopes(loss, variables)


def eval(x: Any) -> Any:
    """The numbers of a variable, or of what needs none to be calculated."""
    return evaluated([x])[0] if isinstance(x, Calculated) else get_value(x)


def update(x: Any, new_x: Any) -> Any:
    """Give a variable a value: at once, or as one of the updates of `function` where that is yet to be calculated."""
    return (x.assign, new_x) if isinstance(new_x, Calculated) else x.assign(new_x)


def update_add(x: Any, increment: Any) -> Any:
    """The same of its value and another."""
    return update(x, x + increment)


def update_sub(x: Any, decrement: Any) -> Any:
    """The same of its value less another."""
    return update(x, x - decrement)


def moving_average_update(x: Any, value: Any, momentum: float) -> Any:
    """The same of momentum times its value and the rest of another."""
    return update(x, x * momentum + value * (1.0 - momentum))


def batch_dot(x: Any, y: Any, axes: Any = None) -> Any:
    """Of each row of the batch the sums over one axis of x and one of y, counted with the batch; by default the last of
    x and the one before the last of y. Shapes: of rows alone (N, 1).
    """
    a, b = tensor(x), tensor(y)
    ranks = len(a.shape), len(b.shape)
    pair = (
        (ranks[0] - 1, builtins.max(ranks[1] - 2, 1))
        if axes is None
        else (axes, axes)
        if isinstance(axes, int)
        else axes
    )
    ours, theirs = (int(axis) % rank for axis, rank in zip(pair, ranks, strict=True))
    first = np.moveaxis(a, ours, -1)
    second = np.moveaxis(b, theirs, 1)
    left, right = first.shape[1:-1], second.shape[2:]
    rows = np.reshape(first, (-1, int(np.prod(left)), first.shape[-1]))
    columns = np.reshape(second, (-1, second.shape[1], int(np.prod(right))))
    return np.reshape(np.matmul(rows, columns), (-1, *((*left, *right) or (1,))))


def conv1d(x: Any, kernel: Any, strides: int = 1, padding: str = "valid", data_format: Any = None,
           dilation_rate: int = 1) -> Any:  # fmt: skip
    """As the layer Conv1D, with a kernel that is given. Shapes: x (N,W,C), kernel (K,C,O)."""
    row = tensor(kernel)[None]
    y = conv2d(expand_dims(x, 1), row, (1, strides), padding, data_format, (1, dilation_rate))
    return squeeze(y, 1)


def local_conv1d(inputs: Any, kernel: Any, kernel_size: Sequence[int], strides: Sequence[int],
                 data_format: Any = None) -> Any:  # fmt: skip
    """A convolution with a kernel of its own at each place. Shapes: inputs (N,W,C), kernel (OW,K*C,O) -> (N,OW,O)."""
    x, weights, wide = tensor(inputs), tensor(kernel), int(kernel_size[0])
    starts = np.arange(int(weights.shape[0])) * int(strides[0])
    windows = np.reshape(x[:, starts[:, None] + np.arange(wide)], (-1, len(starts), wide * int(x.shape[2])))
    return np.einsum("nwk,wko->nwo", windows, weights)


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


def set_session(session: Any) -> None:
    """Nothing: there are no sessions."""


def epsilon() -> float:
    """The small number that keeps logarithms finite, 1e-7."""
    return 1e-7


def standardize_dtype(dtype: Any) -> str:
    """A type of numbers as a word; None is `floatx`."""
    return floatx() if dtype is None else np.dtype(dtype).name


def is_float_dtype(dtype: Any) -> bool:
    """Whether its numbers are floats."""
    return bool(np.dtype(dtype).kind == "f")


def is_int_dtype(dtype: Any) -> bool:
    """Whether its numbers are whole."""
    return np.dtype(dtype).kind in "iu"


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
            turned = value in ("th", "channels_first")
            remedy = "turn pictures by x.transpose(0, 2, 3, 1)" if turned else "leave the line out"
            raise ConfigError(f"set_{what}({shown(value)}): here it is always {known[0]!r}; {remedy}")

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
