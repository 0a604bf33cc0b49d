"""Batches for steps that a model takes by itself: of arrays, also of several inputs and outputs, or somebody else's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from pellucid.keras.tensor import tensor
from pellucid.model.pictures import as_rows
from pellucid.model.streams import Source, is_stream
from pellucid.ops import Array


class Rows:
    """Batches of arrays, in a new order for each epoch where a seed is given."""

    def __init__(self, arrays: Sequence[Any], alone: bool, size: int, seed: int | None) -> None:
        self._arrays, self._alone, self._size, self._seed = arrays, alone, size, seed
        self.count = count_of(arrays[0])
        self.steps = -(-self.count // size)

    def epoch(self, number: int) -> Iterator[tuple[Any, int]]:
        order = np.arange(self.count)
        if self._seed is not None:
            order = np.random.default_rng([self._seed, number]).permutation(order)
        for start in range(0, self.count, self._size):
            rows = order[start : start + self._size]
            parts = tuple(each_of(array, partial(_tensor_of, rows=rows)) for array in self._arrays)
            yield (parts[0] if self._alone else parts), len(rows)


class GivenBatches:
    """Batches that somebody else makes."""

    def __init__(self, given: Any, steps: int | None, what: str, seed: int | None) -> None:
        self._source = Source(given, steps, what, seed)
        self.steps, self.count = self._source.steps, 0

    def epoch(self, number: int) -> Iterator[tuple[Any, int]]:
        for batch in self._source.epoch(number):
            parts = [
                part if isinstance(part, dict | tuple | list) else tensor(part) for part in batch if part is not None
            ]
            yield (parts[0] if len(parts) == 1 else tuple(parts)), len(batch.x)


def batches_of(
    model: Any, x: Any, y: Any, weights: Any, size: Any, steps: Any, what: str, seed: int | None = None
) -> Rows | GivenBatches:
    if y is None and is_stream(x):
        return GivenBatches(x, steps, what, seed)
    if model._several is not None and y is not None:
        y = model._several.of_each(y, "labels")
    arrays = [
        each_of(as_rows(model, x), _floats),
        *(each_of(part, np.asarray) for part in (y, weights) if part is not None),
    ]
    return Rows(arrays, y is None, 32 if size is None else int(size), seed)


def count_of(x: Any) -> int:
    """How many pictures; of several inputs, of the first."""
    return len(next(iter(x.values())) if isinstance(x, Mapping) else x[0] if isinstance(x, list | tuple) else x)


def _tensor_of(array: Any, rows: Array) -> Any:
    return tensor(array[rows])


def each_of(part: Any, change: Callable[[Any], Any]) -> Any:
    """An array changed; of several outputs each."""
    if isinstance(part, Mapping):
        return {name: change(one) for name, one in part.items()}
    arrays = isinstance(part, list) and bool(part) and all(one is None or np.ndim(one) for one in part)
    return [None if one is None else change(one) for one in part] if arrays else change(part)


def _floats(x: Any) -> Any:
    array = np.asarray(x)
    return array.astype(np.float32) if array.dtype.kind == "f" else array
