"""A training in a notebook: its curves drawn anew as it goes, in the page, and an interrupt that keeps the model."""

from __future__ import annotations

import signal
import sys
import threading
import time
from types import FrameType
from typing import Any

from pellucid._notebook import chart, titled
from pellucid._text import markup
from pellucid.train import (
    BatchEnded,
    Diagnosed,
    EpochEnded,
    EpochStarted,
    Event,
    FineTuningStarted,
    History,
    Progress,
    Stop,
    TrainingEnded,
    TrainingStarted,
)
from pellucid.train.listeners import describe, duration

REDRAW_S = 0.5


class LiveCurve(Progress):
    """What `fit` shows in a notebook: how far it is, and each number as a curve over the epochs.

    An interrupt (the square button) ends training after the step in hand: `fit` returns its history, and the model
    keeps what it has learned. A second one ends the cell.
    """

    def __init__(self) -> None:
        super().__init__(bar=False)
        self._history, self._notes = History(), list[str]()
        self._place: Any = None
        self._words = ""
        self._shown_s = self._start_s = 0.0
        self._epochs = self._steps = self._first = self._epoch = 0
        self._previous: Any = None
        self._interrupted = False

    def __call__(self, event: Event) -> Stop | None:  # type: ignore[override]
        match event:
            case TrainingStarted():
                self._begin(event)
            case EpochStarted():
                self._epoch = event.epoch
            case BatchEnded():
                self._stepped(event)
            case EpochEnded():
                row = {**event.logs, "learning_rate": event.learning_rate}
                self._history.append(event.epoch, row, improved=event.improved)
                self._words = f"epoch {event.epoch + 1}/{self._epochs}  {describe(event.logs)}"
                self._draw()
            case Diagnosed():
                self._notes.append(f"doctor: {event.text}")
            case FineTuningStarted():
                self._notes.append(f"fine-tuning from epoch {event.epoch + 1} on")
            case TrainingEnded():
                self._end(event)
        return Stop("interrupted") if self._interrupted else None

    def close(self) -> None:
        """Give the interrupt back; also after an error."""
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)
            self._previous = None

    def _begin(self, event: TrainingStarted) -> None:
        self._history, self._place, self._interrupted = History(), None, False
        self._epochs, self._steps = event.epochs, event.steps_per_epoch
        self._first = event.first_epoch * event.steps_per_epoch + event.first_batch
        self._start_s = time.perf_counter()
        if threading.current_thread() is threading.main_thread():
            self._previous = signal.signal(signal.SIGINT, self._came)
        self._words = "begins"
        self._draw()

    def _stepped(self, event: BatchEnded) -> None:
        now = time.perf_counter()
        if now - self._shown_s < REDRAW_S:
            return
        done = event.epoch * self._steps + event.batch + 1
        left = (now - self._start_s) * (self._epochs * self._steps - done) / max(done - self._first, 1)
        where = f"epoch {event.epoch + 1}/{self._epochs}, step {event.batch + 1}/{self._steps}"
        self._words = f"{where}  {describe(event.logs)}  {duration(left)} left"
        self._draw()

    def _end(self, event: TrainingEnded) -> None:
        self.close()
        count = f"{event.num_epochs} epochs in {duration(time.perf_counter() - self._start_s)}"
        best = f", the best was {event.best_epoch + 1}" if event.best_epoch >= 0 else ""
        self._words = f"{count}{best}"
        if self._interrupted:
            self._words += "; interrupted: the model keeps what it learned up to here"
        elif event.reason != "all epochs done":
            self._words += f"; {event.reason}"
        self._draw()

    def _draw(self) -> None:
        import IPython.display

        display: Any = IPython.display.display
        self._shown_s = time.perf_counter()
        names = [name for name in self._history.history if not name.startswith("val_") and name != "learning_rate"]
        curves = "".join(chart(self._history, name) for name in names if self._history.epoch)
        notes = "".join(f"<div>{markup(note)}</div>" for note in self._notes)
        page = f"{titled('training', self._words)}<div>{curves}</div>{notes}"
        bundle = {"text/html": page, "text/plain": self._words}
        if self._place is None:
            self._place = display(bundle, raw=True, display_id=True)
        else:
            self._place.update(bundle, raw=True)

    def _came(self, number: int, frame: FrameType | None) -> None:
        if self._interrupted:
            self.close()
            raise KeyboardInterrupt
        self._interrupted = True
        print("stopping after this step; once more to leave at once", file=sys.stderr)
