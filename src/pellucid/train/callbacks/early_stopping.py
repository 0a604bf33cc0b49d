"""Stopping when it gets no better."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from pellucid._arguments import flag, verbosity
from pellucid._text import say
from pellucid.ops.geometry import Array, number, whole
from pellucid.train.callbacks.watching import Watched
from pellucid.train.events import EpochEnded, EpochStarted, Event, Stop, TrainingEnded, TrainingStarted
from pellucid.train.trainable import Trainable


class EarlyStopping:
    """Stops when no epoch of the last `patience` was the best so far.

    monitor: the number that is watched, such as "val_loss"; mode: whether it should rise ("max"), fall ("min"), or as
    its name says ("auto"); by more than min_delta. None: what the trainer calls the best epoch, which is the highest
    accuracy and, among equals, the lowest loss, on held-out pictures where there are any.
    baseline: what the number must be better than to count at all. start_from_epoch: before which nothing is counted.
    restore_best_weights: the model ends with the weights of its best epoch. verbose: 1 says where it stops.
    Errors: ConfigError for arguments, and for a monitor that is not measured.
    """

    every_batch = False
    warns = False
    """Whether a monitor that is not measured is said in a warning, and changes nothing."""

    def __init__(
        self,
        monitor: str | None = None,
        min_delta: float = 0.0,
        patience: int = 1,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        self._watched = None if monitor is None else Watched(monitor, mode, min_delta)
        if monitor is None:
            number(min_delta, "min_delta", 0.0)
        self._patience = max(whole(patience, "patience", least=0), 1)
        self._verbose = verbosity(verbose)
        self._baseline = None if baseline is None else number(baseline, "baseline", -math.inf)
        self._restore = flag(restore_best_weights, "restore_best_weights")
        self._first = whole(start_from_epoch, "start_from_epoch", least=0)
        self._model: Trainable | None = None
        self._weights: list[Array] | None = None
        self._best, self._waited = self._worst, 0
        self._resumed = False
        self.stopped_epoch = 0
        """The epoch after which it stopped, counted from 0; 0 where it did not."""

    @property
    def _worst(self) -> float:
        if self._watched is None:
            return math.inf
        return self._watched.worst if self._baseline is None else self._baseline

    @property
    def best(self) -> float:
        """The best number so far."""
        return self._best

    def __repr__(self) -> str:
        monitor = None if self._watched is None else self._watched.name
        return f"EarlyStopping(monitor={monitor!r}, patience={self._patience})"

    def __call__(self, event: Event) -> Stop | None:
        match event:
            case TrainingStarted():
                if not self._resumed:
                    self._weights, self._best, self._waited = None, self._worst, 0
                self._model, self._resumed = event.model, False
            case EpochStarted():
                return self._verdict()  # a run that was stopped here stays stopped when it is resumed
            case EpochEnded():
                return self._judge(event)
            case TrainingEnded():
                if self._model is not None and self._weights is not None:
                    self._model.set_weights(self._weights)
                self._model = self._weights = None
        return None

    def state(self) -> Mapping[str, Array]:
        """The best number, the epochs waited since, and the weights to give back."""
        weights = {f"weights:{i}": array for i, array in enumerate(self._weights or ())}
        return {"best": np.array(self._best), "waited": np.array(self._waited, np.int64), **weights}

    def resume(self, state: Mapping[str, Array]) -> None:
        """Wait on from there."""
        self._best, self._waited, self._resumed = float(state["best"]), int(state["waited"]), True
        weights = [state[f"weights:{i}"] for i in range(len(state) - 2)]
        self._weights = weights or None

    def _judge(self, event: EpochEnded) -> Stop | None:
        if event.epoch < self._first:
            return None
        if self._improves(event):
            self._waited = 0
            if self._restore and self._model is not None:
                self._weights = self._model.get_weights()
        else:
            self._waited += 1
        stop = self._verdict()
        if stop is not None:
            self.stopped_epoch = event.epoch
            if self._verbose:
                say(f"epoch {event.epoch + 1}: early stopping")
        return stop

    def _verdict(self) -> Stop | None:
        if self._waited >= self._patience:
            return Stop(f"no better epoch among the last {self._patience}")
        return None

    def _improves(self, event: EpochEnded) -> bool:
        if self._watched is None:
            return event.improved
        if self.warns:
            found = self._watched.value_or_warn(event.logs, self._model, "EarlyStopping")
            if found is None:
                return True
            value = found
        else:
            value = self._watched.value(event.logs, self._model)
        better = self._watched.better(value, self._best)
        self._best = value if better else self._best
        return better
