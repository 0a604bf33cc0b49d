"""Batches that somebody else makes: they come one after another, and only the first is known beforehand."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from pellucid.errors import ConfigError, DataError
from pellucid.ops.geometry import Array
from pellucid.plan import Feed
from pellucid.train.examples import Examples
from pellucid.train.state import OptimizerState, TrainingState
from pellucid.train.trainable import Trainable


class Batch(NamedTuple):
    """Pictures with what they should give, as `Examples` has them."""

    images: Array
    targets: Array
    weights: Array | None


@dataclass(repr=False)
class Stream(Examples):
    """Batches that come one after another; images, targets and weights are those of the first.

    batches: gives those of an epoch, by its number. steps: how many an epoch has. capacity: pictures of the largest.
    """

    batches: Callable[[int], Iterator[Batch]] = field(kw_only=True)
    steps: int = field(kw_only=True)
    capacity: int = field(kw_only=True)

    def __len__(self) -> int:
        """Pictures of an epoch, where all batches are as large as the largest."""
        return self.steps * self.capacity

    def fingerprint(self) -> str:
        """Their form alone: what comes later nobody knows, and what comes first may be another picture each time."""
        return f"{self.steps} batches of {self.capacity} x {self.images.shape[1:]} {self.images.dtype}"


class StreamFeeder:
    """Hands the batches of a stream to a plan, one by one."""

    in_memory = False

    def __init__(self, stream: Stream) -> None:
        self._stream, self.count, self.batch_size = stream, len(stream), stream.capacity
        self._targets = np.zeros((stream.capacity, *stream.targets.shape[1:]), stream.targets.dtype)
        self._weights = None if stream.weights is None else np.ones(stream.capacity, np.float32)

    def __len__(self) -> int:
        """Steps of an epoch."""
        return self._stream.steps

    def make_feed(self, model: Trainable) -> Feed:
        """A feed for batches as large as the largest; uint8 is scaled as the model's preprocessing says."""
        images = self._stream.images
        channels, bytes_ = images.shape[-1], images.dtype == np.uint8
        ones, zeros = np.ones(channels, np.float32), np.zeros(channels, np.float32)
        scale, offset = model.preprocessing.scale_offset(channels) if bytes_ else (ones, zeros)
        return Feed(
            None,
            self._targets,
            self._weights,
            capacity=self.batch_size,
            picture=tuple(images.shape[1:]),
            scale=scale,
            offset=offset,
            staged_dtype=np.uint8 if bytes_ else np.float32,
            class_weights=self._stream.class_weights,
        )

    def reorder(self, feed: Feed, epoch: int) -> None:
        """Nothing: they come as they come."""

    def batches(self, feed: Feed, state: TrainingState | None = None) -> Iterator[int]:
        """Bring each batch that the epoch in hand still has to come into reach; yields its number of pictures.

        Errors: ConfigError for a batch that is larger than the first two; DataError where there are no more.
        """
        state = state or TrainingState(OptimizerState())
        batches = self._stream.batches(state.optimizer.num_epochs)
        for _ in range(state.batch):  # that a training which goes on has seen
            next(batches, None)
        for number in range(state.batch, len(self)):
            asked_s = time.perf_counter()
            batch = next(batches, None)
            state.waited_s += time.perf_counter() - asked_s
            if batch is None:
                raise DataError(
                    f"the batches ended after {number} of {len(self)} of an epoch; give fewer steps_per_epoch, or "
                    "batches that begin anew"
                )
            n = len(batch.images)
            if n > self.batch_size:
                raise ConfigError(
                    f"a batch of {n} pictures after others of {self.batch_size}: no batch may be larger than the first "
                    "two"
                )
            self._targets[:n] = batch.targets
            if self._weights is not None:
                self._weights[:n] = 1 if batch.weights is None else batch.weights
            feed.stage(batch.images, 0)
            yield n
        next(batches, None)  # the epoch has ended, which it shall hear
