"""The log of a run as curves, epoch by epoch: of one run, or of several compared."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pellucid._display import Brief
from pellucid.errors import CheckpointError, ConfigError, DataError, expect_known
from pellucid.files.inside import Inside, Place, place_of, read_bytes
from pellucid.files.schema import number, whole
from pellucid.train.history import History
from pellucid.visualise.drawing.figure import BLUE, INK, VERMILION, figure_of, new_figure, plain
from pellucid.visualise.drawing.labels import Labels
from pellucid.visualise.registry import Argument, Option, Picture, Shown, Source, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

EPOCH, NUMBER = whole(1, 10**6), number()


@dataclass(frozen=True, repr=False)
class Log(Brief):
    """The epochs of one run: `series[name][i]` is the value after epoch `epochs[i]`, NaN where the run has none."""

    epochs: list[int]
    series: dict[str, list[float]]


def read_log(path: Place | str) -> Log:
    """Read a run's `log.jsonl`: one JSON object a line, of which those with an `epoch` and a `loss` are kept.

    A last line without its end (the run was stopped while writing) is passed over; of an epoch that was run twice
    (the run was taken up again), the later one counts.
    Errors: DataError if the file cannot be read, if another line is no JSON object, or if no epoch is in it.
    """
    path = place_of(path)
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
            raise DataError(f"{path}: line {place} is not JSON; name a run folder or its log.jsonl") from error
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


def _log_of(history: History) -> Log:
    return Log([epoch + 1 for epoch in history.epoch], history.history)


def held_name(record: Mapping[str, Any]) -> str:
    """What the pictures were that a run judged each epoch on, by its run.json: "validation", or "test" without any."""
    data = record.get("data", {})
    own = os.path.isabs(data.get("loading", {}).get("validation") or "")  # a folder or a table, and no share
    return "validation" if own or data.get("held_out") or "validation" in data.get("pictures", {}) else "test"


def _is_number(value: object) -> bool:
    return NUMBER.fits(value)


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) and NUMBER.fits(value) else math.nan


# Drawing


@dataclass(frozen=True)
class Curve:
    """What one panel draws: the log's series, its label with the unit, and what the values are multiplied by."""

    series: str
    label: str
    factor: float = 1.0


CURVES = {
    "loss": Curve("loss", "loss"),
    "accuracy": Curve("accuracy", "accuracy (%)", 100.0),
    "mean-iou": Curve("mean_iou", "mean IoU (%)", 100.0),
    "learning-rate": Curve("learning_rate", "learning rate"),
    "speed": Curve("images_per_s", "pictures a second"),
}
STANDARD = ("loss", "accuracy", "mean-iou")
RUN_COLOURS = (BLUE, VERMILION, INK, "#009E73", "#CC79A7", "#56B4E9")
"""After Okabe & Ito 2008; in grey print the runs keep apart by their lines and marks."""
RUN_LINES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1, 1.3)), (0, (6, 1.5, 1, 1.5)), (0, (10, 3)))
RUN_MARKS = ("o", "s", "^", "D", "v", "P", "X")
MARKED_EPOCHS = 40
"""Longer runs are drawn without a mark at each epoch."""


