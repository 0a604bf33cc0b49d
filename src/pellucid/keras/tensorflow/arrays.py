"""Arrays made, cut, joined and put in order, by TensorFlow's names; of a network's values what has a layer."""

from __future__ import annotations

import builtins
import itertools
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from pellucid.autodiff import Variable
from pellucid.keras.tensor import Calculated, SizesOf, Tensor, tensor
from pellucid.keras.tensorflow.math import numbers
from pellucid.keras.tensorflow.naming import also
from pellucid.layers import Concatenate, Flatten, Reshape
from pellucid.layers.symbolic import Symbolic, is_symbolic

__all__ = [
    "argsort", "boolean_mask", "broadcast_to", "cast", "clip_by_value", "concat", "constant", "convert_to_tensor",
    "expand_dims", "eye", "fill", "gather", "identity", "linspace", "meshgrid", "one_hot", "ones", "ones_like", "pad",
    "range", "rank", "repeat", "reshape", "reverse", "roll", "shape", "size", "slice", "sort", "split", "squeeze",
    "stack", "tile", "to_double", "to_float", "to_int32", "to_int64", "transpose", "unique", "unstack",
    "where", "zeros", "zeros_like",
]  # fmt: skip


@also(value="x")
def constant(value: Any, dtype: Any = None, shape: Any = None, name: Any = None) -> Any:
    """The numbers as an array."""
    if is_symbolic(value) or (isinstance(value, Tensor) and shape is None and dtype in (None, value.dtype)):
        return value
    array = _joined(value) if dtype is None else _joined(value).astype(dtype)
    if dtype is None and array.dtype == np.float64:
        array = array.astype(np.float32)
    return tensor(
        array if shape is None else np.broadcast_to(array, shape) if array.size == 1 else array.reshape(shape)
    )


def _joined(value: Any) -> Any:
    """Numbers, and lists of them, as one array; recorded where one of them is."""
    if isinstance(value, list | tuple) and any(isinstance(each, Tensor | Variable) for each in value):
        return np.stack(list(map(_joined, value)))
    return tensor(value) if isinstance(value, Tensor | Variable) else np.asarray(value)


convert_to_tensor = constant


def cast(x: Any, dtype: Any, name: Any = None) -> Any:
    """The numbers in another type; a network's values are float32 and stay so."""
    return x if is_symbolic(x) else tensor(x).astype(dtype)


to_float, to_double = partial(cast, dtype=np.float32), partial(cast, dtype=np.float64)
to_int32, to_int64 = partial(cast, dtype=np.int32), partial(cast, dtype=np.int64)
"""As TensorFlow 1 spells it."""


def concat(values: Sequence[Any], axis: int, name: Any = None) -> Any:
    """Values behind one another."""
    every = all(isinstance(each, Symbolic) for each in values)
    return Concatenate(axis)(list(values)) if every else tensor(np.concatenate(list(map(tensor, values)), axis))


@also(values="x")
def stack(values: Sequence[Any], axis: int = 0, name: Any = None) -> Any:
    """Arrays along a new axis."""
    return tensor(np.stack(list(map(tensor, values)), axis))


@also(x="tensor", shape="newshape")
def reshape(x: Any, shape: Any, name: Any = None) -> Any:
    """The same numbers under another shape; the first axis of a network's values is the batch."""
    sizes = [int(size) for size in np.atleast_1d(shape)] if not is_symbolic(x) else list(shape)[1:]
    if is_symbolic(x):
        return Flatten()(x) if sizes == [-1] else Reshape(tuple(sizes))(x)
    return tensor(np.reshape(tensor(x), sizes))


@also(x="input")
def expand_dims(x: Any, axis: int = -1, name: Any = None) -> Any:
    """The array with a new axis of one."""
    return tensor(np.expand_dims(tensor(x), axis))


@also(x="input")
def squeeze(x: Any, axis: Any = None, name: Any = None) -> Any:
    """The array without axes of one."""
    return tensor(np.squeeze(tensor(x), axis))


@also(x="a", perm="axes")
def transpose(x: Any, perm: Any = None, name: Any = None) -> Any:
    """The array with its axes in another order."""
    return tensor(np.transpose(tensor(x), perm))


def clip_by_value(t: Any, clip_value_min: Any, clip_value_max: Any, name: Any = None) -> Any:
    """No number below the one, none above the other."""
    return tensor(np.clip(numbers(t, "clip_by_value"), clip_value_min, clip_value_max))


