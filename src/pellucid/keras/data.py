"""A row of elements that a program maps, batches and shuffles, as `tf.data.Dataset` is; gone through anew each time."""

from __future__ import annotations

import glob
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice, takewhile
from typing import Any

import numpy as np

from pellucid.errors import ConfigError, DataError, shown
from pellucid.keras.tensor import tensor
from pellucid.ops.geometry import whole

__all__ = ["AUTOTUNE", "Dataset"]

AUTOTUNE = -1
"""Taken wherever a number of threads or of elements read ahead is asked for."""

Elements = Callable[[], Iterator[Any]]


class Dataset:
    """Elements are arrays, or tuples and dictionaries of such; `fit` takes those that are batches.

    elements: gives them, anew each time. count: how many; None where nobody knows.
    Errors: DataError for arrays of different lengths; ConfigError for numbers below 1.
    """

    class_names: list[str]
    """Of pictures in folders, see `utils.image_dataset_from_directory`; each step passes them on."""
    file_paths: list[str]

    def __init__(self, elements: Elements, count: int | None, of: Dataset | None = None) -> None:
        self._elements, self._count = elements, count
        passed_on = {} if of is None else vars(of)
        self.__dict__.update({name: value for name, value in passed_on.items() if not name.startswith("_")})

    # Made

    @staticmethod
    def from_tensor_slices(tensors: Any, name: str | None = None) -> Dataset:
        """One element for each row of an array, or of all arrays of a tuple or dictionary."""
        arrays = _each(np.asarray, tensors)
        counts = {len(array) for array in _leaves(arrays)}
        if len(counts) != 1:
            raise DataError(f"from_tensor_slices: arrays of one length are needed, got lengths {sorted(counts)}")
        count = counts.pop()
        return Dataset(lambda: (_row(arrays, i) for i in range(count)), count)

    @staticmethod
    def from_tensors(tensors: Any, name: str | None = None) -> Dataset:
        """One element."""
        return Dataset(lambda: iter([_each(np.asarray, tensors)]), 1)

    @staticmethod
    def from_generator(generator: Callable[[], Iterable[Any]], *args: Any, **described: Any) -> Dataset:
        """What a function's generator gives; how its elements are described changes nothing."""
        return Dataset(lambda: iter(generator()), None)

    @staticmethod
    def list_files(
        file_pattern: Any, shuffle: bool = True, seed: int | None = None, name: str | None = None
    ) -> Dataset:
        """Names of files that a pattern describes. Errors: DataError where there are none."""
        patterns = file_pattern if isinstance(file_pattern, list | tuple) else [file_pattern]
        names = sorted(name for pattern in patterns for name in glob.glob(os.fspath(pattern)))
        if not names:
            raise DataError(f"list_files: no files {shown(file_pattern)}")
        made = Dataset.from_tensor_slices(np.array(names))
        return made.shuffle(len(names), seed) if shuffle else made

    @staticmethod
    def range(*ends: int) -> Dataset:
        """Whole numbers, as Python's range."""
        numbers = range(*ends)
        return Dataset(lambda: (np.int64(number) for number in numbers), len(numbers))

    @staticmethod
    def zip(*datasets: Any) -> Dataset:
        """Tuples of the elements of several, as many as the shortest has."""
        given = datasets[0] if len(datasets) == 1 else datasets
        each = [one if isinstance(one, Dataset) else Dataset.zip(*one) for one in given]
        counts = [one._count for one in each if one._count is not None]
        return Dataset(lambda: zip(*(one._elements() for one in each), strict=False), min(counts, default=None))

    # Gone through

    def __iter__(self) -> Iterator[Any]:
        return _Numbers(_each(tensor, element) for element in self._elements())

    make_one_shot_iterator = __iter__

    def __len__(self) -> int:
        if self._count is None:
            raise TypeError("nobody knows how many elements there are")
        return self._count

    def cardinality(self) -> Any:
        """How many elements there are; -2 where nobody knows."""
        return tensor(np.int64(-2 if self._count is None else self._count))

    def as_numpy_iterator(self) -> Any:
        """Elements as plain arrays."""
        return _Numbers(_each(lambda part: np.asarray(part)[()], element) for element in self._elements())

    @property
    def element_spec(self) -> Any:
        """What an element is, by its first."""
        return _each(lambda array: (np.shape(array), np.asarray(array).dtype), next(iter(self._elements())))

    # Changed

    def map(self, map_func: Callable[..., Any], *_: Any, **__: Any) -> Dataset:
        """A function of each element; of a tuple, of its parts."""

        def mapped(element: Any) -> Any:
            made = _each(tensor, element)
            return map_func(*made) if isinstance(made, tuple) else map_func(made)

        return self._made(lambda: map(mapped, self._elements()), self._count)

    def filter(self, predicate: Callable[..., Any], name: str | None = None) -> Dataset:
        """The elements of which a function is true."""

        def kept(element: Any) -> bool:
            return bool(predicate(*element) if isinstance(element, tuple) else predicate(element))

        return self._made(lambda: filter(kept, self._elements()), None)

    def batch(self, batch_size: int, drop_remainder: bool = False, *_: Any, **__: Any) -> Dataset:
        """So many elements as one, with an axis before the others."""
        size = whole(batch_size, "batch: batch_size")

        def batches() -> Iterator[Any]:
            elements = self._elements()
            while part := list(islice(elements, size)):
                if len(part) == size or not drop_remainder:
                    yield _stacked(part)

        count = self._count
        return self._made(batches, count and (count // size if drop_remainder else -(-count // size)))

    def unbatch(self, name: str | None = None) -> Dataset:
        """Each row as an element of its own."""

        def rows() -> Iterator[Any]:
            for element in self._elements():
                for i in range(len(next(_leaves(element)))):
                    yield _row(element, i)

        return self._made(rows, None)

    def shuffle(
        self, buffer_size: int, seed: int | None = None, reshuffle_each_iteration: bool = True, name: str | None = None
    ) -> Dataset:
        """Each element is drawn from the next `buffer_size`; in another order each time, unless told otherwise."""
        size, times = whole(buffer_size, "shuffle: buffer_size"), [0]
        start = int(np.random.randint(2**31)) if seed is None else seed  # as `utils.set_random_seed` set it

        def shuffled() -> Iterator[Any]:
            times[0] += bool(reshuffle_each_iteration)
            rng = np.random.default_rng([start, times[0]])
            elements = self._elements()
            held = list(islice(elements, size))
            for element in elements:
                place = int(rng.integers(len(held)))
                yield held[place]
                held[place] = element
            for place in rng.permutation(len(held)):
                yield held[place]

        return self._made(shuffled, self._count)

    def cache(self, filename: str = "", name: str | None = None) -> Dataset:
        """Elements are made once and kept in memory, from when all were gone through."""
        kept: list[Any] = []
        whole_ = [False]

        def elements() -> Iterator[Any]:
            if whole_[0]:
                yield from kept
                return
            seen: list[Any] = []
            for element in self._elements():
                seen.append(element)
                yield element
            kept[:], whole_[0] = seen, True

        return self._made(elements, self._count)

    def prefetch(self, buffer_size: int = AUTOTUNE, name: str | None = None) -> Dataset:
        """The same: what is read from files is read ahead already."""
        return self

    def with_options(self, options: Any, name: str | None = None) -> Dataset:
        """The same: options are of TensorFlow's threads."""
        return self

    def repeat(self, count: int | None = None, name: str | None = None) -> Dataset:
        """All elements so many times; without end for None or -1, then say steps_per_epoch."""
        if count is None or count == -1:

            def endless() -> Iterator[Any]:
                while True:
                    yield from self._elements()

            return self._made(endless, None)
        times = whole(count, "repeat: count")
        return self._made(
            lambda: chain.from_iterable(self._elements() for _ in range(times)), self._count and self._count * times
        )

    def take(self, count: int, name: str | None = None) -> Dataset:
        """The first ones; all for -1."""
        if count < 0:
            return self
        return self._made(
            lambda: islice(self._elements(), count), count if self._count is None else min(count, self._count)
        )

    def skip(self, count: int, name: str | None = None) -> Dataset:
        """All but the first ones."""
        known = None if self._count is None else max(self._count - count, 0)
        return self._made(lambda: islice(self._elements(), count, None), known)

    def shard(self, num_shards: int, index: int, name: str | None = None) -> Dataset:
        """Every num_shards-th element, from number `index` on."""
        known = None if self._count is None else len(range(index, self._count, num_shards))
        return self._made(lambda: islice(self._elements(), index, None, num_shards), known)

    def concatenate(self, dataset: Dataset, name: str | None = None) -> Dataset:
        """These elements, then those of another."""
        known = None if self._count is None or dataset._count is None else self._count + dataset._count
        return self._made(lambda: chain(self._elements(), dataset._elements()), known)

    def take_while(self, predicate: Callable[..., Any], name: str | None = None) -> Dataset:
        """The elements before the first of which a function is not true."""

        def kept(element: Any) -> bool:
            return bool(predicate(*element) if isinstance(element, tuple) else predicate(element))

        return self._made(lambda: takewhile(kept, self._elements()), None)

    def flat_map(self, map_func: Callable[..., Any], name: str | None = None) -> Dataset:
        """The elements of the data sets that a function makes of each element, one after another."""
        return self._made(
            lambda: chain.from_iterable(made._elements() for made in self.map(map_func)._elements()), None
        )

    def interleave(
        self, map_func: Callable[..., Any], cycle_length: int | None = None, block_length: int = 1, *_: Any, **__: Any
    ) -> Dataset:
        """As `flat_map`, `block_length` elements at a time of `cycle_length` data sets in turn, of all for None."""
        most = None if cycle_length in (None, AUTOTUNE) else whole(cycle_length, "interleave: cycle_length")
        block = whole(block_length, "interleave: block_length")

        def in_turn() -> Iterator[Any]:
            waiting = (made._elements() for made in self.map(map_func)._elements())
            turns: list[Iterator[Any] | None] = list(islice(waiting, most))
            more = True
            while more:
                more = False
                for place, own in enumerate(turns):
                    current = next(waiting, None) if own is None else own
                    part = [] if current is None else list(islice(current, block))
                    yield from part
                    turns[place] = current if len(part) == block else None
                    more = more or current is not None

        return self._made(in_turn, None)

    def window(
        self, size: int, shift: int | None = None, stride: int = 1, drop_remainder: bool = False, name: Any = None
    ) -> Dataset:
        """Data sets of `size` elements each, every `stride`-th one, which begin `shift` elements after one another."""
        count, step = whole(size, "window: size"), whole(stride, "window: stride")
        ahead, reach = count if shift is None else whole(shift, "window: shift"), (count - 1) * step + 1

        def windows() -> Iterator[Any]:
            elements = self._elements()
            held = list(islice(elements, reach))
            while held and (len(held) == reach or not drop_remainder):
                yield _columns(held[::step])
                deque(islice(elements, max(ahead - len(held), 0)), 0)  # passed over
                held = held[ahead:]
                held += islice(elements, reach - len(held))

        return self._made(windows, None)

    def reduce(self, initial_state: Any, reduce_func: Callable[[Any, Any], Any], name: str | None = None) -> Any:
        """What a function of (what came out so far, an element) comes to."""
        state = initial_state
        for element in self:
            state = reduce_func(state, element)
        return _each(tensor, state)

    def get_single_element(self, name: str | None = None) -> Any:
        """The element, of one alone. Errors: DataError for none, and for several."""
        elements = list(islice(iter(self), 2))
        if len(elements) != 1:
            raise DataError(f"get_single_element: one element is needed, got {'several' if elements else 'none'}")
        return elements[0]

    def apply(self, transformation_func: Callable[[Dataset], Any]) -> Any:
        """What a function makes of this data set."""
        return transformation_func(self)

    def enumerate(self, start: int = 0, name: str | None = None) -> Dataset:
        """(number, element)."""
        return self._made(lambda: iter(enumerate(self._elements(), start)), self._count)

    def _made(self, elements: Elements, count: int | None) -> Dataset:
        return Dataset(elements, count, self)

    def __repr__(self) -> str:
        return f"<Dataset of {'some' if self._count is None else f'{self._count:,}'} elements>"


class _Numbers(Iterator[Any]):
    """Elements one by one, also by methods as TensorFlow has them."""

    def __init__(self, elements: Iterator[Any]) -> None:
        self._elements = elements

    def __next__(self) -> Any:
        return next(self._elements)

    next = get_next = __next__


def _each(function: Callable[[Any], Any], element: Any) -> Any:
    """The same tuple or dictionary of what the function makes of each array."""
    if isinstance(element, tuple):
        return tuple(_each(function, part) for part in element)
    if isinstance(element, dict):
        return {name: _each(function, part) for name, part in element.items()}
    return element if isinstance(element, Dataset) else function(element)  # of `window`


def _row(element: Any, number: int) -> Any:
    return _each(lambda array: array[number], element)


def _leaves(element: Any) -> Iterator[Any]:
    if isinstance(element, tuple | dict):
        for part in element.values() if isinstance(element, dict) else element:
            yield from _leaves(part)
    else:
        yield element


def _columns(parts: Sequence[Any]) -> Any:
    """Data sets of such elements; of tuples and dictionaries, one for each of their parts."""
    first = parts[0]
    if isinstance(first, tuple):
        return tuple(_columns(part) for part in zip(*parts, strict=True))
    if isinstance(first, dict):
        return {name: _columns([part[name] for part in parts]) for name in first}
    return Dataset(lambda: iter(parts), len(parts))


def _stacked(parts: Sequence[Any]) -> Any:
    first = parts[0]
    if isinstance(first, tuple):
        return tuple(_stacked(part) for part in zip(*parts, strict=True))
    if isinstance(first, dict):
        return {name: _stacked([part[name] for part in parts]) for name in first}
    shapes = {np.shape(part) for part in parts}
    if len(shapes) > 1:
        raise ConfigError(f"batch: elements of one shape are needed, got {shown(sorted(shapes))}; resize them before")
    return np.stack(parts)
