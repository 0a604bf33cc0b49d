"""The log of a run, epoch by epoch."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pellucid._display import Brief
from pellucid.errors import CheckpointError, DataError
from pellucid.files.inside import Place, read_bytes
from pellucid.files.schema import number, whole

EPOCH, NUMBER = whole(1, 10**6), number()


@dataclass(frozen=True, repr=False)
class Log(Brief):
    """The epochs of one run: `series[name][i]` is the value after epoch `epochs[i]`, NaN where the run has none."""

    epochs: list[int]
    series: dict[str, list[float]]


def read_log(path: Place) -> Log:
    """Read a run's `log.jsonl`: one JSON object a line, of which those with an `epoch` and a `loss` are kept.

    A last line without its end (the run was stopped while writing) is passed over; of an epoch that was run twice
    (the run was taken up again), the later one counts.
    Errors: DataError if the file cannot be read, if another line is no JSON object, or if no epoch is in it.
    """
    try:
        lines = read_bytes(path).split(b"\n")
    except CheckpointError as error:
        raise DataError(f"{error}; name a run folder or its log.jsonl") from error
    records: dict[int, dict[str, Any]] = {}
    for place, line in enumerate(lines, 1):
        if not line.strip() or place == len(lines):
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path}: line {place} is not JSON ({error}); is it a run's log?") from error
        if not isinstance(record, dict):
            raise DataError(f"{path}: line {place}: expected a JSON object, got {type(record).__name__}")
        if EPOCH.fits(record.get("epoch")) and _is_number(record.get("loss")):
            records[record["epoch"]] = record
    if not records:
        raise DataError(f"{path}: holds no finished epoch yet; train for at least one")
    epochs = sorted(records)
    names = list(dict.fromkeys(key for epoch in epochs for key, value in records[epoch].items() if _is_number(value)))
    series = {name: [_number(records[epoch].get(name)) for epoch in epochs] for name in names if name != "epoch"}
    return Log(epochs, series)


def held_name(record: Mapping[str, Any]) -> str:
    """What the pictures were that a run judged each epoch on, by its run.json: "validation", or "test" without any."""
    data = record.get("data", {})
    return "validation" if data.get("held_out") or "validation" in data.get("pictures", {}) else "test"


def _is_number(value: object) -> bool:
    return NUMBER.fits(value)


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) and NUMBER.fits(value) else math.nan