@also(x="x1", y="x2")
def where(condition: Any, x: Any = None, y: Any = None, name: Any = None) -> Any:
    """x where the condition is true, else y; without these, the places where it is."""
    return tensor(np.argwhere(condition) if x is None else np.where(tensor(condition), tensor(x), tensor(y)))


def identity(input: Any, name: Any = None) -> Any:
    """The same."""
    return input if is_symbolic(input) else tensor(np.copy(tensor(input)))


@also(input="x")
def zeros_like(input: Any, dtype: Any = None, name: Any = None) -> Any:
    """An array of zeros of the same shape."""
    return tensor(np.zeros_like(tensor(input), dtype))


@also(input="x")
def ones_like(input: Any, dtype: Any = None, name: Any = None) -> Any:
    """An array of ones of the same shape."""
    return tensor(np.ones_like(tensor(input), dtype))


def gather(
    params: Any, indices: Any, validate_indices: Any = None, axis: int | None = None, batch_dims: int = 0,
    name: Any = None,
) -> Any:  # fmt: skip
    """The rows of these numbers along an axis; batch_dims: of each part along the first axes, those of its own part."""
    along = batch_dims if axis is None else axis
    if not batch_dims:
        return tensor(np.take(tensor(params), np.asarray(indices), along))
    along = along % np.ndim(params) - 1
    parts = zip(tensor(params), np.asarray(indices), strict=True)
    return np.stack([gather(part, rows, axis=along, batch_dims=batch_dims - 1) for part, rows in parts])


def unique(x: Any, **more: Any) -> Any:
    """(each number once, as they come; for each of x, which of these it is)."""
    array = np.asarray(x)
    _, first, places = np.unique(array, return_index=True, return_inverse=True)
    order = np.argsort(first)
    return tensor(array[first[order]]), tensor(np.argsort(order)[places])


@also(input="x", multiples="repeats")
def tile(input: Any, multiples: Any, name: Any = None) -> Any:
    """The array so many times along each axis."""
    return tensor(np.tile(tensor(input), tuple(np.asarray(multiples).tolist())))


@also(input="x")
def repeat(input: Any, repeats: Any, axis: int | None = None, name: Any = None) -> Any:
    """Each row so many times."""
    return tensor(np.repeat(tensor(input), repeats, axis))


@also(tensor_="tensor")
def pad(tensor_: Any, paddings: Any, mode: str = "CONSTANT", constant_values: Any = 0, name: Any = None) -> Any:
    """The array with a border."""
    array, widths = numbers(tensor_, "pad"), [tuple(pair) for pair in np.asarray(paddings).tolist()]
    if mode.upper() != "CONSTANT":
        return tensor(np.pad(array, widths, mode.lower()))  # type: ignore[call-overload]
    return tensor(np.pad(array, widths, constant_values=constant_values))


