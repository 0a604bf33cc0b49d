"""Batches: which pictures make up each step of an epoch, and their pixels where they are not taken from an array."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pellucid.datasets.dataset import Pictures
from pellucid.errors import ConfigError, DataError
from pellucid.files.reading import in_order

__all__ = ["Batches", "Piece", "epoch_order"]


Change = Callable[[NDArray[Any], np.random.Generator], NDArray[Any]]
"""A function that changes the pictures of a batch."""


class Piece(NamedTuple):
    """The pictures from `start` to `stop` of an epoch's order, together. key: what is drawn for them is drawn by it."""

    start: int
    stop: int
    key: tuple[int, ...]


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

    def epoch(self, epoch: int, *, first: int = 0, pieces: Sequence[Piece] | None = None) -> Iterator[NDArray[Any]]:
        """The batches of one epoch; from batch number `first` on, to go on where a run stopped.

        pieces: other parts of the epoch's order in place of its batches.
        Shapes: (n,H,W,C) each.
        """
        order, size, count = self.order(epoch), self.batch_size, len(self.images)
        batches = [Piece(n * size, min((n + 1) * size, count), (n,)) for n in range(first, len(self))]

        def pixels_of(piece: Piece) -> NDArray[Any]:
            pixels: NDArray[Any] = self.images[order[piece.start : piece.stop]]
            if self.augment is None:
                return pixels
            return self.augment(pixels, np.random.default_rng([self.seed, epoch, *piece.key, 0xA06]))

        wanted = batches if pieces is None else pieces
        if isinstance(self.images, np.ndarray):
            return map(pixels_of, wanted)
        return in_order(pixels_of, wanted, ahead=1, name="pellucid-read-ahead")
