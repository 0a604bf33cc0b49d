"""What a training shows of itself on a screen."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import IO, TYPE_CHECKING, Any

from pellucid._numbers import percent
from pellucid._progress import WorkBar, is_terminal, load_bars
from pellucid._text import printable, say
from pellucid.train.events import (
    BatchEnded,
    Diagnosed,
    EpochEnded,
    EpochStarted,
    EvaluationStarted,
    Event,
    FeaturesComputed,
    FeaturesNotKept,
    FineTuningStarted,
    PicturesJudged,
    TrainingEnded,
    TrainingStarted,
)
from pellucid.train.history import MEAN_IOU, NAMES, SHARES

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

REDRAW_S = 0.1
"""A bar is redrawn at most this often; a line for plain output comes every hundred times that."""

WIDTH = 8
"""Of a column of numbers, at least."""
MANY, EACH, QUICK_S = 50, 10, 1.0
"""Of more epochs than this, of which several end in a second, each tenth has a line: nobody reads them all."""

COLUMNS = {
    "loss": "loss",
    "accuracy": "accuracy",
    "val_loss": "val loss",
    "val_accuracy": "val accuracy",
    MEAN_IOU: NAMES[MEAN_IOU],
    f"val_{MEAN_IOU}": "val IoU",
}
"""What an epoch's line shows of its logs, under these heads; the accuracy only where there is no mean IoU."""


def columns(logs: Mapping[str, float]) -> dict[str, str]:
    """Those of these logs."""
    left_out = ("accuracy", "val_accuracy") if MEAN_IOU in logs else ()
    return {name: head for name, head in COLUMNS.items() if name in logs and name not in left_out}


def describe(logs: Mapping[str, float]) -> str:
    """Numbers of a batch on one line.

    >>> describe({"loss": 0.12345, "accuracy": 0.9876})
    'loss 0.1235  accuracy 98.76%'
    """
    return "  ".join(f"{name} {number(name, value)}" for name, value in logs.items())


def number(name: str, value: float) -> str:
    """A loss with four places, or as many as its column has room for; an accuracy or IoU in per cent.

    >>> number("loss", 0.5), number("loss", 35198.3840), number("loss", 1415410.04), number("accuracy", 0.5)
    ('0.5000', '35,198', '1.42e+06', '50.00%')
    """
    if name.endswith(SHARES):
        return percent(value, unit="%")
    return text if len(text := f"{value:.4f}") <= WIDTH else f"{value:,.0f}" if abs(value) < 1e6 else f"{value:.2e}"


