"""Batches that a caller's own object gives: a generator, an object of numbered batches, anything that is gone through.

One epoch of an object that can be gone through again is one time through it, or `steps`; a generator goes on where the
epoch before stopped. Batches are (x, y) or (x, y, sample_weight), in any form that `fit` takes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pellucid.errors import ConfigError, DataError, shown
from pellucid.model.inputs import class_table, sample_weights, targets_for, weighted_by_class
from pellucid.model.pictures import as_rows, build_for
from pellucid.ops import Array
from pellucid.ops.geometry import whole
from pellucid.train.streaming import Batch, Stream

if TYPE_CHECKING:
    from pellucid.model.network import Network


class Given(NamedTuple):
    """A batch as it came."""

    x: Any
    y: Any = None
    sample_weight: Any = None


def is_stream(x: Any) -> bool:
    """Whether these are batches, and no arrays, pictures or names of files."""
    if hasattr(x, "shape") or hasattr(x, "images") or isinstance(x, str | bytes | dict | set | frozenset):
        return False
    if isinstance(x, list | tuple):
        return bool(x) and all(isinstance(one, tuple) and 2 <= len(one) <= 3 and np.ndim(one[0]) > 2 for one in x)
    return hasattr(x, "__next__") or hasattr(x, "__iter__") or (hasattr(x, "__getitem__") and hasattr(x, "__len__"))


class Source:
    """Batches as they come, epoch by epoch.

    steps: of an epoch; None: as many as there are. seed: in which order numbered batches come, anew in each epoch;
    None: in their own.
    Errors: ConfigError where nobody can know how long an epoch is; DataError where there are no batches.
    """

    def __init__(self, given: Any, steps: int | None, what: str, seed: int | None = None) -> None:
        self._given, self._what, self._seed = given, what, seed
        self._numbered = hasattr(given, "__getitem__") and hasattr(given, "__len__")
        self._endless = hasattr(given, "__next__") and not self._numbered
        self.steps = _length(given, what) if steps is None else whole(steps, f"{what}: steps")
        self._whole = steps is None or (self._numbered and self.steps == len(given))
        batches = self._once(0)
        known = list(islice(batches, 2))
        if not known:
            raise DataError(f"{what}: there are no batches")
        self._ahead: Iterator[Any] | None = chain(known, batches)  # so that these come in the first epoch
        self.known = [_given(batch, what) for batch in known]
        """The first two batches, of which one may be the smaller last of all."""

    def _once(self, epoch: int) -> Iterator[Any]:
        """All batches, once."""
        if not self._numbered:
            yield from self._given
            return
        order = np.arange(len(self._given))
        if self._seed is not None:
            order = np.random.default_rng([self._seed, epoch]).permutation(order)
        for number in order:
            yield self._given[int(number)]
        if hasattr(self._given, "on_epoch_end"):
            self._given.on_epoch_end()

    def epoch(self, number: int) -> Iterator[Given]:
        """The batches of an epoch, fewer where there are no more."""
        if self._numbered and number:  # in the order of that epoch, and not the first one's
            self._ahead = None
        for _ in range(self.steps):
            batch = None if self._ahead is None else next(self._ahead, None)
            if batch is None and not self._endless:
                self._ahead = self._once(number)
                batch = next(self._ahead, None)
            if batch is None:
                return
            yield _given(batch, self._what)
        if self._whole and self._ahead is not None:
            next(self._ahead, None)  # its epoch has ended, which it shall hear, and what reads ahead stops
            self._ahead = None


def stream_of(
    model: Network, given: Any, steps: int | None, what: str, class_weight: Any = None, *, shuffle: bool = False
) -> Stream:
    """Batches in the form that a trainer takes; builds the model for the first where its input's shape is not known.

    Errors: as `Source`, and of every batch as of arrays.
    """
    source = Source(given, steps, what, model.seed if shuffle else None)
    table: Array | None = None

    def prepared(one: Given) -> Batch:
        images = build_for(model, one.x)
        targets = targets_for(model, images, one.y)
        weights = sample_weights(one.sample_weight, len(images))
        if table is not None:
            labels = class_table(model, targets, class_weight)[1]
            weights = weighted_by_class(table, labels, weights)
        return Batch(images, targets, weights)

    first = prepared(source.known[0])
    if isinstance(class_weight, str):
        raise ConfigError(f"{what}: class_weight={shown(class_weight)} needs all labels; give {{class number: weight}}")
    if class_weight is not None:
        table, labels = class_table(model, first.targets, class_weight)
        if labels.ndim > 1:
            raise ConfigError(f"{what}: class_weight of pixels needs all pictures as arrays; give sample_weight")
        first = prepared(source.known[0])

    def batches(epoch: int) -> Iterator[Batch]:
        return map(prepared, source.epoch(epoch))

    capacity = max(len(as_rows(model, batch.x)) for batch in source.known)
    return Stream(*first, batches=batches, steps=source.steps, capacity=capacity)


def answers_for(given: Any, steps: int | None, answer: Callable[[Any], Any]) -> Any:
    """What a network answers for all pictures of such batches, whose labels are left alone."""
    source = Source(given, steps, "predict")
    parts = [answer(batch.x) for batch in source.epoch(0)]
    if isinstance(parts[0], list):
        return [np.concatenate(each) for each in zip(*parts, strict=True)]
    return np.concatenate(parts)


def _given(batch: Any, what: str) -> Given:
    if isinstance(batch, list | tuple):
        if not 1 <= len(batch) <= 3:
            raise DataError(f"{what}: a batch must be (x, y) or (x, y, sample_weight), got {len(batch)} parts")
        return Given(*(_array(part) for part in batch))
    if isinstance(batch, dict):
        raise DataError(f"{what}: a batch must be (x, y), got a dictionary of {shown(sorted(map(str, batch)))}")
    return Given(_array(batch))


def _array(part: Any) -> Any:
    """An array of what knows how to be one: tensors of other packages."""
    if hasattr(part, "detach"):
        part = part.detach().cpu()
    return np.asarray(part) if hasattr(part, "__array__") and not isinstance(part, np.ndarray) else part


def _length(given: Any, what: str) -> int:
    try:
        count = len(given)
    except TypeError:
        if hasattr(given, "__next__"):
            raise ConfigError(
                f"{what}: nobody can know how many batches a generator gives; say it, steps_per_epoch=N "
                "(validation_steps=N, steps=N)"
            ) from None
        count = sum(1 for _ in given)
    if count < 1:
        raise DataError(f"{what}: there are no batches")
    return count
