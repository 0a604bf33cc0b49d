"""Callbacks that keep something of a training in files."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from pellucid._arguments import flag, path_of
from pellucid.errors import ConfigError, shown
from pellucid.train.callbacks.callback import Callback, Logs


class CSVLogger(Callback):
    """Writes a row of numbers after each epoch, as Keras does: epoch (counted from 0), then the logs by name.

    append: after what the file holds already. Errors: ConfigError for a separator that is not one sign.
    """

    writes = True

    def __init__(self, filename: str | os.PathLike[str], separator: str = ",", append: bool = False) -> None:
        if not isinstance(separator, str) or len(separator) != 1:
            raise ConfigError(f"CSVLogger: separator must be one sign, got {shown(separator)}")
        self._path, self._separator = path_of(filename, "CSVLogger: filename"), separator
        self._append = flag(append, "CSVLogger: append")
        self._names: list[str] | None = None

    def on_train_begin(self, logs: Logs = None) -> None:
        self._names = None
        if not self._append:
            self._path.unlink(missing_ok=True)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        row = dict(logs or {})
        with open(self._path, "a", encoding="utf-8") as file:
            if self._names is None:
                self._names = sorted(row)
                if not self._path.stat().st_size:
                    file.write(self._separator.join(["epoch", *self._names]) + "\n")
            values = [str(row.get(name, "NA")) for name in self._names]
            file.write(self._separator.join([str(epoch), *values]) + "\n")


class BackupAndRestore(Callback):
    """Lets a program that was stopped and is run again go on where it was: `fit(resume=backup_dir)`.

    Kept are its checkpoints, at most some seconds apart; delete_checkpoint: they go when the training has ended.
    Keras's save_freq and save_before_preemption change nothing.
    """

    writes = True

    def __init__(
        self,
        backup_dir: str | os.PathLike[str],
        save_freq: str | int = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
        save_before_preemption: bool = False,
    ) -> None:
        self.folder: Path = path_of(backup_dir, "BackupAndRestore: backup_dir")
        self._delete = flag(delete_checkpoint, "BackupAndRestore: delete_checkpoint")

    def done(self) -> None:
        """The training has ended."""
        if self._delete:
            shutil.rmtree(self.folder, ignore_errors=True)