def duration(seconds: float) -> str:
    """Time for people.

    >>> duration(7.4), duration(187), duration(7390)
    ('7 s', '3:07', '2:03:10')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes}:{rest:02d}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def epoch_line(event: EpochEnded, epochs: int) -> str:
    """One epoch as a row under `epoch_head`, at most 80 columns; a star marks the best so far."""
    heads = columns(event.logs).items()
    cells = [number(name, event.logs[name]).rjust(max(len(head), WIDTH)) for name, head in heads]
    epoch = f"{event.epoch + 1}/{epochs}".rjust(7)
    speed = f"{event.images_per_s:,.0f}".rjust(9)
    return f"{'  '.join([epoch, *cells])} {speed} {event.elapsed_s:6.1f} s{' *' if event.improved else ''}"


def epoch_head(logs: Mapping[str, float]) -> str:
    """The heads over the rows of `epoch_line`."""
    heads = [head.rjust(WIDTH) for head in columns(logs).values()]
    return f"{'  '.join(['  epoch', *heads])}  images/s     time"


class Progress:
    """A bar for the epoch in hand and one line for each finished; plain lines where the output is no terminal."""

    every_batch, writes = False, True

    def __init__(self, file: IO[str] | None = None, *, bar: bool = True) -> None:
        self._file, self._wants_bar = file, bar
        self._bar: RichProgress | None = None
        self._hushed = WorkBar(quiet=True)
        """Other bars' place while this one is there: what a listener evaluates draws none over it."""
        self._task: TaskID | None = None
        self._epochs = self._steps = self._epoch = 0
        self._headed, self._first, self._unsaid = False, 0, ""
        self._drawn_s = self._epoch_start_s = self._unsaid_s = 0.0
        self._seen = self._done = 0
        self._total, self._start_s, self._before = 1, 0.0, 0

    def __call__(self, event: Event) -> None:
        match event:
            case TrainingStarted():
                self._start(event)
            case EpochStarted():
                self._start_epoch(event.epoch)
            case FeaturesComputed():
                self._features(event)
            case FeaturesNotKept():
                self._line(event.text)
            case FineTuningStarted():
                self._fine_tuning(event)
            case Diagnosed():
                self._line(f"doctor: {event.text}")
            case BatchEnded():
                self._batch(event)
            case EvaluationStarted():
                self._show(numbers=f"judging {event.num_samples:,} held-out pictures")
            case PicturesJudged():
                self._judged(event)
            case EpochEnded():
                self._epoch_ended(event)
            case TrainingEnded():
                self._catch_up()
                self.close()
                if event.reason != "all epochs done":
                    self._line(f"stopped after epoch {event.num_epochs}: {event.reason}")

    def _start(self, event: TrainingStarted) -> None:
        self._epochs, self._steps, self._headed = event.epochs, event.steps_per_epoch, False
        self._first = event.first_epoch
        file = self._file or sys.stderr
        frozen = event.frozen_epochs if event.first_epoch < (event.frozen_epochs or 0) else None
        self._total = max((frozen or event.epochs) * event.steps_per_epoch, 1)
        self._before = event.first_epoch * event.steps_per_epoch + event.first_batch
        self._done, self._start_s = self._before, time.perf_counter()
        if not self._wants_bar or not is_terminal(file):
            return
        load_bars()
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
        from rich.progress import Progress as RichProgress
        from rich.table import Column

        self._bar = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(table_column=Column(no_wrap=True)),  # where room is short, the bar gives way
            TextColumn("{task.fields[numbers]}"),
            console=Console(file=file),
            transient=True,
            expand=True,
        )
        self._bar.start()
        self._hushed.__enter__()
        self._task = self._bar.add_task("", total=self._steps, numbers="")

    def _start_epoch(self, epoch: int) -> None:
        self._epoch, self._seen, self._epoch_start_s = epoch, 0, time.perf_counter()
        if self._bar is not None and self._task is not None:
            self._bar.reset(self._task, total=self._steps, description=f"epoch {epoch + 1}/{self._epochs}", numbers="")

    def _epoch_ended(self, event: EpochEnded) -> None:
        if not self._headed:
            self._headed = True
            self._line(epoch_head(event.logs))
        self._unsaid = epoch_line(event, self._epochs)
        self._unsaid_s += event.elapsed_s
        each = not self._wants_bar or self._epochs <= MANY or (event.epoch + 1) % EACH == 0
        if each or event.epoch == self._first or self._unsaid_s >= QUICK_S:
            self._catch_up()

    def _catch_up(self) -> None:
        """The line of the newest epoch, if it was passed over."""
        if self._unsaid:
            self._line(self._unsaid)
            self._unsaid, self._unsaid_s = "", 0.0

    def _fine_tuning(self, event: FineTuningStarted) -> None:
        """From here on steps take longer: what is left is reckoned anew."""
        self._catch_up()
        self._total, self._before = event.epochs * self._steps, event.epoch * self._steps
        self._start_s = self._epoch_start_s = time.perf_counter()
        augmented = "" if event.augment == "none" else f", pictures augmented ({event.augment})"
        if event.accuracy is not None:
            self._line(f"the new head: {percent(event.accuracy)} at best")
        self._line(
            f"fine-tuning from epoch {event.epoch + 1} on: {event.num_parameters:,} parameters are trained, batch norm "
            f"stays as it is{augmented}"
        )

    def _features(self, event: FeaturesComputed) -> None:
        """Pictures through the frozen layers, once; the epochs' own time begins after them."""
        now, finished = time.perf_counter(), event.done == event.total
        if now - self._drawn_s >= (REDRAW_S if self._bar is not None else 100 * REDRAW_S) or finished:
            self._drawn_s = now
            left = (now - self._epoch_start_s) * (event.total - event.done) / event.done
            speed = f"{event.done / max(now - self._epoch_start_s, 1e-9):,.0f} images/s  {duration(left)} left"
            numbers = f"pictures through the frozen layers  {speed}"
            shown = self._show(description="once", completed=event.done, total=event.total, numbers=numbers)
            if not shown and not finished and now - self._epoch_start_s > 50 * REDRAW_S:
                self._line(f"frozen layers: {event.done:,}/{event.total:,} pictures  {speed}")
        if finished:
            place = "memory" if event.in_memory else "a temporary file"
            self._line(
                f"frozen up to {event.layer!r}: {event.total:,} pictures once, "
                f"{duration(now - self._epoch_start_s)}, {event.num_bytes / 1e6:,.1f} MB in {place}"
            )
            self._start_s += now - self._epoch_start_s
            self._start_epoch(self._epoch)

    def _batch(self, event: BatchEnded) -> None:
        self._seen += event.num_samples
        self._done = event.epoch * self._steps + event.batch + 1
        now = time.perf_counter()
        last = event.batch + 1 == self._steps
        if now - self._drawn_s < (REDRAW_S if self._bar is not None else 100 * REDRAW_S) and not last:
            return
        self._drawn_s = now
        speed = self._seen / max(now - self._epoch_start_s, 1e-9)
        left = (now - self._start_s) * (self._total - self._done) / (self._done - self._before)
        numbers = f"{describe(event.logs)}  {speed:,.0f} images/s  {duration(left)} left"
        shown = self._show(completed=event.batch + 1, numbers=numbers)
        if not shown and not last and now - self._epoch_start_s > 50 * REDRAW_S:
            self._line(f"epoch {event.epoch + 1}/{self._epochs}  batch {event.batch + 1}/{self._steps}  {numbers}")

    def _judged(self, event: PicturesJudged) -> None:
        now = time.perf_counter()
        words = "held-out pictures, being judged"
        if now - self._drawn_s >= REDRAW_S and self._show(completed=event.done, total=event.total, numbers=words):
            self._drawn_s = now

    def _show(self, **fields: Any) -> bool:
        """Draw the bar anew, where there is one."""
        if self._bar is None or self._task is None:
            return False
        self._bar.update(self._task, **fields)
        return True

    def _line(self, text: str) -> None:
        if self._bar is not None:
            self._bar.console.print(printable(text), highlight=False, markup=False)
        else:
            say(text, self._file or sys.stderr, prose=True)

    def close(self) -> None:
        """Take the bar off the screen; also after an error."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
            self._hushed.__exit__(None, None, None)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
