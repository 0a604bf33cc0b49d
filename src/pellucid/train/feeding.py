"""The batches of an epoch, one after the other, within reach of a plan."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from pellucid.datasets.batches import Batches, epoch_order
from pellucid.plan import Feed
from pellucid.train.config import TrainConfig
from pellucid.train.examples import Examples
from pellucid.train.state import TrainingState
from pellucid.train.trainable import Trainable


def make_feed(model: Trainable, examples: Examples, batch_size: int, *, staged: bool) -> Feed:
    """A feed that scales as the model's preprocessing says; floats are taken as they are, uint8 is scaled."""
    images = examples.images
    channels = images.shape[-1]
    if np.dtype(images.dtype) == np.uint8:
        dtype: type = np.uint8
        scale, offset = model.preprocessing.scale_offset(channels)
    else:
        dtype = np.float32
        scale, offset = np.ones(channels, np.float32), np.zeros(channels, np.float32)
    return Feed(
        None if staged else images,
        examples.targets,
        examples.weights,
        capacity=min(batch_size, max(len(examples), 1)),
        picture=tuple(images.shape[1:]),
        scale=scale,
        offset=offset,
        staged_dtype=dtype,
    )


class Feeder:
    """Feeds training examples in an order that goes by the epochs the model has seen: a second `fit` repeats none."""

    def __init__(self, examples: Examples, config: TrainConfig, augment: Any) -> None:
        self.count, self._config = len(examples), config
        self.batch_size = config.batch_size
        self._batches = Batches(
            examples.images,
            examples.targets,
            config.batch_size,
            seed=config.seed,
            shuffle=config.shuffle,
            augment=augment,
        )

    def __len__(self) -> int:
        """Steps of an epoch."""
        return len(self._batches)

    @property
    def in_memory(self) -> bool:
        """Whether the pictures are taken from where they lie, and need not be staged."""
        return self._batches.in_memory

    def reorder(self, feed: Feed, epoch: int) -> None:
        """Put the feed into the order of this epoch."""
        config = self._config
        feed.reorder(epoch_order(self.count, seed=config.seed, epoch=epoch, shuffle=config.shuffle))

    def batches(self, feed: Feed, state: TrainingState) -> Iterator[int]:
        """Bring each batch that the epoch in hand still has to come into reach; yields its number of pictures.

        The time that reading and augmenting kept the steps waiting is added to the state.
        """
        count, size, epoch = self.count, self.batch_size, state.optimizer.num_epochs
        self.reorder(feed, epoch)
        starts = range(state.batch * size, count, size)
        if self.in_memory:
            for start in starts:
                feed.seek(start)
                yield min(size, count - start)
            return
        batches = self._batches.epoch(epoch, first=state.batch)
        for start in starts:
            asked_s = time.perf_counter()
            batch = next(batches)
            state.waited_s += time.perf_counter() - asked_s
            feed.stage(batch.images)
            feed.seek(start)
            yield len(batch)
