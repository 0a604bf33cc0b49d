"""The log of a run as curves: loss and accuracy, epoch by epoch."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pellucid.errors import DataError
from pellucid.visualise.figure import BLUE, INK, VERMILION, new_figure, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Log:
    """The epochs of one run: `series[name][i]` is the value after epoch `epochs[i]`, NaN where the run has none."""

    epochs: list[int]
    series: dict[str, list[float]]


def read_log(path: Path) -> Log:
    """Read a run's `log.jsonl`: one JSON object a line, of which those with an `epoch` and a `loss` are kept.

    A last line without its end (the run was stopped while writing) is passed over; of an epoch that was run twice
    (the run was taken up again), the later one counts.
    Errors: DataError if the file cannot be read, if another line is no JSON object, or if no epoch is in it.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}; name a run folder or its log.jsonl") from error
    records: dict[int, dict[str, Any]] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or number == len(lines):
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path}: line {number} is not JSON ({error}); is it a run's log?") from error
        if not isinstance(record, dict):
            raise DataError(f"{path}: line {number}: expected a JSON object, got {type(record).__name__}")
        if type(record.get("epoch")) is int and _is_number(record.get("loss")):
            records[record["epoch"]] = record
    if not records:
        raise DataError(f"{path}: holds no finished epoch yet; train for at least one")
    epochs = sorted(records)
    names = list(dict.fromkeys(key for epoch in epochs for key, value in records[epoch].items() if _is_number(value)))
    series = {name: [_number(records[epoch].get(name)) for epoch in epochs] for name in names if name != "epoch"}
    return Log(epochs, series)


def curves_figure(log: Log, *, title: str = "") -> Figure:
    """Loss, and accuracy where it was measured: training solid with dots, validation dashed with squares."""
    panels = [("loss", "loss", 1.0)]
    if "accuracy" in log.series or "val_accuracy" in log.series:
        panels.append(("accuracy", "accuracy (%)", 100.0))
    figure = new_figure(4.6 * len(panels), 3.6)
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for ax, (name, label, factor) in zip(axes, panels, strict=True):
        _draw(ax, log, name, factor)
        ax.set_ylabel(label)
        ax.set_xlabel("epoch")
        plain(ax)
        ax.legend(frameon=False, fontsize=9)
        ax.xaxis.get_major_locator().set_params(integer=True)
        if len(log.epochs) == 1:
            ax.set_xlim(log.epochs[0] - 1, log.epochs[0] + 1)
        ax.margins(y=0.08)
    if title:
        figure.suptitle(title, fontsize=12, color=INK)
    return figure


def _draw(ax: Axes, log: Log, name: str, factor: float) -> None:
    few = len(log.epochs) <= 40
    styles = (("training", name, BLUE, "-", "o"), ("validation", f"val_{name}", VERMILION, "--", "s"))
    for label, key, colour, line, marker in styles:
        if key in log.series:
            values = [value * factor for value in log.series[key]]
            ax.plot(
                log.epochs,
                values,
                line,
                color=colour,
                label=label,
                marker=marker if few else "",
                markersize=3.5,
                lw=1.6,
            )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else math.nan
