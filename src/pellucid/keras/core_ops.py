"""Keras 3's operations that are no arithmetic: loops, parts that are put in place, gradients of one's own."""

from __future__ import annotations

import builtins
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pellucid import _modules
from pellucid.autodiff import GradientTape, Variable, node_of, recorded
from pellucid.autodiff.rules import scattered
from pellucid.errors import ConfigError, expect_known, shown
from pellucid.keras.loops import *  # noqa: F403 (each is named once, there)
from pellucid.keras.loops import __all__ as _loops
from pellucid.keras.operation import of_values
from pellucid.keras.tensor import tensor
from pellucid.keras.tensorflow.arrays import cast


def convert_to_numpy(x: Any) -> Any:
    """As a plain array."""
    return np.asarray(x)


def slice_update(inputs: Any, start_indices: Any, updates: Any) -> Any:
    """The array with other numbers from there on."""
    x, new = tensor(inputs), tensor(updates)
    around = [(a, n - a - b) for a, b, n in zip(np.asarray(start_indices).tolist(), new.shape, x.shape, strict=True)]
    return np.where(np.pad(np.ones(new.shape, bool), around), np.pad(new, around), x)


def slice(inputs: Any, start_indices: Any, shape: Any) -> Any:
    """A part of these sizes that begins there."""
    starts, sizes = np.asarray(start_indices).tolist(), np.asarray(shape).tolist()
    return tensor(inputs)[tuple(builtins.slice(a, a + b) for a, b in zip(starts, sizes, strict=True))]


def shape(x: Any) -> Any:
    """The sizes of the axes, as a tuple."""
    return tuple(tensor(x).shape)


def dtype(x: Any) -> str:
    """The type of the numbers, as a word."""
    return str(tensor(x).dtype)


def saturate_cast(x: Any, dtype: Any) -> Any:
    """The numbers in another type, those beyond it as its least or largest."""
    kind = np.dtype(dtype)
    ends = np.iinfo(kind) if kind.kind in "iu" else np.finfo(kind)
    return cast(np.clip(tensor(x), float(ends.min), float(ends.max)), kind)


# Parts in their places


def _scattered(indices: Any, values: Any, shape: Any) -> Any:
    """Sums of the values with the same place. Shapes: indices (..., D), values (..., *shape[D:])."""
    sizes = tuple(int(size) for size in shape)
    at, given = np.asarray(indices, np.int64), tensor(values)
    numbers = np.arange(1, np.prod(sizes, dtype=int) + 1).reshape(sizes)
    places = numbers[tuple(np.moveaxis(at, -1, 0))]
    sums = given.reshape(-1).through(scattered, places.ravel(), numbers.size)
    return sums.astype(given.dtype).reshape(sizes)


@of_values
def scatter(indices: Any, values: Any, shape: Any) -> Any:
    """Zeros, and at these places the values, those of one place added."""
    return _scattered(indices, values, shape)


@of_values
def scatter_update(inputs: Any, indices: Any, updates: Any, reduction: str | None = None) -> Any:
    """The array with other numbers at these places. reduction: None in their place, or "add" to them.

    Errors: ConfigError for another reduction.
    """
    if reduction is not None:
        expect_known("scatter_update: reduction", reduction, ("add",))
        return tensor(inputs) + _scattered(indices, updates, np.shape(inputs))
    there = np.zeros(np.shape(inputs), bool)
    there[tuple(np.moveaxis(np.asarray(indices, np.int64), -1, 0))] = True
    return np.where(there, _scattered(indices, updates, np.shape(inputs)), tensor(inputs))


def _segments(reduce: Callable[..., Any], empty: float) -> Callable[..., Any]:
    @of_values
    def function(data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False) -> Any:
        rows, numbers = tensor(data), np.asarray(segment_ids)
        count = int(numbers.max()) + 1 if num_segments is None else int(num_segments)
        none = tensor(np.full(rows.shape[1:], empty, rows.dtype)) if rows.dtype.kind == "f" else rows[0] * 0
        own = [numbers == i for i in range(count)]
        return np.stack([reduce(rows[each], axis=0) if each.any() else none for each in own])

    function.__doc__ = "What becomes of the rows of each number, in order of the numbers."
    return function


segment_sum, segment_prod = _segments(np.sum, 0), _segments(np.prod, 1)
segment_max, segment_min = _segments(np.max, -np.inf), _segments(np.min, np.inf)


@of_values
def rearrange(tensor: Any, pattern: str, **axes_lengths: int) -> Any:
    """Axes joined, parted and put in another order, spelled by words: `"b (h p) w -> b h (p w)"`.

    Errors: ConfigError for a pattern with other axes before the arrow than behind it.
    """
    before, _, after = pattern.partition("->")
    groups = [[one.strip("()").split() for one in re.findall(r"\([^)]*\)|\S+", side)] for side in (before, after)]
    words, wanted = ([word for group in each for word in group] for each in groups)
    if sorted(words) != sorted(wanted) or len(groups[0]) != len(tensor.shape):
        raise ConfigError(f"rearrange: {shown(pattern)} does not fit {len(tensor.shape)} axes, each once on both sides")
    known = dict(axes_lengths)
    for group, size in zip(groups[0], tensor.shape, strict=True):
        open_ = [word for word in group if word not in known]
        rest = int(np.prod([known[word] for word in group if word in known], dtype=int))
        known.update({word: size // rest for word in open_})
    parted = np.reshape(tensor, [known[word] for word in words]).transpose([words.index(word) for word in wanted])
    return parted.reshape([int(np.prod([known[word] for word in group], dtype=int)) for group in groups[1]])


# Gradients


def custom_gradient(f: Callable[..., Any]) -> Callable[..., Any]:
    """A function with a gradient of its own: f gives (y, the function of the gradient of y that gives those of the
    arguments)."""

    def called(*args: Any, **options: Any) -> Any:
        arrays = [tensor(each) for each in args]
        y, slope = f(*_bare(arrays), **options)
        nodes = [node_of(each) for each in arrays]
        if all(node is None for node in nodes):
            return tensor(y)

        def pull(d: Any, needed: Sequence[bool]) -> list[Any]:
            back = slope(tensor(d))
            found = list(back) if isinstance(back, list | tuple) else [back]
            return [each for each, node in zip(found, nodes, strict=True) if node is not None]

        return recorded(y, [node for node in nodes if node is not None], pull)

    return called


def _bare(arrays: Sequence[Any]) -> list[Any]:
    return [tensor(np.asarray(each)) for each in arrays]


def jvp(fun: Callable[..., Any], primals: Any, tangents: Any, has_aux: bool = False) -> Any:
    """(fun(*primals), how it changes along the tangents): the gradient of its gradient's product with them."""
    given = [Variable(np.asarray(each)) for each in primals]
    with GradientTape() as outer:
        with GradientTape() as inner:
            y = fun(*(each.read() for each in given))
            y, *aux = y if has_aux else (y,)
            weights = Variable(np.zeros(y.shape, y.dtype))
            total = np.sum(y * weights.read())
        slopes = inner.gradient(total, given)
        parts = [np.sum(d * tensor(t)) for d, t in zip(slopes, tangents, strict=True) if d is not None]
        along = sum(parts, tensor(np.float32(0)))
    found = outer.gradient(along, weights)
    return (y, tensor(np.zeros(y.shape, y.dtype)) if found is None else found, *aux)


__all__ = sorted([*_modules.written(globals()), *_loops])
