"""Callbacks that act where a number of the logs gets better, or no better."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import Any

from pellucid._arguments import flag, path_of, verbosity
from pellucid._text import say
from pellucid.errors import ConfigError, shown
from pellucid.ops.geometry import number, whole
from pellucid.train.callbacks.callback import Callback, Logs
from pellucid.train.callbacks.watching import Watched
from pellucid.train.history import Columns


class ModelCheckpoint(Callback):
    """Saves the model after each epoch, or after each that was the best so far.

    filepath: where; "{epoch:02d}" and names of the logs such as "{val_loss:.2f}" stand for that epoch's (counted from
    1). save_weights_only: by `save_weights`. save_freq: "epoch", or after how many batches each; period: after how many
    epochs each, as older programs say it.
    initial_value_threshold: what the number must be better than to count at all.
    Errors: ConfigError for arguments; what `save` says of a file that cannot be written.
    """

    writes = True

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: str | int = "epoch",
        initial_value_threshold: float | None = None,
        *,
        period: int = 1,
    ) -> None:
        self.filepath = os.fspath(path_of(filepath, "filepath"))
        self._watched = Watched(monitor, mode)
        self._verbose = verbosity(verbose)
        self._best_only = flag(save_best_only, "save_best_only")
        self._weights_only = flag(save_weights_only, "save_weights_only")
        self._batches = None if save_freq == "epoch" else whole(save_freq, "save_freq")
        start = initial_value_threshold
        self.best = self._watched.worst if start is None else number(start, "initial_value_threshold", -math.inf)
        self._period = whole(period, "period")
        self._epoch, self._seen = 0, 0

    @property
    def every_batch(self) -> bool:
        return self._batches is not None

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        self._seen += 1
        if self._batches is not None and self._seen % self._batches == 0:
            self._save({**(logs or {}), "batch": batch + 1})

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if self._batches is None and (epoch + 1) % self._period == 0:
            self._save(dict(logs or {}))

    def _save(self, logs: dict[str, Any]) -> None:
        if self._best_only:
            value = self._watched.value_or_warn(logs, self.model, "ModelCheckpoint(save_best_only=True)")
            if value is None or not self._watched.better(value, self.best):
                return
            self.best = value
        try:
            path = self.filepath.format_map(Columns(epoch=self._epoch + 1, **logs))
        except (KeyError, ValueError, IndexError) as error:
            known = ", ".join(["epoch", *logs])
            raise ConfigError(
                f"ModelCheckpoint: filepath {self.filepath!r} asks for {error}; there are {known}"
            ) from None
        folder = os.path.dirname(path)
        if folder:
            os.makedirs(folder, exist_ok=True)
        save: Callable[[str], object] = self.model.save_weights if self._weights_only else self.model.save
        save(path)
        if self._verbose:
            say(f"epoch {self._epoch + 1}: saved {path}")


class ReduceLROnPlateau(Callback):
    """Multiplies the learning rate by `factor` where no epoch of the last `patience` was better by min_delta.

    cooldown: epochs after that in which nothing is counted. min_lr: below which it does not fall.
    Errors: ConfigError for arguments, and for an optimizer that follows a schedule.
    """

    changes_rate = True

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
        epsilon: float | None = None,
    ) -> None:
        """epsilon: min_delta by its older name."""
        self._watched = Watched(monitor, mode, min_delta if epsilon is None else epsilon)
        self.factor = number(factor, "factor", 0.0)
        if self.factor >= 1:
            raise ConfigError(f"ReduceLROnPlateau: factor must be below 1, got {shown(factor)}")
        self.patience = max(whole(patience, "patience", least=0), 1)
        self.cooldown, self.min_lr = whole(cooldown, "cooldown", least=0), number(min_lr, "min_lr", 0.0)
        self._verbose = verbosity(verbose)
        self.best, self._waited, self._cooling = self._watched.worst, 0, 0

    def on_train_begin(self, logs: Logs = None) -> None:
        self.best, self._waited, self._cooling = self._watched.worst, 0, 0

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        value = self._watched.value_or_warn(logs or {}, self.model, "ReduceLROnPlateau")
        if value is None:
            return
        if self._cooling:
            self._cooling -= 1
            self._waited = 0
        if self._watched.better(value, self.best):
            self.best, self._waited = value, 0
        elif not self._cooling:
            self._waited += 1
            if self._waited >= self.patience:
                rate = self.rate()
                if rate > self.min_lr:
                    self.set_rate(max(rate * self.factor, self.min_lr))
                    self._cooling, self._waited = self.cooldown, 0
                    if self._verbose:
                        say(f"epoch {epoch + 1}: learning rate reduced to {self.rate():g}")
