"""A run's log: a line of JSON for its start, each epoch, what the doctor says, and its end; a table of epochs."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from pellucid._text import csv_text, json_line
from pellucid.errors import CheckpointError
from pellucid.files.atomic import replacing
from pellucid.files.inside import Place, inside, read_bytes
from pellucid.ops.geometry import Array
from pellucid.train.events import Diagnosed, EpochEnded, Event, FineTuningStarted, TrainingEnded, TrainingStarted


def read_events(log: Place) -> Iterator[dict[str, Any]]:
    """What a log tells, entry by entry; a line that is damaged, or was cut off, is passed over.

    Errors: CheckpointError for a file that cannot be read.
    """
    for line in read_bytes(log).split(b"\n"):
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(entry, dict):
            yield entry


def epoch_row(event: EpochEnded) -> dict[str, float]:
    """An epoch's numbers by name, counted from 1."""
    return {
        "epoch": event.epoch + 1,
        **event.logs,
        "learning_rate": event.learning_rate,
        "elapsed_s": round(event.elapsed_s, 4),
        "images_per_s": round(event.images_per_s, 1),
    }


class CsvLog:
    """Keeps a table of the epochs in a file, CSV, written anew and whole after each.

    append: keep the rows that the file has already, of a training before. A resumed run's table is that of one which
    never stopped.
    Errors: CheckpointError if it cannot be written, or read where rows are to be kept.
    """

    every_batch, writes = False, True

    def __init__(self, path: Place, *, append: bool = False) -> None:
        self._path, self._append = path, append
        self._rows: list[dict[str, Any]] = []
        self._resumed = False

    def __call__(self, event: Event) -> None:
        match event:
            case TrainingStarted():
                if not self._resumed:
                    self._rows = self._kept() if self._append else []
                self._resumed = False
                self._save()  # what cannot be written is said before training
            case EpochEnded():
                self._rows.append(self.row(event))
                self._save()

    def row(self, event: EpochEnded) -> dict[str, Any]:
        """An epoch's cells under their heads."""
        return dict(epoch_row(event))

    def state(self) -> Mapping[str, Array]:
        """The rows so far."""
        return {"rows": np.frombuffer(json.dumps(self._rows).encode(), np.uint8)}

    def resume(self, state: Mapping[str, Array]) -> None:
        """Have these rows before what comes."""
        self._rows, self._resumed = json.loads(bytes(state["rows"])), True

    def _kept(self) -> list[dict[str, Any]]:
        if not inside(self._path).is_file():
            return []
        return list(csv.DictReader(io.StringIO(read_bytes(self._path).decode("utf-8-sig"))))

    def _save(self) -> None:
        heads = list(dict.fromkeys(name for row in self._rows for name in row))
        with replacing(self._path) as file:
            file.write(csv_text(heads, [[row.get(head) for head in heads] for row in self._rows]).encode())


class JsonLog:
    """Appends one JSON object a line to a file: the run's start, each epoch, what the doctor says, its end.

    A resumed run's log is that of one which never stopped: what came after the checkpoint is not in it.
    Errors: CheckpointError if it cannot be written.
    """

    every_batch, writes = False, True

    def __init__(self, path: Place, about: Mapping[str, Any]) -> None:
        self._path, self._about = inside(path), dict(about)
        self._head = ""
        self._lines: list[str] = []
        """What was written between start and end, as it is in the file."""

    def __call__(self, event: Event) -> None:
        match event:
            case TrainingStarted():
                self._start(event)
            case EpochEnded():
                self._write("epoch", **epoch_row(event), improved=event.improved)
            case FineTuningStarted():
                self._write(
                    "fine-tuning",
                    epoch=event.epoch,
                    parameters=event.num_parameters,
                    augment=event.augment,
                    accuracy=event.accuracy,
                )
            case Diagnosed():
                values = dict(event.values)
                self._write("diagnosis", epoch=event.epoch, rule=event.rule, text=event.text, values=values)
            case TrainingEnded():
                self._write("end", reason=event.reason, epochs=event.num_epochs, best_epoch=event.best_epoch + 1)

    def state(self) -> Mapping[str, Array]:
        """The lines so far."""
        return {"lines": np.frombuffer("".join(self._lines).encode(), np.uint8)}

    def resume(self, state: Mapping[str, Array]) -> None:
        """Have these lines between start and end."""
        self._lines = [f"{line}\n" for line in bytes(state["lines"]).decode().split("\n")[:-1]]

    def _start(self, event: TrainingStarted) -> None:
        entry = {
            "epochs": event.epochs,
            "steps_per_epoch": event.steps_per_epoch,
            "samples": event.num_samples,
            "validation_samples": event.num_validation_samples,
            "batch_size": event.batch_size,
        }
        self._head = _line("start", {**entry, **self._about})
        with replacing(self._path) as file:
            file.write("".join([self._head, *self._lines]).encode())

    def _write(self, kind: str, **entry: Any) -> None:
        line = _line(kind, entry)
        if kind != "end":
            self._lines.append(line)
        try:
            with os.fdopen(self._path.open(os.O_WRONLY | os.O_APPEND | os.O_CREAT), "ab") as file:
                shared = os.fstat(file.fileno()).st_nlink > 1
                if not shared:
                    file.write(line.encode())
        except OSError as error:
            raise CheckpointError(f"{self._path}: cannot be written: {error.strerror or error}") from error
        if shared:  # the file has another name elsewhere, which keeps what it has
            with replacing(self._path) as file:
                file.write("".join([self._head, *self._lines, *([line] if kind == "end" else [])]).encode())


def _line(kind: str, entry: Mapping[str, Any]) -> str:
    """An entry as JSON, which has no NaN and no infinity."""
    plain = {
        name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in entry.items()
    }
    return json_line({"event": kind, **plain}) + "\n"
