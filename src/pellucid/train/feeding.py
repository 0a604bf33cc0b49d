"""The batches of an epoch, one after the other, within reach of a plan."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from pellucid.datasets.augmentation import Augmentation
from pellucid.datasets.batches import Batches, Piece
from pellucid.errors import ConfigError
from pellucid.plan import Feed
from pellucid.train.distributed import Parts, Shards
from pellucid.train.examples import Examples
from pellucid.train.state import OptimizerState, TrainingState
from pellucid.train.streaming import Stream, StreamFeeder
from pellucid.train.trainable import Trainable


class Feeder:
    """Feeds examples in their own order, or shuffled by the epochs the model has seen: a second `fit` repeats none."""

    def __init__(
        self,
        examples: Examples,
        batch_size: int,
        *,
        seed: int = 0,
        shuffle: bool = False,
        augment: Any = None,
        parts: Parts | None = None,
    ) -> None:
        """augment: an Augmentation, or a function of a batch's pictures and a generator. parts: what of each batch."""
        self._examples, self.count, self.batch_size = examples, len(examples), batch_size
        self._parts: Parts = parts or Shards()
        self._augmentation = augment if isinstance(augment, Augmentation) else None
        function = None if self._augmentation else augment
        self._batches = Batches(examples.images, batch_size, seed=seed, shuffle=shuffle, augment=function)

    def __len__(self) -> int:
        """Steps of an epoch."""
        return len(self._batches)

    @property
    def in_memory(self) -> bool:
        """Whether the pictures are taken from where they lie, and need not be staged."""
        return self._batches.in_memory

    def make_feed(self, model: Trainable) -> Feed:
        """A feed that scales as the model's preprocessing says; floats are taken as they are, uint8 is scaled."""
        examples, images = self._examples, self._examples.images
        channels = images.shape[-1]
        if np.dtype(images.dtype) == np.uint8:
            dtype: type = np.uint8
            scale, offset = model.preprocessing.scale_offset(channels)
        else:
            dtype = np.float32
            scale, offset = np.ones(channels, np.float32), np.zeros(channels, np.float32)
        return Feed(
            images if self.in_memory else None,
            examples.targets,
            examples.weights,
            capacity=self._parts.capacity(min(self.batch_size, max(self.count, 1))),
            picture=tuple(images.shape[1:]),
            scale=scale,
            offset=offset,
            staged_dtype=dtype,
            augmentation=self._augmentation,
            seed=self._batches.seed,
            class_weights=examples.class_weights,
            classes=0 if self._augmentation is None else check_augmentation(self._augmentation, model, examples),
        )

    def reorder(self, feed: Feed, epoch: int) -> None:
        """Put the feed into the order of this epoch."""
        feed.reorder(self._batches.order(epoch), epoch)

    def size(self, batch: int) -> int:
        """Pictures of one batch, whoever takes them."""
        return min(self.batch_size, self.count - batch * self.batch_size)

    def pieces(self, batch: int) -> Sequence[Piece]:
        """What of one batch is brought into reach, perhaps in several."""
        start = batch * self.batch_size
        return self._parts.pieces(batch, start, start + self.size(batch))

    def batches(self, feed: Feed, state: TrainingState | None = None) -> Iterator[int]:
        """Bring each batch that the epoch in hand still has to come into reach; yields its number of pictures.

        state: of the training, to which the time is added that reading and augmenting kept the steps waiting. None:
        all batches, of no training.
        """
        state = state or TrainingState(OptimizerState())
        epoch, numbers = state.optimizer.num_epochs, range(state.batch, len(self))
        self.reorder(feed, epoch)
        pieces = [piece for number in numbers for piece in self.pieces(number) if piece.stop > piece.start]
        if self.in_memory:
            for piece in pieces:
                feed.seek(piece.start)
                yield piece.stop - piece.start
            return
        batches = self._batches.epoch(epoch, pieces=pieces)
        for piece in pieces:
            asked_s = time.perf_counter()
            pictures = next(batches)
            state.waited_s += time.perf_counter() - asked_s
            feed.stage(pictures, piece.start)
            yield len(pictures)


def feeder_of(examples: Examples, batch_size: int, **drawn: Any) -> Feeder | StreamFeeder:
    """What feeds these. drawn: as of `Feeder`, of examples that are no stream.

    Errors: ConfigError for a stream of which only parts are wanted: all of it would have to be read.
    """
    if isinstance(examples, Stream) and drawn.get("parts", Shards()) != Shards():
        raise ConfigError("batches that come one after the other cannot be shared out among processes; give arrays")
    return StreamFeeder(examples) if isinstance(examples, Stream) else Feeder(examples, batch_size, **drawn)


def check_augmentation(augmentation: Augmentation, model: Trainable, examples: Examples) -> int:
    """The number of classes where targets are class numbers, else 0.

    Errors: ConfigError for examples that are no pictures (H, W, C), and for targets that cannot be mixed, or moved.
    """
    shape, targets = examples.images.shape, examples.targets
    if len(shape) != 4:
        raise ConfigError(f"{model.name}: augmentation takes pictures (N, H, W, C), got {tuple(shape)}; leave it out")
    if targets.ndim > 1 and targets.dtype.kind == "u" and augmentation.mixes:
        raise ConfigError(f"{model.name}: mixup would mix masks, whose pixels are of one class each; leave mixup out")
    if targets.ndim > 2 and targets.dtype.kind == "f" and model.loss.joint_activation == "softmax":
        raise ConfigError(
            f"{model.name}: augmentation moves masks of class numbers, not targets {targets.shape[1:]}; leave it out"
        )
    if targets.dtype.kind not in "iu":
        return 0
    if augmentation.mixes and (model.loss.joint_activation != "softmax" or targets.ndim != 1):
        kind = type(model.loss).__name__
        raise ConfigError(f"{model.name}: mixup needs shares of classes, {kind} takes class numbers; leave mixup out")
    return int(model.graph.output_shape[-1])
