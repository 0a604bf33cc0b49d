"""Stopping when it gets no better."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from pellucid.errors import ConfigError, shown, unknown_name
from pellucid.ops.geometry import Array, number, whole
from pellucid.train.events import EpochEnded, EpochStarted, Event, Stop, TrainingEnded, TrainingStarted
from pellucid.train.history import ACCURACY_NAMES, SHARES
from pellucid.train.trainable import Trainable


class EarlyStopping:
    """Stops when no epoch of the last `patience` was the best so far.

    monitor: the number that is watched, such as "val_loss"; accuracies and mean IoU should rise, all others fall, by
    more than min_delta. None: what the trainer calls the best epoch, which is the highest accuracy and, among equals,
    the lowest loss, on held-out pictures where there are any.
    restore_best_weights: the model ends with the weights of its best epoch.
    Errors: ConfigError for arguments, and for a monitor that is not measured.
    """

    every_batch = False

    def __init__(
        self,
        monitor: str | None = None,
        min_delta: float = 0.0,
        patience: int = 1,
        *,
        restore_best_weights: bool = False,
    ) -> None:
        if monitor is not None and not isinstance(monitor, str):
            raise ConfigError(
                f'monitor must be a name such as "val_loss", got {shown(monitor)}; did you mean patience?'
            )
        self._monitor = monitor
        self._min_delta, self._patience = number(min_delta, "min_delta", 0.0), whole(patience, "patience")
        self._restore = restore_best_weights
        self._model: Trainable | None = None
        self._weights: list[Array] | None = None
        self._best, self._waited = math.inf, 0
        self._resumed = False

    def __repr__(self) -> str:
        return f"EarlyStopping(monitor={self._monitor!r}, min_delta={self._min_delta!r}, patience={self._patience})"

    def __call__(self, event: Event) -> Stop | None:
        match event:
            case TrainingStarted():
                if not self._resumed:
                    self._weights, self._best, self._waited = None, math.inf, 0
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
        if self._improves(event):
            self._waited = 0
            if self._restore and self._model is not None:
                self._weights = self._model.get_weights()
        else:
            self._waited += 1
        return self._verdict()

    def _verdict(self) -> Stop | None:
        if self._waited >= self._patience:
            return Stop(f"no better epoch among the last {self._patience}")
        return None

    def _improves(self, event: EpochEnded) -> bool:
        if self._monitor is None:
            return event.improved
        monitor = self._monitor
        if monitor.removeprefix("val_") in ACCURACY_NAMES:
            monitor = ("val_" if monitor.startswith("val_") else "") + ACCURACY_NAMES[0]
        if monitor not in event.logs:
            raise unknown_name("number to monitor", self._monitor, event.logs)
        value = event.logs[monitor] * (-1 if monitor.endswith(SHARES) else 1)
        better = value < self._best - self._min_delta
        self._best = value if better else self._best
        return better
