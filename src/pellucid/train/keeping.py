"""A training is kept: a checkpoint where one is due, and none twice of the same place."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pellucid.errors import CheckpointError
from pellucid.train.checkpoints import Checkpoints, Saved
from pellucid.train.resume import pack, unpack
from pellucid.train.state import TrainingState
from pellucid.train.trainable import Trainable


@dataclass
class Keeper:
    """Writes the checkpoints of a training, and brings it back to one.

    checkpoints: None keeps nothing. settings: gives what must stay for a training that goes on (`settings_of`), as it
    is before the first step. num_steps: of an epoch. settle: lets the model have what is to be kept.
    """

    model: Trainable
    checkpoints: Checkpoints | None
    settings: Callable[[], dict[str, Any]]
    listeners: Sequence[object]
    num_steps: int
    settle: Callable[[], object] = lambda: None
    _kept: tuple[int, int] | None = None

    def keep(self, state: TrainingState) -> float:
        """Write a checkpoint, unless there is one of this very place. Units: the seconds it took."""
        place = state.epoch, state.batch
        if self.checkpoints is None or self._kept == place:
            return 0.0
        start = time.perf_counter()
        self.settle()
        whole = state.batch == self.num_steps  # a snapshot is still to show the last step's gradients
        tensors, facts = pack(self.model, self._fixed, state, self.listeners, gradients=whole)
        self.checkpoints.write(tensors, facts, epochs=state.epoch, steps=state.batch)
        self._kept = place
        return time.perf_counter() - start

    def keep_if_due(self, state: TrainingState, *, epoch_ended: bool) -> float:
        """As `keep`, where there is time for it."""
        due = self.checkpoints is not None and self.checkpoints.due(epoch_ended=epoch_ended)
        return self.keep(state) if due else 0.0

    def bring_back(self, saved: Saved, state: TrainingState) -> None:
        """Fill model, listeners and state from a checkpoint. Errors: as `unpack`."""
        unpack(saved, self.model, self._fixed, state, self.listeners)
        if state.batch > self.num_steps:
            raise CheckpointError(f"{saved.path}: batch {state.batch} of an epoch of {self.num_steps}")
        self._kept = state.epoch, state.batch

    @cached_property
    def _fixed(self) -> dict[str, Any]:
        return self.settings()
