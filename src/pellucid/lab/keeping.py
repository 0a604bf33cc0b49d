"""The folder in which the lab keeps a training: checkpoints, from which it goes on exactly, and the last model."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pellucid.errors import ConfigError
from pellucid.files.inside import Inside
from pellucid.lab.curve import Curve
from pellucid.lab.prepare import Start
from pellucid.ops import Array
from pellucid.runs.folder import CHECKPOINTS, LAST_FILE, RUN_FILE, check_unused, write_record
from pellucid.runs.report import record
from pellucid.train import Checkpoints, Event, Listener, Stop, TrainConfig, TrainingState
from pellucid.train.keeping import Keeper

KEEP_EVERY_S = 30.0
"""Seconds of training between two checkpoints."""


@dataclass
class Hearer:
    """A listener that hears of each step only where it has to, and by which checkpoints keep the curve."""

    hear: Callable[[Event], Stop | None]
    curve: Curve
    every_batch: bool = False

    def __call__(self, event: Event) -> Stop | None:
        return self.hear(event)

    def state(self) -> Mapping[str, Array]:
        return self.curve.state()

    def resume(self, state: Mapping[str, Array]) -> None:
        self.curve.resume(state)


class Folder:
    """Where a lab keeps what it trains; made, and locked, once there is something to keep.

    Errors: ConfigError where the folder holds something else than the training that goes on.
    """

    def __init__(self, path: Path, start: Start) -> None:
        self._goes_on = start.folder is not None and path.resolve() == start.folder.resolve()
        if not self._goes_on:
            if (path / RUN_FILE).is_file():
                raise ConfigError(
                    f'out="{path}": holds a run already; choose another name, or go on: pellucid lab {path}'
                )
            check_unused(path)
        self._path, self._start = Inside(path), start
        self._checkpoints = Checkpoints(self._path / CHECKPOINTS, every_s=KEEP_EVERY_S)
        self._lock = contextlib.ExitStack()
        self._written: dict[str, Any] | None = None

    def due(self) -> bool:
        """Whether it is time for a checkpoint."""
        return self._checkpoints.due(epoch_ended=False)

    def keep(
        self,
        state: TrainingState,
        config: TrainConfig,
        settings: Callable[[], dict[str, Any]],
        listeners: tuple[Listener, ...],
        num_steps: int,
    ) -> None:
        """Write a checkpoint. settings, listeners, num_steps: as `Keeper` has them.

        Errors: CheckpointError where it cannot be written, or another process trains there.
        """
        if self._written is None:
            self._path.path.mkdir(parents=True, exist_ok=True)
            self._lock.enter_context(self._checkpoints.locked())
            if self._goes_on:
                self._checkpoints.newest(lambda line: None)  # which then stays beside the next one
        self._describe(config, state.epoch)
        Keeper(self._start.model, self._checkpoints, settings, listeners, num_steps).keep(state)

    def close(self) -> Path | None:
        """Let go of it; the file with the model as it is now, where anything was kept."""
        with self._lock:
            if self._written is None:
                return None
            self._start.model.save(self._path / LAST_FILE)
            return self._path.path / LAST_FILE

    def _describe(self, config: TrainConfig, epochs: int) -> None:
        """What the training is of, as far as a file can say it: whoever opens the folder finds the data by that."""
        model, loading = self._start.model, self._start.loading
        training = {
            **config.to_json(),
            "epochs": epochs,
            "optimizer": model.optimizer.config(),
            "loss": model.loss.config()["type"],
            "schedule": None,
            "learning_rate": model.optimizer.learning_rate_at(0),
            "doctor": True,
        }
        if loading is not None and self._written != training:
            write_record(self._path, record(model.name, {}, model, self._start.dataset, dict(loading), {}, training))
        self._written = training