def curves_figure(
    logs: Log | History | Mapping[str, Log | History],
    what: Sequence[str] | None = None,
    *,
    title: str = "",
    held: str = "validation",
    lang: str | None = None,
) -> Figure:
    """Curves of one training, or of several by their labels, a panel for each of `what`.

    logs: what `fit` returned, or a run's log as `read_log` gives it.
    Of one run, training is solid with dots, validation dashed with squares. Of several, each run has its colour, line
    and mark; validation is thick, training thin and without marks.
    what: of loss, accuracy, mean-iou, learning-rate, speed; None for loss, and those of the next two that there are.
    held: what the pictures were that each epoch was judged on.
    lang: of the labels, "en" or "ko"; None for the locale's.
    Errors: ConfigError for an unknown curve or language, or no runs; DataError for a curve that no run has.
    """
    say = Labels(lang)
    given = {"": logs} if isinstance(logs, Log | History) else dict(logs)
    runs = {name: log if isinstance(log, Log) else _log_of(log) for name, log in given.items()}
    if not runs:
        raise ConfigError("curves need at least one run's log, got none")
    wanted = _wanted(list(runs.values()), what)
    rows = -(-len(wanted) // 2) if len(wanted) > 3 else 1
    across = -(-len(wanted) // rows)
    figure = new_figure(4.6 * across, 3.6 * rows)
    panels = list(figure.subplots(rows, across, squeeze=False).flat)
    for ax in panels[len(wanted) :]:
        ax.remove()
    for ax, curve in zip(panels, wanted, strict=False):
        if len(runs) == 1:
            _draw_one(ax, next(iter(runs.values())), curve, held, say)
        else:
            _draw_several(ax, runs, curve)
        epochs = sorted({epoch for log in runs.values() for epoch in log.epochs})
        _finish(ax, say(curve.label), epochs, say("epoch"))
    head = title or (next(iter(runs)) if len(runs) == 1 else "")
    if len(runs) > 1 and any(f"val_{curve.series}" in log.series for curve in wanted for log in runs.values()):
        words = say("thick with marks: {held}; thin: training", held=say(held))
        figure.supxlabel(words, fontsize=9, color=INK)
    if head:
        figure.suptitle(head, fontsize=12, color=INK)
    return figure


def accuracy_figure(
    train: Sequence[float], test: Sequence[float], *, title: str = "", lang: str | None = None, axes: Axes | None = None
) -> Figure:
    """The plot of pages on CNNs: training and test accuracy, 0 to 1, for each epoch, the first being 1.

    train, test: what a trainer lists, one number an epoch: `train_acc_list` and `test_acc_list` of scratch.Trainer.
    Errors: DataError for lists of different lengths, or empty ones.
    """
    if len(train) != len(test) or not len(train):
        raise DataError(f"an accuracy plot needs two lists of the same length, got {len(train)} and {len(test)} values")
    say = Labels(lang)
    figure, ax = figure_of(axes, 5.2, 3.8)
    epochs = range(1, len(train) + 1)
    few = len(train) <= MARKED_EPOCHS
    ax.plot(epochs, train, "-", color=BLUE, label=say("train"), marker="o" if few else "", markersize=4, lw=1.6)
    ax.plot(epochs, test, "--", color=VERMILION, label=say("test"), marker="s" if few else "", markersize=4, lw=1.6)
    ax.set_ylim(0, 1.0)
    ax.set_ylabel(say("accuracy"))
    ax.set_xlabel(say("epoch"))
    plain(ax)
    ax.legend(frameon=False, fontsize=9, loc="lower right")
    ax.locator_params(axis="x", integer=True)
    if title:
        ax.set_title(title, fontsize=12, color=INK)
    return figure


def _wanted(logs: Sequence[Log], what: Sequence[str] | None) -> list[Curve]:
    """The panels to draw. Errors: as curves_figure."""
    there = [name for name, curve in CURVES.items() if any(_has(log, curve) for log in logs)]
    if what is None:
        return [CURVES[name] for name in STANDARD if name in there or name == "loss"]
    for name in what:
        expect_known("curve", name, CURVES)
        if name not in there:
            raise DataError(f"no run's log has {name}; there are {', '.join(there) or 'no curves'}")
    return [CURVES[name] for name in dict.fromkeys(what)]


def _has(log: Log, curve: Curve) -> bool:
    return curve.series in log.series or f"val_{curve.series}" in log.series


def _draw_one(ax: Axes, log: Log, curve: Curve, held: str, say: Labels) -> None:
    few = len(log.epochs) <= MARKED_EPOCHS
    styles = (("training", curve.series, BLUE, "-", "o"), (held, f"val_{curve.series}", VERMILION, "--", "s"))
    for label, key, colour, line, marker in styles:
        if key in log.series:
            values = [value * curve.factor for value in log.series[key]]
            mark = marker if few else ""
            ax.plot(log.epochs, values, line, color=colour, label=say(label), marker=mark, markersize=3.5, lw=1.6)
    if len(ax.lines) > 1 or curve.series in ("loss", "accuracy", "mean_iou"):
        ax.legend(frameon=False, fontsize=9)


def _draw_several(ax: Axes, runs: Mapping[str, Log], curve: Curve) -> None:
    for place, (name, log) in enumerate(runs.items()):
        colour = RUN_COLOURS[place % len(RUN_COLOURS)]
        line, mark = RUN_LINES[place % len(RUN_LINES)], RUN_MARKS[place % len(RUN_MARKS)]
        few = len(log.epochs) <= MARKED_EPOCHS
        keys = [key for key in (f"val_{curve.series}", curve.series) if key in log.series]
        for rank, key in enumerate(keys):
            values = [value * curve.factor for value in log.series[key]]
            drawn = ax.plot(log.epochs, values, linestyle=line, color=colour, lw=0.8 if rank else 1.8)[0]
            if rank == 0:  # one entry a run
                drawn.set_label(name)
                drawn.set(marker=mark if few else "", markersize=4)
    ax.legend(frameon=False, fontsize=8, handlelength=3.4)


def _finish(ax: Axes, label: str, epochs: Sequence[int], across: str) -> None:
    ax.set_ylabel(label)
    ax.set_xlabel(across)
    plain(ax)
    ax.locator_params(axis="x", integer=True)
    ax.ticklabel_format(axis="y", useOffset=False)  # a loss is read off the axis, not added up
    if len(epochs) == 1:
        ax.set_xlim(epochs[0] - 1, epochs[0] + 1)
    ax.margins(y=0.08)


EXAMPLES = """Loss and accuracy of a run:
   pellucid show curves runs/simple-convnet-digits-001

Two runs compared:
   pellucid show curves runs/first runs/second --what loss,learning-rate"""
TAKES = Argument("RUN...", "Run folders, or their log.jsonl files.", several=True)

WORDS = {
    "loss": "손실",
    "accuracy": "정확도",
    "accuracy (%)": "정확도 (%)",
    "mean IoU (%)": "평균 IoU (%)",
    "learning rate": "학습률",
    "pictures a second": "초당 이미지 수",
    "epoch": "에포크",
    "validation or test": "검증 또는 테스트",
    "thick with marks: {held}; thin: training": "굵고 표시 있는 선: {held}, 가는 선: 학습",
    "{count} epochs: {file}": "에포크 {count}개: {file}",
}
"""Korean by English."""


@Picture("curves", EXAMPLES, takes=TAKES, tables=True, words=WORDS)
def show_curves(
    sources: Sequence[Source],
    what: Annotated[
        str | None,
        Option("--what", "NAMES", "Of loss,accuracy,mean-iou,learning-rate,speed. Default: the first three."),
    ] = None,
) -> Shown:
    """Draw loss, accuracy, learning rate or speed, epoch by epoch, of one run or of several in one picture.

    --csv and --json have all that the logs hold.
    """
    wanted = None if what is None else [name.strip().lower() for name in what.split(",") if name.strip()]
    logs = dict(zip(_labels([source.place for source in sources]), [source.log() for source in sources], strict=True))
    series = list(dict.fromkeys(name for log in logs.values() for name in log.series))
    rows: list[list[object]] = [
        [run, epoch, *(log.series[name][place] if name in log.series else None for name in series)]
        for run, log in logs.items()
        for place, epoch in enumerate(log.epochs)
    ]
    table, first = Table(["run", "epoch", *series], rows, "{count} epochs: {file}"), sources[0]

    def draw() -> Figure:
        names = {held_name(record) for source in sources if (record := source.record())} or {"validation"}
        held = names.pop() if len(names) == 1 else "validation or test"
        if len(sources) > 1:
            return curves_figure(logs, wanted, held=held, lang=first.lang)
        return curves_figure(next(iter(logs.values())), wanted, title=first.title, held=held, lang=first.lang)

    return Shown(draw, first.place / "curves.png" if len(sources) == 1 else Path("curves.png"), table)


def _labels(folders: Sequence[Inside]) -> list[str]:
    """The folders' names; where two are the same, as the command line had them, and a number if that does not help."""
    names = [folder.path.resolve().name for folder in folders]
    if len(set(names)) < len(names):
        names = [str(folder.path) for folder in folders]
    return [name if names.count(name) == 1 else f"{name} ({place})" for place, name in enumerate(names, 1)]
