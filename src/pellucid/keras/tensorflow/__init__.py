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
from pellucid.keras.tensorflow import config, data, image, io, math, nn, random, strings, test
from pellucid.keras.tensorflow.math import (
    abs,
    add,
    add_n,
    argmax,
    argmin,
    cos,
    divide,
    equal,
    exp,
    floor,
    greater,
    greater_equal,
    less,
    less_equal,
    logical_and,
    logical_not,
    logical_or,
    matmul,
    maximum,
    minimum,
    multiply,
    not_equal,
    pow,
    reduce_all,
    reduce_any,
    reduce_max,
    reduce_mean,
    reduce_min,
    reduce_prod,
    reduce_sum,
    round,
    sign,
    sin,
    sqrt,
    square,
    subtract,
)
from pellucid.layers import Concatenate, Flatten, Reshape
from pellucid.layers.symbolic import is_symbolic

float16, float32, float64 = np.float16, np.float32, np.float64
int8, int16, int32, int64, uint8, uint16 = np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16
bool = np.bool_
string = np.str_
newaxis = None
__all__ = [
    "abs",
    "add",
    "add_n",
    "argmax",
    "argmin",
    "bool",
    "cast",
    "clip_by_value",
    "concat",
    "config",
    "constant",
    "convert_to_tensor",
    "cos",
    "data",
    "device",
    "divide",
    "equal",
    "exp",
    "expand_dims",
    "fill",
    "float16",
    "float32",
    "float64",
    "floor",
    "function",
    "gather",
    "greater",
    "greater_equal",
    "identity",
    "image",
    "int8",
    "int16",
    "int32",
    "int64",
    "io",
    "less",
    "less_equal",
    "linspace",
    "logical_and",
    "logical_not",
    "logical_or",
    "math",
    "matmul",
    "maximum",
    "minimum",
    "multiply",
    "newaxis",
    "nn",
    "not_equal",
    "numpy_function",
    "one_hot",
    "ones",
    "ones_like",
    "pad",
    "pow",
    "print",
    "py_function",
    "random",
    "range",
    "rank",
    "reduce_all",
    "reduce_any",
    "reduce_max",
    "reduce_mean",
    "reduce_min",
    "reduce_prod",
    "reduce_sum",
    "repeat",
    "reshape",
    "reverse",
    "round",
    "shape",
    "sign",
    "sin",
    "size",
    "sqrt",
    "square",
    "squeeze",
    "stack",
    "string",
    "strings",
    "subtract",
    "test",
    "tile",
    "transpose",
    "uint8",
    "uint16",
    "unique",
    "where",
    "zeros",
    "zeros_like",
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


def clip_by_value(t: Any, clip_value_min: Any, clip_value_max: Any, name: Any = None) -> Any:
    """No number below the one, none above the other."""
    return tensor(np.clip(math.numbers(t, "clip_by_value"), clip_value_min, clip_value_max))


def where(condition: Any, x: Any = None, y: Any = None, name: Any = None) -> Any:
    """x where the condition is true, else y; without these, the places where it is."""
    return tensor(np.argwhere(condition) if x is None else np.where(np.asarray(condition), x, y))


def identity(input: Any, name: Any = None) -> Any:
    """The same."""
    return input if is_symbolic(input) else tensor(np.array(input))


def zeros_like(input: Any, dtype: Any = None, name: Any = None) -> Any:
    """An array of zeros of the same shape."""
    return tensor(np.zeros_like(input, dtype))


def ones_like(input: Any, dtype: Any = None, name: Any = None) -> Any:
    """An array of ones of the same shape."""
    return tensor(np.ones_like(input, dtype))


def gather(params: Any, indices: Any, axis: int = 0, **more: Any) -> Any:
    """The rows of these numbers."""
    return tensor(np.take(np.asarray(params), np.asarray(indices), axis))


def unique(x: Any, **more: Any) -> Any:
    """(each number once, as they come; for each of x, which of these it is)."""
    array = np.asarray(x)
    _, first, places = np.unique(array, return_index=True, return_inverse=True)
    order = np.argsort(first)
    return tensor(array[first[order]]), tensor(np.argsort(order)[places])


def tile(input: Any, multiples: Any, name: Any = None) -> Any:
    """The array so many times along each axis."""
    return tensor(np.tile(np.asarray(input), tuple(np.asarray(multiples))))


def repeat(input: Any, repeats: Any, axis: int | None = None, name: Any = None) -> Any:
    """Each row so many times."""
    return tensor(np.repeat(np.asarray(input), repeats, axis))


def pad(tensor_: Any, paddings: Any, mode: str = "CONSTANT", constant_values: Any = 0, name: Any = None) -> Any:
    """The array with a border."""
    array, widths = math.numbers(tensor_, "pad"), [tuple(pair) for pair in np.asarray(paddings)]
    if mode.upper() != "CONSTANT":
        return tensor(np.pad(array, widths, mode.lower()))  # type: ignore[call-overload]
    return tensor(np.pad(array, widths, constant_values=constant_values))


def print(*inputs: Any, **more: Any) -> None:
    """On standard output."""
    import builtins

    builtins.print(*inputs)


def numpy_function(func: Callable[..., Any], inp: Sequence[Any], Tout: Any = None, **more: Any) -> Any:
    """What a Python function makes of these."""
    return func(*inp)


py_function = numpy_function


def size(input: Any, **more: Any) -> Any:
    """How many numbers."""
    return tensor(np.asarray(np.size(input)))


def rank(input: Any, name: Any = None) -> Any:
    """How many axes."""
    return tensor(np.asarray(np.ndim(input)))


def fill(dims: Any, value: Any, name: Any = None) -> Any:
    """An array of one number."""
    return tensor(np.full(tuple(np.asarray(dims)), value))


def linspace(start: Any, stop: Any, num: int, name: Any = None, axis: int = 0) -> Any:
    """Numbers in equal steps, both ends among them."""
    return tensor(np.linspace(start, stop, int(num), axis=axis))


def reverse(tensor_: Any, axis: Any, name: Any = None) -> Any:
    """The array with axes turned round."""
    return tensor(np.flip(np.asarray(tensor_), tuple(np.atleast_1d(axis))))


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
