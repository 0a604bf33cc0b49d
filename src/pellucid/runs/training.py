"""A training in its folder: the best model is left there, the last one, the log and a snapshot of every epoch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from pellucid.files.atomic import make_folder, remove_leftovers
from pellucid.files.inside import Inside
from pellucid.runs.folder import CHECKPOINTS, LAST_FILE, LOG_FILE, MODEL_FILE, SNAPSHOTS
from pellucid.train.callbacks.early_stopping import EarlyStopping
from pellucid.train.checkpoints import Checkpoints, Saved
from pellucid.train.config import TrainConfig
from pellucid.train.distributed import Processes
from pellucid.train.doctor import Doctor
from pellucid.train.events import EpochEnded, Event, Listener, TrainingStarted
from pellucid.train.examples import Examples
from pellucid.train.history import History
from pellucid.train.log import JsonLog
from pellucid.train.snapshots import NUM_PROBES, Snapshots
from pellucid.train.trainable import Trainable
from pellucid.train.trainer import Trainer


@dataclass
class On:
    """Calls a function with each event of one kind."""

    every_batch: ClassVar[bool] = False

    kind: type[Event]
    do: Callable[[Any], object]

    def __call__(self, event: Event) -> None:
        if isinstance(event, self.kind):
            self.do(event)


def run_training(
    model: Trainable,
    examples: Examples,
    validation: Examples | None,
    config: TrainConfig,
    out: Path | Inside | None,
    *,
    augment: Any = None,
    listeners: Sequence[Listener] = (),
    about: Mapping[str, Any] | None = None,
    doctor: bool = True,
    test: Any = None,
    checkpoints: Checkpoints | None = None,
    resume: Saved | None = None,
    first: Sequence[Listener] = (),
    processes: Processes | None = None,
) -> History:
    """Train, and keep everything in the folder `out`, which must exist; None: another of the processes does.

    doctor: say in the log, and to the listeners, what goes wrong. test: other pictures that it will be judged on, which
    should not be among those to learn from.

    However training ends once it has begun, `last.safetensors` holds the newest parameters, `model.safetensors` those
    of the best epoch; only SystemExit leaves at once. checkpoints: by default those in out/checkpoints, which whoever
    calls has locked. resume: go on from there. first: hear that training starts before anything
    but the first checkpoint is written. processes: which train the model together.
    """
    if out is None:
        listeners = [*_stopping(config), *listeners]
        trainer = Trainer(
            model, examples, config, validation=validation, augment=augment, listeners=listeners, processes=processes
        )
        if resume is not None:
            trainer.resume(resume)
        return trainer.run()
    run = out if isinstance(out, Inside) else Inside(out)

    def save_if_best(end: EpochEnded) -> None:
        if end.improved:
            model.save(run / MODEL_FILE)

    keepers: list[Listener] = [
        JsonLog(run / LOG_FILE, {**config.to_json(), **(about or {})}),
        Snapshots(run / SNAPSHOTS, model, model.scaled(examples.images[:NUM_PROBES])),
        On(EpochEnded, save_if_best),
    ]
    if doctor:  # first, so that it has spoken before the log is closed
        keepers.insert(
            0, Doctor(model, examples, validation, test=test, shuffled=config.shuffle, tell=[keepers[0], *listeners])
        )
    keepers += _stopping(config)
    kept = checkpoints or Checkpoints(run / CHECKPOINTS)
    make_folder(kept.folder)
    begun: list[Event] = []
    trainer = Trainer(
        model,
        examples,
        config,
        validation=validation,
        augment=augment,
        listeners=[*first, On(TrainingStarted, begun.append), *keepers, *listeners],
        folder=run.path,
        checkpoints=kept,
        processes=processes,
    )
    for folder in (run, run / SNAPSHOTS):
        if folder.is_dir():
            remove_leftovers(folder)
    if resume is not None:
        trainer.resume(resume)
    at_once = False
    try:
        return trainer.run()
    except SystemExit:
        at_once = True
        raise
    finally:
        if begun and not at_once:  # before, whoever asks again finds the place as it was
            model.save(run / LAST_FILE)
            if not (run / MODEL_FILE).is_file():
                model.save(run / MODEL_FILE)


def _stopping(config: TrainConfig) -> list[Listener]:
    return [] if config.patience is None else [EarlyStopping(patience=config.patience)]
