"""Batches: which pictures make up each step of an epoch, and their pixels where they are not taken from an array."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid.datasets.dataset import Pictures
from pellucid.errors import ConfigError, DataError
from pellucid.files.reading import in_order

__all__ = ["Batches", "epoch_order"]


Change = Callable[[NDArray[Any], np.random.Generator], NDArray[Any]]
"""A function that changes the pictures of a batch."""


def epoch_order(count: int, *, seed: int, epoch: int, shuffle: bool = True) -> NDArray[np.int64]:
    """The order in which epoch number `epoch` visits `count` pictures: each exactly once.

    It depends on seed and epoch alone, so any epoch can be visited again without those before it.
    """
    if not shuffle:
        return np.arange(count, dtype=np.int64)
    return np.random.default_rng([seed, epoch, 0x0D3]).permutation(count).astype(np.int64, copy=False)


@dataclass(eq=False, repr=False)
class Batches:
    """The pictures of each batch of an epoch, the last partial batch included.

    Pictures of a folder are read one batch ahead on one background thread, which ends with the epoch: at its last
    batch, on an exception, or when the iterator closes.
    The generator of `augment` is seeded by (seed, epoch, batch), so any batch can be made again alone.
    Errors: ConfigError if batch_size is below 1; DataError if there are no pictures.
    """

    images: NDArray[Any] | Pictures
    batch_size: int
    _: KW_ONLY
    seed: int = 0
    shuffle: bool = True
    augment: Change | None = None

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ConfigError(f"batch_size must be at least 1, got {self.batch_size}")
        if len(self.images) == 0:
            raise DataError("no pictures: a batch needs at least one")

    def __len__(self) -> int:
        """Batches in an epoch."""
        return -(-len(self.images) // self.batch_size)

    @property
    def in_memory(self) -> bool:
        """Whether every batch is rows of one array that never changes, in the epoch's order: nothing need be copied."""
        return isinstance(self.images, np.ndarray) and self.augment is None

    def order(self, epoch: int) -> NDArray[np.int64]:
        """The pictures in the order in which this epoch visits them."""
        return epoch_order(len(self.images), seed=self.seed, epoch=epoch, shuffle=self.shuffle)

    def epoch(self, epoch: int, *, first: int = 0) -> Iterator[NDArray[Any]]:
        """The batches of one epoch; from batch number `first` on, to go on where a run stopped.

        Shapes: (n,H,W,C) each.
        """
        order, numbers = self.order(epoch), range(first, len(self))

        def batch(number: int) -> NDArray[Any]:
            pixels: NDArray[Any] = self.images[order[number * self.batch_size : (number + 1) * self.batch_size]]
            if self.augment is None:
                return pixels
            return self.augment(pixels, np.random.default_rng([self.seed, epoch, number, 0xA06]))

        if isinstance(self.images, np.ndarray):
            return map(batch, numbers)
        return in_order(batch, numbers, ahead=1, name="pellucid-read-ahead")
