"""Batches: which pictures make up each step of an epoch, and their pixels where they are not in memory already."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid._display import Brief
from pellucid.datasets.dataset import Pictures
from pellucid.datasets.labels import balanced_class_weights, class_labels, stratified_split
from pellucid.datasets.transforms import Augmentation
from pellucid.errors import ConfigError, DataError

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


class Batches:
    """Epochs of batches over one split, the last partial batch included.

    Pictures in memory are never copied unless `augment` changes them. Pictures of a folder are read one batch ahead on
    one background thread, which ends with the epoch: at its last batch, on an exception, or when the iterator closes.
    Augmentation is seeded by (seed, epoch, batch), so any batch can be made again alone.
    Errors: ConfigError if batch_size is below 1; DataError if pictures and labels differ in number or are none.
    """

    def __init__(
        self,
        images: NDArray[Any] | Pictures,
        labels: NDArray[Any],
        batch_size: int,
        *,
        seed: int = 0,
        shuffle: bool = True,
        augment: Augmentation | None = None,
    ) -> None:
        if batch_size < 1:
            raise ConfigError(f"batch_size must be at least 1, got {batch_size}")
        if len(images) != len(labels):
            raise DataError(f"{len(images)} pictures but {len(labels)} labels; give one label to each picture")
        if len(images) == 0:
            raise DataError("no pictures: a batch needs at least one")
        self.images = images
        self.labels = labels
        self.batch_size = batch_size
        self.seed = seed
        self.shuffle = shuffle
        self.augment = augment

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
        if isinstance(self.images, np.ndarray):
            return (self._batch(order, epoch, number) for number in range(first, len(self)))
        return self._read_ahead(order, epoch, first)

    def _read_ahead(self, order: NDArray[np.int64], epoch: int, first: int) -> Iterator[Batch]:
        numbers = range(first, len(self))
        if not numbers:
            return
        reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="pellucid-read-ahead")
        try:
            coming = reader.submit(self._batch, order, epoch, first)
            for number in numbers:
                batch = coming.result()
                if number + 1 < len(self):
                    coming = reader.submit(self._batch, order, epoch, number + 1)
                yield batch
        finally:
            reader.shutdown(wait=True, cancel_futures=True)

    def _batch(self, order: NDArray[np.int64], epoch: int, number: int) -> Batch:
        indices = order[number * self.batch_size : (number + 1) * self.batch_size]
        labels = self.labels[indices]
        if isinstance(self.images, np.ndarray) and self.augment is None:
            return Batch(indices, labels, self.images, indices)
        pixels: NDArray[Any] = self.images[indices]
        if self.augment is not None:
            pixels = self.augment(pixels, np.random.default_rng([self.seed, epoch, number, 0xA06]))
        return Batch(indices, labels, pixels, np.arange(len(indices), dtype=np.int64))
