"""Batches: which pictures make up each step of an epoch, and their pixels where they are not in memory already."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid._display import Brief
from pellucid.datasets.dataset import Pictures
from pellucid.datasets.labels import balanced_class_weights, class_labels, stratified_split
from pellucid.datasets.transforms import Augmentation
from pellucid.errors import ConfigError, DataError
from pellucid.files.reading import in_order

__all__ = ["Batch", "Batches", "balanced_class_weights", "class_labels", "epoch_order", "stratified_split"]


def epoch_order(count: int, *, seed: int, epoch: int, shuffle: bool = True) -> NDArray[np.int64]:
    """The order in which epoch number `epoch` visits `count` pictures: each exactly once.

    It depends on seed and epoch alone, so any epoch can be visited again without those before it.
    """
    if not shuffle:
        return np.arange(count, dtype=np.int64)
    return np.random.default_rng([seed, epoch, 0x0D3]).permutation(count).astype(np.int64, copy=False)


@dataclass(frozen=True, repr=False)
class Batch(Brief):
    """One step's pictures: they are source[rows], which the consumer gathers (and scales) in one pass.

    For pictures in memory `source` is the whole array and nothing has been copied; otherwise it holds this batch alone.
    Shapes: indices (n,) into the split; labels (n,...); source (M,H,W,C); rows (n,) into source.
    """

    indices: NDArray[np.int64]
    labels: NDArray[Any]
    source: NDArray[Any]
    rows: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def images(self) -> NDArray[Any]:
        """The pictures themselves, (n,H,W,C), copied out of `source` where they are not alone in it."""
        return self.source if np.array_equal(self.rows, np.arange(len(self.source))) else self.source[self.rows]


@dataclass(eq=False, repr=False)
class Batches:
    """Epochs of batches over one split, the last partial batch included.

    Pictures in memory are never copied unless `augment` changes them. Pictures of a folder are read one batch ahead on
    one background thread, which ends with the epoch: at its last batch, on an exception, or when the iterator closes.
    Augmentation is seeded by (seed, epoch, batch), so any batch can be made again alone.
    Errors: ConfigError if batch_size is below 1; DataError if pictures and labels differ in number or are none.
    """

    images: NDArray[Any] | Pictures
    labels: NDArray[Any]
    batch_size: int
    _: KW_ONLY
    seed: int = 0
    shuffle: bool = True
    augment: Augmentation | None = None

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ConfigError(f"batch_size must be at least 1, got {self.batch_size}")
        if len(self.images) != len(self.labels):
            raise DataError(
                f"{len(self.images)} pictures but {len(self.labels)} labels; give one label to each picture"
            )
        if len(self.images) == 0:
            raise DataError("no pictures: a batch needs at least one")

    @property
    def count(self) -> int:
        """Pictures in an epoch."""
        return len(self.images)

    def __len__(self) -> int:
        """Batches in an epoch."""
        return -(-self.count // self.batch_size)

    @property
    def in_memory(self) -> bool:
        """Whether each batch's source is the whole array, which then never changes."""
        return isinstance(self.images, np.ndarray) and self.augment is None

    def epoch(self, epoch: int, *, first: int = 0) -> Iterator[Batch]:
        """The batches of one epoch; from batch number `first` on, to go on where a run stopped."""
        order = epoch_order(self.count, seed=self.seed, epoch=epoch, shuffle=self.shuffle)
        work, numbers = functools.partial(self._batch, order, epoch), range(first, len(self))
        if isinstance(self.images, np.ndarray):
            return map(work, numbers)
        return in_order(work, numbers, ahead=1, name="pellucid-read-ahead")

    def _batch(self, order: NDArray[np.int64], epoch: int, number: int) -> Batch:
        indices = order[number * self.batch_size : (number + 1) * self.batch_size]
        labels = self.labels[indices]
        if isinstance(self.images, np.ndarray) and self.augment is None:
            return Batch(indices, labels, self.images, indices)
        pixels: NDArray[Any] = self.images[indices]
        if self.augment is not None:
            pixels = self.augment(pixels, np.random.default_rng([self.seed, epoch, number, 0xA06]))
        return Batch(indices, labels, pixels, np.arange(len(indices), dtype=np.int64))
