"""The runs in a folder beside each other: what differs between them, how good they became, how long that took."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pellucid.errors import DataError, PellucidError, expect_known
from pellucid.files.inside import Inside
from pellucid.runs.folder import LOG_FILE, RUN_FILE, read_record
from pellucid.runs.record import settings_of
from pellucid.train.history import MEAN_IOU
from pellucid.train.log import read_events

DEPTH = 3
"""Folders in folders that are looked through for runs."""

MEASURED = ("best", "epoch", "epochs", "time")
"""What each run has besides its settings: the best share right on held-out pictures, after which epoch, how many were
done, and the seconds of training."""

ORDER_OF = (f"val_{MEAN_IOU}", "val_accuracy", MEAN_IOU, "accuracy")
"""By which of these a run is judged: the first that it has."""


@dataclass(frozen=True)
class Compared:
    """One run. settings: all of them by name, None for what was not asked for. ended: why; None if it did not."""

    folder: Path
    settings: dict[str, Any]
    best: float | None
    epoch: int | None
    epochs: int
    time: float
    ended: str | None


def find_runs(root: Path) -> tuple[list[Compared], list[tuple[str, str]]]:
    """The runs in a folder, itself included, by name; then what could not be read, and why.

    Errors: DataError if there is no such folder.
    """
    if not root.is_dir():
        raise DataError(f"{root}: no such folder; `pellucid train` leaves runs in runs/")
    found, damaged = [], []
    for folder in _folders(root):
        try:
            found.append(_read(Inside(folder)))
        except PellucidError as error:
            damaged.append((str(folder), str(error).removeprefix(f"{folder}/")))
    return found, damaged


def differing(runs: Sequence[Compared]) -> list[str]:
    """The settings that are not the same in all runs that have them; what only some networks have is none of those."""
    names = list(dict.fromkeys(name for run in runs for name in run.settings))
    return [name for name in names if len({repr(run.settings[name]) for run in runs if name in run.settings}) > 1]


def ordered(runs: Sequence[Compared], by: str | None) -> list[Compared]:
    """The runs by one of MEASURED or a setting, the best first; None: as they are.

    A name with - before it: the other way round. Numbers rise, but for "best". Runs without it come last.
    Errors: ConfigError for a name that no run has.
    """
    if by is None:
        return list(runs)
    name = by.removeprefix("-")
    expect_known("column", name, [*MEASURED, "run", *dict.fromkeys(key for run in runs for key in run.settings)])
    falls = (name == "best") != by.startswith("-")
    own = {id(run): _value(run, name) for run in runs}
    there = [run for run in runs if own[id(run)] is not None]
    numbers = all(isinstance(own[id(run)], int | float) for run in there)
    there.sort(key=lambda run: own[id(run)] if numbers else str(own[id(run)]), reverse=falls)
    return there + [run for run in runs if own[id(run)] is None]


def _value(run: Compared, name: str) -> Any:
    if name == "run":
        return str(run.folder)
    return getattr(run, name) if name in MEASURED else run.settings.get(name)


def _folders(root: Path) -> list[Path]:
    """Those that hold a run, not those within one."""
    found = []
    for place, inner, files in os.walk(root):
        depth = len(Path(place).relative_to(root).parts)
        if RUN_FILE in files:
            found.append(Path(place))
        inner[:] = [] if RUN_FILE in files or depth >= DEPTH else sorted(n for n in inner if not n.startswith("."))
    return sorted(found)


def _read(folder: Inside) -> Compared:
    settings = settings_of(read_record(folder))
    events = list(read_events(folder / LOG_FILE)) if (folder / LOG_FILE).check().is_file() else []
    epochs = [event for event in events if event.get("event") == "epoch" and isinstance(event.get("epoch"), int)]
    best = next((event for event in reversed(epochs) if event.get("improved") is True), None)
    share = next((best[name] for name in ORDER_OF if isinstance(best.get(name), float | int)), None) if best else None
    times = [event["elapsed_s"] for event in epochs if isinstance(event.get("elapsed_s"), float | int)]
    end: dict[str, Any] = next((event for event in reversed(events) if event.get("event") == "end"), {})
    return Compared(
        folder.path,
        settings,
        share,
        best["epoch"] if best else None,
        len(epochs),
        float(sum(times)),
        str(end["reason"]) if "reason" in end else None,
    )