def split(value: Any, num_or_size_splits: Any, axis: int = 0, num: Any = None, name: Any = None) -> Any:
    """Parts along an axis: so many of one size, or of these sizes."""
    array = tensor(value)
    length = array.shape[axis]
    if isinstance(num_or_size_splits, int | np.integer):
        sizes = [length // int(num_or_size_splits)] * int(num_or_size_splits)
    else:
        sizes = [int(size) for size in num_or_size_splits]
        sizes = [length - int(np.sum([size for size in sizes if size > 0])) if size < 0 else size for size in sizes]
    ends = np.cumsum([0, *sizes]).tolist()
    before = (builtins.slice(None),) * (axis % len(array.shape))
    return [array[(*before, builtins.slice(start, end))] for start, end in itertools.pairwise(ends)]


@also(value="x")
def unstack(value: Any, num: Any = None, axis: int = 0, name: Any = None) -> Any:
    """Each part along an axis, without that axis."""
    array = tensor(value)
    before = (builtins.slice(None),) * (axis % len(array.shape))
    return [array[(*before, i)] for i in np.arange(array.shape[axis]).tolist()]


@also(tensor_="tensor")
def boolean_mask(tensor_: Any, mask: Any, axis: int | None = 0) -> Any:
    """The numbers where the mask is true, in a row; its first axis is this one of theirs."""
    return tensor(tensor_)[(*[builtins.slice(None)] * (axis or 0), np.asarray(mask, np.bool_))]


@also(input="x")
def broadcast_to(input: Any, shape: Any, name: Any = None) -> Any:
    """The array stretched to a shape."""
    return np.broadcast_to(tensor(input), tuple(np.asarray(shape).tolist()))


@also(input="x")
def roll(input: Any, shift: Any, axis: Any, name: Any = None) -> Any:
    """The array moved round along axes."""
    return np.roll(tensor(input), shift, axis)


@also(values="x")
def sort(values: Any, axis: int = -1, direction: str = "ASCENDING", name: Any = None) -> Any:
    """The numbers in order along an axis."""
    found = np.sort(tensor(values), axis)
    return np.flip(found, axis) if direction.upper() == "DESCENDING" else found


@also(values="x")
def argsort(values: Any, axis: int = -1, direction: str = "ASCENDING", stable: Any = True, name: Any = None) -> Any:
    """Where the numbers in order stand along an axis."""
    array = np.asarray(values)
    return tensor(np.argsort(-array if direction.upper() == "DESCENDING" else array, axis, kind="stable"))


@also(num_rows="N", num_columns="M")
def eye(num_rows: int, num_columns: Any = None, batch_shape: Any = None, dtype: Any = np.float32, **_: Any) -> Any:
    """Ones on the diagonal."""
    one = np.eye(num_rows, num_columns, dtype=dtype)
    return tensor(one if batch_shape is None else np.broadcast_to(one, (*batch_shape, *one.shape)).copy())


def meshgrid(*args: Any, indexing: Any = "xy", name: Any = None) -> Any:
    """The places of a grid, an array for each axis."""
    rows: Any = [np.ravel(tensor(each)) for each in args]
    places = np.meshgrid(*(np.arange(len(row)) for row in rows), indexing=indexing)
    return [row[place] for row, place in zip(rows, places, strict=True)]


def size(input: Any, **more: Any) -> Any:
    """How many numbers."""
    return tensor(np.asarray(np.size(input)))


def rank(input: Any, name: Any = None) -> Any:
    """How many axes."""
    return tensor(np.asarray(np.ndim(input)))


def fill(dims: Any, value: Any, name: Any = None) -> Any:
    """An array of one number."""
    return tensor(np.full(tuple(np.asarray(dims)), tensor(value)))


def linspace(start: Any, stop: Any, num: int, name: Any = None, axis: int = 0) -> Any:
    """Numbers in equal steps, both ends among them."""
    return tensor(np.linspace(tensor(start), tensor(stop), int(num), axis=axis))


@also(tensor_="tensor")
def reverse(tensor_: Any, axis: Any, name: Any = None) -> Any:
    """The array with axes turned round."""
    return tensor(np.flip(tensor(tensor_), tuple(np.atleast_1d(axis).tolist())))


def one_hot(
    indices: Any, depth: int, on_value: Any = 1, off_value: Any = 0, axis: int | None = -1, dtype: Any = np.float32,
    name: Any = None,
) -> Any:  # fmt: skip
    """off_value, and at each class number on_value, along a new axis."""
    row = np.asarray(indices)[..., None] == np.arange(depth)
    on, off = 1 if on_value is None else on_value, 0 if off_value is None else off_value
    made = np.where(row, on, off).astype(np.float32 if dtype is None else dtype)
    return tensor(np.moveaxis(made, -1, -1 if axis is None else axis))


def zeros(shape: Any, dtype: Any = np.float32, name: Any = None) -> Any:
    """An array of zeros."""
    return tensor(np.zeros(shape, dtype))


def ones(shape: Any, dtype: Any = np.float32, name: Any = None) -> Any:
    """An array of ones."""
    return tensor(np.ones(shape, dtype))


def range(start: Any, limit: Any = None, delta: Any = 1, dtype: Any = None, name: Any = None) -> Any:
    """Numbers from start, by default 0, to below limit."""
    first, last = (0, start) if limit is None else (start, limit)
    if dtype is None and any(type(each) is float for each in (first, last, delta)):
        dtype = np.float32
    return tensor(np.arange(first, last, delta, dtype=dtype))


@also(x="input")
def shape(x: Any, **more: Any) -> Any:
    """The sizes of the axes."""
    return SizesOf.of(x) if isinstance(x, Calculated) else tensor(np.asarray(np.shape(x)))


def slice(input_: Any, begin: Any, size: Any, name: Any = None) -> Any:
    """A part of these sizes that begins there; -1 for all that is left."""
    array, starts, sizes = tensor(input_), np.asarray(begin).tolist(), np.asarray(size).tolist()
    return array[tuple(builtins.slice(a, None if n == -1 else a + n) for a, n in zip(starts, sizes, strict=True))]
