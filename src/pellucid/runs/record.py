"""What `run.json` holds: what made a run, as `train` writes it, and as it is checked when it is read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from pellucid.errors import CheckpointError
from pellucid.files.inside import Inside, read_bytes
from pellucid.files.schema import (
    FLAG,
    LIST,
    NAMES,
    OBJECT,
    TEXT,
    Kind,
    Maybe,
    Misfit,
    Values,
    check,
    either,
    number,
    whole,
)

RUN_FILE = "run.json"

_PIXELS = whole(1, 2**20)
_SIZE = either(
    _PIXELS, Kind("[height, width]", lambda v: isinstance(v, list) and len(v) == 2 and all(map(_PIXELS.fits, v)))
)
_SEED = whole(0, 2**32 - 1)

RECORD = {
    "command?": [TEXT],
    "model": {"name": TEXT, "settings?": OBJECT, "input_shape?": [whole(1)]},
    "data": {
        "name": TEXT,
        "load": TEXT,
        "folder?": FLAG,
        "resize?": TEXT,
        "loading?": OBJECT,
        "class_names?": [TEXT],
        "pictures?": Values(whole()),
        "files?": OBJECT,
        "held_out?": Maybe(TEXT),
    },
    "start?": {"weights?": Maybe(TEXT), "taken?": [TEXT], "fresh?": [TEXT], "frozen?": [TEXT]},
    "training?": {"optimizer?": OBJECT, "loss?": TEXT},
    "versions?": Values(TEXT),
    "backend?": {"name?": TEXT, "instruction_set?": Maybe(TEXT), "threads?": whole()},
    "predict?": Maybe(TEXT),
    "resumed?": [OBJECT],
}
"""What every command reads of it, and refuses where it is of another kind."""

RESUMABLE = {
    "model": {"name": TEXT},
    "data": {
        "loading": {
            "data": TEXT,
            "size": Maybe(_SIZE),
            "channels": Maybe(whole(1, 4)),
            "resize": TEXT,
            "validation": Maybe(TEXT),
            "seed": _SEED,
            "limit": Maybe(whole(1)),
            "test_limit": Maybe(whole(1)),
            "labels?": [TEXT],
            "columns?": OBJECT,
        }
    },
    "training": {
        "epochs": whole(0, 10**6),
        "batch_size": whole(1, 2**31),
        "shuffle": FLAG,
        "seed": _SEED,
        "patience": Maybe(whole(1, 10**6)),
        "augment": TEXT,
        "class_weight": Maybe(TEXT),
        "cache_features": FLAG,
        "fine_tune_from?": Maybe(whole(0, 10**6)),
        **{f"{name}?": TEXT for name in ("engine", "device", "precision")},
        "shards?": whole(1),
        "schedule": Maybe(TEXT),
        "learning_rate": number(0),
        "doctor": FLAG,
    },
}
"""What a run that goes on reads besides."""


def read_record(folder: Path | Inside, besides: Any = None) -> dict[str, Any]:
    """Read a run's configuration. besides: a further description that it must fit, such as RESUMABLE.

    Errors: CheckpointError if it cannot be read, is not a JSON object, or has a field that is not as described.
    """
    path = Inside(folder) / RUN_FILE

    def no_constant(name: str) -> NoReturn:
        raise ValueError(f"{name} is no number")

    try:
        record = json.loads(read_bytes(path), parse_constant=no_constant)
    except CheckpointError:
        raise
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: is not JSON ({error}); it was changed or damaged") from error
    if not isinstance(record, dict):
        raise CheckpointError(f"{path}: expected a JSON object, got {type(record).__name__}")
    try:
        check(RECORD, record)
        data = record["data"]
        if "files" in data or data.get("folder"):
            check({"test": LIST} if data.get("folder") else OBJECT, data.get("files"), "data.files")
            check(Values(NAMES), data["files"], "data.files")
        if besides is not None:
            check(besides, record)
    except Misfit as error:
        raise CheckpointError(f"{path}: {error}; it was changed or damaged") from error
    return record


def settings_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """What was chosen for a run, by the names that `train_run` gives them, from its record; None where nothing was.

    >>> settings_of({"model": {"name": "lenet5"}, "data": {"name": "mnist"}, "training": {"seed": 0, "patience": None}})
    {'model': 'lenet5', 'data': 'mnist', 'seed': 0, 'patience': None}
    """
    model, data, training = record["model"], record["data"], dict(record.get("training", {}))
    optimizer, loading = dict(training.pop("optimizer", {})), data.get("loading", {})
    loaded = {key: value for key, value in loading.items() if key not in ("data", "seed")}
    own = {"optimizer": optimizer.pop("type")} if "type" in optimizer else {}
    optimizer.pop("learning_rate", None)  # which a schedule may have taken the place of
    start = {"weights": record["start"].get("weights")} if "start" in record else {}
    named = {"model": model["name"], "data": data["name"], **own}
    return {**named, **training, **optimizer, **model.get("settings", {}), **loaded, **start}
