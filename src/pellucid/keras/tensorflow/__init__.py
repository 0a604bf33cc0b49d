"""The few functions of TensorFlow's that Keras programs call, on arrays and, where layers do it, a network's values.

`pellucid run` gives them to a program under TensorFlow's name.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from pellucid.keras.refused import stand_in
from pellucid.keras.tensor import tensor
from pellucid.keras.tensorflow import config, data, image, io, math, nn, random, test
from pellucid.layers import Concatenate, Flatten, Reshape
from pellucid.layers.symbolic import is_symbolic

float16, float32, float64 = np.float16, np.float32, np.float64
int8, int32, int64, uint8 = np.int8, np.int32, np.int64, np.uint8
bool = np.bool_
string = np.str_
newaxis = None
argmax, reduce_max, reduce_mean, reduce_min, reduce_sum = (
    math.argmax, math.reduce_max, math.reduce_mean, math.reduce_min, math.reduce_sum,
)  # fmt: skip
abs, add, equal, exp, multiply, round, sqrt, square, subtract = (
    math.abs, math.add, math.equal, math.exp, math.multiply, math.round, math.sqrt, math.square, math.subtract,
)  # fmt: skip

__all__ = [
    "abs",
    "add",
    "argmax",
    "bool",
    "cast",
    "clip_by_value",
    "concat",
    "config",
    "constant",
    "convert_to_tensor",
    "data",
    "device",
    "equal",
    "exp",
    "expand_dims",
    "float16",
    "float32",
    "float64",
    "function",
    "image",
    "int8",
    "int32",
    "int64",
    "io",
   
    "math",
    "multiply",
    "newaxis",
    "nn",
    "one_hot",
    "ones",
    "random",
    "range",
    "reduce_max",
    "reduce_mean",
    "reduce_min",
    "reduce_sum",
    "reshape",
    "round",
    "shape",
    "sqrt",
    "square",
    "squeeze",
    "stack",
    "string",
    "subtract",
    "test",
    "transpose",
    "uint8",
    "zeros",
]  # fmt: skip

__version__ = "2.18.0"


def constant(value: Any, dtype: Any = None, shape: Any = None, name: Any = None) -> Any:
    """The numbers as an array."""
    array = np.asarray(value, dtype)
    if dtype is None and array.dtype == np.float64:
        array = array.astype(np.float32)
    return tensor(
        array if shape is None else np.broadcast_to(array, shape) if array.size == 1 else array.reshape(shape)
    )


convert_to_tensor = constant


def cast(x: Any, dtype: Any, name: Any = None) -> Any:
    """The numbers in another type; a network's values are float32 and stay so."""
    return x if is_symbolic(x) else tensor(np.asarray(x).astype(dtype))


def concat(values: Sequence[Any], axis: int, name: Any = None) -> Any:
    """Values behind one another."""
    return Concatenate(axis)(list(values)) if is_symbolic(values) else tensor(np.concatenate(list(values), axis))


def stack(values: Sequence[Any], axis: int = 0, name: Any = None) -> Any:
    """Arrays along a new axis."""
    return tensor(np.stack(list(values), axis))


def reshape(x: Any, shape: Any, name: Any = None) -> Any:
    """The same numbers under another shape; the first axis of a network's values is the batch."""
    sizes = [int(size) for size in np.atleast_1d(shape)] if not is_symbolic(x) else list(shape)[1:]
    if is_symbolic(x):
        return Flatten()(x) if sizes == [-1] else Reshape(tuple(sizes))(x)
    return tensor(np.reshape(x, sizes))


def expand_dims(x: Any, axis: int = -1, name: Any = None) -> Any:
    """The array with a new axis of one."""
    return tensor(np.expand_dims(x, axis))


def squeeze(x: Any, axis: Any = None, name: Any = None) -> Any:
    """The array without axes of one."""
    return tensor(np.squeeze(x, axis))


def transpose(x: Any, perm: Any = None, name: Any = None) -> Any:
    """The array with its axes in another order."""
    return tensor(np.transpose(x, perm))


def clip_by_value(x: Any, low: Any, high: Any, name: Any = None) -> Any:
    """No number below low, none above high."""
    return tensor(np.clip(x, low, high))


def one_hot(indices: Any, depth: int, **more: Any) -> Any:
    """A row of zeros with a one at each class number."""
    return tensor((np.asarray(indices)[..., None] == np.arange(depth)).astype(np.float32))


def zeros(shape: Any, dtype: Any = np.float32, name: Any = None) -> Any:
    """An array of zeros."""
    return tensor(np.zeros(shape, dtype))


def ones(shape: Any, dtype: Any = np.float32, name: Any = None) -> Any:
    """An array of ones."""
    return tensor(np.ones(shape, dtype))


def range(*ends: Any, **more: Any) -> Any:
    """Whole numbers in a row."""
    return tensor(np.arange(*ends))


def shape(x: Any, **more: Any) -> Any:
    """The sizes of the axes."""
    return x.shape if is_symbolic(x) else tensor(np.asarray(np.shape(x)))


def function(func: Callable[..., Any] | None = None, **more: Any) -> Any:
    """The function as it is: nothing is compiled."""
    return (lambda given: given) if func is None else func


def device(name: Any) -> AbstractContextManager[None]:
    """A block that runs where everything does."""
    return nullcontext()


__getattr__ = functools.partial(stand_in, sys.modules[__name__])
