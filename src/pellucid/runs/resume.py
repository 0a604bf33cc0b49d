"""A run goes on from its newest whole checkpoint."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pellucid._arguments import path_of
from pellucid.errors import CheckpointError, ConfigError
from pellucid.files.inside import Inside
from pellucid.files.schema import whole
from pellucid.runs.console import Console
from pellucid.runs.folder import CHECKPOINTS, LOG_FILE, MODEL_FILE, RUN_FILE, check_writable
from pellucid.runs.record import RESUMABLE, read_record
from pellucid.runs.run import Run, go
from pellucid.runs.setup import fit_schedule, load_data, prepare
from pellucid.runs.tracking import Tracking
from pellucid.train.distributed import Processes
from pellucid.train.gloo import join
from pellucid.train.joined import agree_on, first_on_each_machine, locked, share_saved

if TYPE_CHECKING:
    from pellucid.datasets import Dataset
    from pellucid.train import Checkpoints, Listener, Saved, TrainConfig


EPOCH = whole(1, 10**6)


def resume_run(
    folder: str | Path,
    epochs: int | None = None,
    *,
    data: Dataset | None = None,
    csv: str | Path | None = None,
    tensorboard: str | Path | None = None,
    mlflow: str | None = None,
    lang: str | None = None,
    engine: str | None = None,
    device: str | None = None,
    precision: str | None = None,
    verbose: int | str = "auto",
    callbacks: Listener | Sequence[Listener] | None = None,
    mixed: bool = False,
    console: Console | None = None,
) -> Run:
    """Go on with a run, to `epochs` epochs in all where that is given: to the same bits as if it had never stopped.

    engine, device, precision: what computes from here on, as in `fit`; None: what did before.
    data: the Dataset that the run was given as one; otherwise its pictures are loaded as they were. csv, tensorboard,
    mlflow, lang, verbose, callbacks, mixed, console: as in `train_run`.
    Errors: CheckpointError if there is nothing to go on from; ConfigError if its pictures are not the same any more, or
    if it has more epochs already.
    """
    from pellucid.engines import words

    tracking = Tracking(csv, tensorboard, mlflow)
    console, run = console or Console(verbose, callbacks, lang), path_of(folder, "resume_run: folder")
    processes = join()
    if processes.rank:
        console.hush()
    place = Inside(run) if processes.rank else _run_folder(run)
    with locked(place / CHECKPOINTS, processes) as checkpoints:
        record: dict[str, Any] = {}
        saved = None
        if checkpoints is not None:
            record = read_record(place, RESUMABLE)
            saved = checkpoints.newest(console.note)
            if saved is None:
                raise CheckpointError(
                    f"{checkpoints.folder}: holds no whole checkpoint; "
                    f'weights="{run}" starts a new run from its best epoch'
                )
        saved, record = share_saved(processes, saved, record)
        assert saved is not None  # rank 0 has found one
        given = words(engine, device, precision, record["training"])
        return _go_on(place, checkpoints, saved, record, epochs, data, console, tracking, given, processes, mixed=mixed)


def _go_on(
    folder: Inside,
    checkpoints: Checkpoints | None,
    saved: Saved,
    record: dict[str, Any],
    epochs: int | None,
    data: Dataset | None,
    console: Console,
    tracking: Tracking,
    engine: Mapping[str, str],
    processes: Processes,
    *,
    mixed: bool,
) -> Run:
    from pellucid.engines import engine_of
    from pellucid.model.file import model_of
    from pellucid.train import other_backend
    from pellucid.train.resume import rescheduled, training_facts

    place = training_facts(saved)
    training = record["training"]
    config = _config({**training, **engine}, epochs)
    computing = engine_of(config.engine, config.device, config.precision)
    finished = max(place["epoch"], _logged_epochs(folder / LOG_FILE) if checkpoints is not None else 0)
    if config.epochs < finished:
        raise ConfigError(f"epochs={epochs}: {folder} has finished {finished} already; give as many or more")
    network = model_of(saved.path, saved.tensors, saved.facts)
    computing.check(network.graph)
    with console.bar() as bar, first_on_each_machine(processes):
        loading = _loading(record["data"]["loading"])
        asked = loading if data is None else {**loading, "data": data}
        dataset = load_data(**asked, mapped=processes.world > 1, bar=bar)
    console.data(dataset, known=True)
    anew = config.epochs != training["epochs"] and training["schedule"] is not None
    steps_per_epoch = -(-len(dataset.train) // config.batch_size)
    if anew:
        network.optimizer.learning_rate = training["learning_rate"]
        fit_schedule(network.optimizer, training["schedule"], config, len(dataset.train))
        saved = rescheduled(saved, network.optimizer.config()["learning_rate"])
    examples = prepare(network, dataset, config)
    agree_on(processes, network, examples, config, mixed=mixed)
    if checkpoints is not None:
        _check_best(folder / MODEL_FILE, place["best_epoch"], console)
    if config.engine != training.get("engine", config.engine):
        console.note(f"from here on engine {config.engine!r} computes: numbers will differ in their last bits")
    difference = other_backend(saved)
    if difference:
        console.note(difference)
    done = f"epoch {place['epoch']}" + (f" and {place['batch']} of {steps_per_epoch} steps" if place["batch"] else "")
    console.say(f"{record['model']['name']} on {dataset.name}: goes on after {done}, to epoch {config.epochs}")
    if anew:
        console.say(f"schedule={training['schedule']} is fitted to {config.epochs} epochs from here on")
    if place["epoch"] == config.epochs:
        console.note(f"(all {config.epochs} epochs are done; epochs=N trains on)")
    resumed = {**console.facts, "epoch": place["epoch"], "batch": place["batch"], "epochs": config.epochs}
    renewed = {
        **record,
        "training": {**training, **config.to_json(), "optimizer": network.optimizer.config()},
        "resumed": [*record.get("resumed", []), resumed],
    }
    return go(
        folder, checkpoints, network, dataset, examples, config, renewed, console, tracking, processes, resume=saved
    )


def _run_folder(run: Path) -> Inside:
    if not os.path.lexists(run):
        raise CheckpointError(f"{run}: no such run; `pellucid train` makes one in runs/")
    folder = Inside(run)
    if not folder.is_dir() or not (folder / RUN_FILE).check().is_file():
        again = f"begin it again: pellucid train --out {shlex.quote(str(run))}"
        hint = again if os.path.isdir(run) else "name its folder"
        raise CheckpointError(f"{run}: holds no {RUN_FILE}, so no training has begun there; {hint}")
    if not (folder / CHECKPOINTS).check("folder").is_dir():
        raise CheckpointError(f'{run}: holds no checkpoints; weights="{run}" starts a new run from its best epoch')
    check_writable(folder)
    return folder


def _loading(written: Mapping[str, Any]) -> dict[str, Any]:
    size = written["size"]
    return {**written, "size": tuple(size) if isinstance(size, list) else size}


def _config(training: Mapping[str, Any], epochs: int | None) -> TrainConfig:
    from pellucid.train import TrainConfig

    own = {field.name: training[field.name] for field in dataclasses.fields(TrainConfig) if field.name in training}
    return TrainConfig(**{**own, "epochs": own["epochs"] if epochs is None else epochs})


def _logged_epochs(log: Inside) -> int:
    """The last epoch that a log tells of."""
    from pellucid.train.log import read_events

    events = read_events(log) if log.is_file() else ()
    return max((e["epoch"] for e in events if e.get("event") == "epoch" and EPOCH.fits(e.get("epoch"))), default=0)


def _check_best(file: Inside, best_epoch: int | None, console: Console) -> None:
    """Say so where the best epoch's model is lost; another takes its place then."""
    from pellucid.files import tensor_file

    if best_epoch is None:
        return
    try:
        tensor_file.read(file)
    except CheckpointError as error:
        console.note(f"{error}; the next better epoch, or the last one, takes its place")
        with contextlib.suppress(FileNotFoundError):
            file.unlink()
