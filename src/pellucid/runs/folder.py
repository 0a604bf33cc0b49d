"""Run folders and model files: what a run consists of, and what names one."""

from __future__ import annotations

import os
from itertools import count
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from pellucid._text import json_text
from pellucid.errors import CheckpointError, ConfigError, DataError
from pellucid.files.atomic import replacing
from pellucid.files.inside import Inside, Place
from pellucid.runs.record import RUN_FILE as RUN_FILE
from pellucid.runs.record import read_record as read_record

MODEL_FILE, LAST_FILE, LOG_FILE = "model.safetensors", "last.safetensors", "log.jsonl"
SNAPSHOTS = "snapshots"
PICTURES = ("curves.png", "filters.png")
"""What a training draws at its end."""

ANSWERS_FILE = "answers.csv"
"""What a training answers at its end, where it was asked to."""

CHECKPOINTS = "checkpoints"


def make_run_folder(out: Path | None, model: str, data: str) -> Inside:
    """A new, empty folder for a run: `out`, or the next free runs/MODEL-DATA-NNN.

    Errors: ConfigError if `out` is a file or holds anything but what a run left that was killed before it began;
    CheckpointError if the folder cannot be made.
    """
    try:
        if out is not None:
            check_unused(out)
            out.mkdir(parents=True, exist_ok=True)
            return Inside(out)
        return Inside(new_run_folder(Path("runs"), f"{_plain(model)}-{_plain(data)}"))
    except OSError as error:
        raise CheckpointError(f"{out or 'runs'}: cannot be made: {error.strerror}; choose another --out") from error


def new_run_folder(root: Path, name: str) -> Path:
    """Make the first of root/name-001, -002, … that does not exist."""
    root.mkdir(parents=True, exist_ok=True)
    for number in range(1, 1_000_000):
        folder = root / f"{name}-{number:03d}"
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder
    raise DataError(f"{root} holds a million runs called {name!r}; remove some, or give --out another folder")


def unused_run_folder(model: str, data: str) -> Path:
    """The first of runs/MODEL-DATA-001, -002, … that does not exist; it is not made yet."""
    name = f"{_plain(model)}-{_plain(data)}"
    return next(folder for n in count(1) if not (folder := Path("runs") / f"{name}-{n:03d}").exists())


def check_unused(out: Path | Inside) -> None:
    """Errors: ConfigError if a new run cannot have this folder."""
    folder = out if isinstance(out, Inside) else Inside(out)
    if folder.kind() is None:
        return
    if folder.is_dir() and (folder / RUN_FILE).is_file():
        raise ConfigError(
            f'out="{out}": holds a run already; choose another name, or go on with it: resume_run("{out}")'
        )
    if not folder.is_dir() or any(name != CHECKPOINTS and not name.endswith(".tmp") for name in folder.names()):
        raise ConfigError(f'out="{out}": already exists and is not an empty folder; choose another name')


def find_model(run: Path | Inside) -> Place:
    """The model file that RUN names: the file itself, or the best epoch in a run folder.

    Errors: CheckpointError if there is none.
    """
    if isinstance(run, Inside) or os.path.isdir(run):
        model = Inside(run) / MODEL_FILE
        if model.check().kind() is None:
            raise CheckpointError(f"{run}: holds no {MODEL_FILE}; has a run finished its first epoch there?")
        return model
    if not os.path.lexists(run):
        raise CheckpointError(f"{run}: no such run or model file; `pellucid train` makes one in runs/")
    return run


def is_network(what: str | Path | Inside) -> bool:
    """Whether RUN|MODEL is the name of a network in the zoo: a run or a model file that is called so comes first."""
    if isinstance(what, Inside):
        return False
    from pellucid import zoo

    holds = os.path.isdir(what) and any(
        os.path.lexists(Path(what) / name) for name in (MODEL_FILE, RUN_FILE, CHECKPOINTS)
    )
    return zoo.find(str(what)) is not None and not holds and not os.path.isfile(what)


def find_folder(run: Path | Inside) -> Inside | None:
    """The run folder that RUN names or lies in; None for a model file that stands alone.

    Errors: CheckpointError if its run.json is a link or no file.
    """
    folder = Inside(run if isinstance(run, Inside) or os.path.isdir(run) else run.parent)
    return folder if (folder / RUN_FILE).check().is_file() else None


def place_to_write(out: Place) -> Place:
    """The file that an option names. What lies in a run folder is a place inside it, where no link is followed."""
    if isinstance(out, Inside):
        return out.check()
    for folder in out.parents[1::-1]:  # RUN/snapshots/FILE lies in RUN, wherever its folder leads
        parts = out.relative_to(folder).parts
        if ".." not in parts and (folder / RUN_FILE).is_file():
            return Inside(folder, *parts).check()
    return out


def check_writable(folder: Inside) -> None:
    """Look at all that a training and its pictures will write, before anything is changed.

    Errors: CheckpointError for what is a link, or no file or folder as it should be.
    """
    for name in (RUN_FILE, LOG_FILE, MODEL_FILE, LAST_FILE, ANSWERS_FILE, *PICTURES):
        (folder / name).check()
    for name in (CHECKPOINTS, SNAPSHOTS):
        within = (folder / name).check("folder")
        for entry in within.names() if within.is_dir() else ():
            if not entry.endswith(".tmp"):
                (within / entry).check()


def first_snapshot(folder: Inside) -> NDArray[Any] | None:
    """The first convolution's kernel before training; None if the run kept none."""
    from pellucid.train.snapshots import read_snapshot

    path = folder / SNAPSHOTS / "epoch-000.npz"
    if path.check().kind() is None:
        return None
    filters = read_snapshot(path, filters=True).get("filters")
    if filters is not None and (filters.ndim != 4 or filters.dtype.kind != "f"):
        raise CheckpointError(
            f"{path}: 'filters' must be a kernel (KH,KW,C,O), got {filters.dtype} {filters.shape}; "
            "it was changed or damaged"
        )
    return filters


def write_record(folder: Inside, record: dict[str, Any]) -> None:
    """Write a run's configuration, `run.json`."""
    with replacing(folder / RUN_FILE) as file:
        file.write(json_text(record).encode())


def title_of(folder: Inside, lang: str | None = None) -> str:
    """What a picture of a run is called: "MODEL on DATA", or the folder's name where no record says it."""
    if not (folder / RUN_FILE).check().is_file():
        return folder.path.resolve().name
    record = read_record(folder)
    from pellucid.visualise.drawing.labels import Labels

    return Labels(lang)("{model} on {data}", model=record["model"]["name"], data=record["data"]["name"])


def _plain(data: str) -> str:
    """A data name or folder as part of a folder's name."""
    from pellucid.datasets.sources import is_folder

    name = Path(data).resolve().name if "/" in data or "\\" in data or is_folder(data) else data
    return "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in name) or "data"
