"""The training itself: in a run folder, from its first step or from a checkpoint, until it ends or is interrupted."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pellucid._text import say
from pellucid.cli.flags import in_flags
from pellucid.cli.interrupt import Interrupt
from pellucid.cli.output import note
from pellucid.cli.run import ANSWERS_FILE, write_record
from pellucid.cli.train_report import draw, report
from pellucid.cli.train_setup import augment_for
from pellucid.files.inside import Inside

if TYPE_CHECKING:
    from pellucid.datasets import Dataset
    from pellucid.model import Model
    from pellucid.train import Checkpoints, Event, Examples, History, Listener, Saved, TrainConfig


@dataclass
class RecordWriter:
    """Writes run.json when training starts: the first checkpoint stands by then, so a run that has one can go on."""

    every_batch: ClassVar[bool] = False

    folder: Inside
    record: Mapping[str, Any]

    def __call__(self, event: Event) -> None:
        from pellucid.train import TrainingStarted

        if isinstance(event, TrainingStarted):
            write_record(self.folder, dict(self.record))


@dataclass
class Spoken:
    """What the screen hears: the doctor in the command line's words, always, and all the rest unless it is quiet."""

    every_batch: ClassVar[bool] = False

    screen: Listener
    quiet: bool

    def __call__(self, event: Event) -> None:
        from pellucid.train import Diagnosed

        if isinstance(event, Diagnosed):
            self.screen(replace(event, text=in_flags(event.text, ("train",))))
        elif not self.quiet:
            self.screen(event)


def train_in(
    folder: Inside,
    checkpoints: Checkpoints,
    network: Model,
    dataset: Dataset,
    examples: tuple[Examples, Examples | None],
    config: TrainConfig,
    record: Mapping[str, Any],
    *,
    quiet: bool,
    doctor: bool,
    resume: Saved | None = None,
    rescheduled: bool = False,
) -> int | None:
    """Train, draw and judge; after a signal only train and say how to go on. Returns that signal's exit status.

    folder: locked by whoever calls. resume, rescheduled: as in `run_training`.
    """
    from pellucid.train import Progress, run_training

    with Interrupt() as interrupt, Progress(sys.stderr) as progress:
        history = run_training(
            network,
            *examples,
            config,
            folder,
            augment=augment_for(dataset, config),
            listeners=[interrupt, Spoken(progress, quiet)],
            about={"data": dataset.name},
            doctor=doctor,
            test=None if dataset.held_out is dataset.test else dataset.test.images,
            checkpoints=checkpoints,
            resume=resume,
            rescheduled=rescheduled,
            first=[RecordWriter(folder, record)],
        )
    if interrupt.status is not None:
        note(_how_to_go_on(folder, history, config))
        return interrupt.status
    draw(folder, quiet=quiet)
    report(folder, dataset, quiet=quiet)
    _answer(folder, dataset, record.get("predict"))
    return None


def _answer(folder: Inside, dataset: Dataset, asked: str | None) -> None:
    """Answer for the pictures that were asked for, or say how those without labels are answered for."""
    from pellucid.cli.judge import answer

    if asked is not None:
        answer(folder, [Path(asked)], out=folder / ANSWERS_FILE)
        return
    for place, _ in dataset.unlabelled:
        say(f"next: pellucid predict {shlex.quote(str(folder))} {shlex.quote(place)} --out answers.csv")


def _how_to_go_on(folder: Inside, history: History, config: TrainConfig) -> str:
    done = len(history.epoch)
    return f"interrupted after {done} of {config.epochs} epochs; go on with: pellucid train --resume {folder}"
