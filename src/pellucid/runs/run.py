"""A run: a network is trained on a data set and leaves a folder. `train_run` is `pellucid train` for programs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pellucid._arguments import path_of
from pellucid._display import Shown
from pellucid.errors import CheckpointError, ConfigError
from pellucid.files.inside import Inside
from pellucid.runs.console import Console
from pellucid.runs.folder import CHECKPOINTS, RUN_FILE, check_unused, make_run_folder, write_record
from pellucid.runs.pretrained import published_start, two_stages
from pellucid.runs.report import draw, record, report
from pellucid.runs.setup import (
    DATA,
    RESIZE,
    absolute,
    augment_for,
    build,
    fit_schedule,
    load_data,
    naming,
    prepare,
    settle,
    standardized,
)
from pellucid.runs.tracking import Tracking
from pellucid.runs.weights import begin_from, load_weights
from pellucid.train.distributed import Processes
from pellucid.train.gloo import each_by_itself, join
from pellucid.train.joined import agree_on, first_on_each_machine, locked, usual_shards

if TYPE_CHECKING:
    from pellucid.datasets import Dataset
    from pellucid.losses import Loss
    from pellucid.model import Model
    from pellucid.optimizers import Optimizer
    from pellucid.train import Checkpoints, Examples, History, Listener, Saved, TrainConfig


@dataclass(repr=False)
class Run(Shown):
    """What a run came to. model: as the last epoch left it; the best epoch's is `pellucid.load(run.folder)`."""

    place: Inside
    model: Model
    history: History
    dataset: Dataset
    config: TrainConfig

    @property
    def folder(self) -> Path:
        """Where it all is."""
        return self.place.path

    def __repr__(self) -> str:
        return f"<Run {str(self.folder)!r}: {len(self.history.epoch)} of {self.config.epochs} epochs>"


def train_run(
    model: str | Model | None = None,
    data: str | Path | Dataset = DATA,
    *,
    labels: Any = None,
    columns: Mapping[str, Any] | None = None,
    validation: str | Path | float | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    optimizer: str | Optimizer | None = None,
    learning_rate: float | None = None,
    loss: str | Loss | None = None,
    settings: Mapping[str, Any] | None = None,
    size: int | tuple[int, int] | None = None,
    resize: str | None = None,
    augment: str | Mapping[str, Any] | None = None,
    standardize: bool | None = None,
    class_weight: str | None = None,
    patience: int | None = None,
    weights: str | Path | None = None,
    pretrained: bool | str | None = None,
    fine_tune: int | None = None,
    freeze: str | Sequence[str] | None = None,
    exact_convolution: bool = False,
    engine: str | None = None,
    device: str | None = None,
    precision: str | None = None,
    seed: int = 0,
    limit: int | None = None,
    test_limit: int | None = None,
    out: str | Path | None = None,
    csv: str | Path | None = None,
    tensorboard: str | Path | None = None,
    mlflow: str | None = None,
    doctor: bool = True,
    lang: str | None = None,
    verbose: int | str = "auto",
    callbacks: Listener | Sequence[Listener] | None = None,
    shards: int | None = None,
    mixed: bool = False,
    console: Console | None = None,
) -> Run:
    """Train a network on a data set and leave a run folder, as `pellucid train` does; `resume_run` goes on with it.

    What is left out is as the network's recipe has it, see `pellucid.zoo.recipe`.

    model: a network's name in `pellucid.zoo`, or a model, which keeps the optimizer and loss it was compiled with
    unless others are named; None: photo-net for a folder, unet for one with masks, else simple-convnet. data: a data
    set's name, a folder with a sub-folder a class or with images/ and masks/, or a Dataset. labels: a CSV file with the
    folder's labels, or several of which the others correct the first; columns: what its columns are called, both as in
    `datasets.load`; without data, the pictures lie beside the table. validation: what is judged after each epoch, a
    folder, a table, or a share such as 0.1; None: the test pictures. optimizer, loss: a name, or one of ours as an
    object. settings: arguments of network, optimizer or loss by their names, "schedule", and of layers:
    {"hidden_size": 50, "conv1.filters": 16}. size, resize: of pictures that are read from files. augment: as `fit`
    takes it. standardize: bring each channel to mean 0 and deviation 1. class_weight: "balanced". patience: stop after
    so many epochs without a better one. weights: a run, or a file, whose weights it begins with. pretrained: a network
    whose weights for ImageNet are published, by name; True: `model`, or efficientnet-lite0. A new head is trained on
    what these give for the pictures, `epochs` epochs, and then all layers on augmented pictures, `fine_tune` epochs
    more, with a thirtieth of the rate and batch norm as it is; where nothing is said, both go by the number of
    pictures. freeze: layers that are not trained. limit, test_limit: of pictures. out: the folder; None: the first free
    runs/MODEL-DATA-NNN. csv: a file for a table of the epochs. tensorboard: a folder, in which one of the run's name is
    written for TensorBoard. mlflow: the address of a server of MLflow, or where it keeps files. lang: of the
    pictures' words. engine, device, precision, verbose, callbacks, doctor: as in `fit`. shards: logical parts of each
    batch, a power of two, which the processes that torchrun starts share; the same bits for any number of these. None:
    8 under torchrun, else 1. mixed: they may have other kernels. console: what speaks instead of `verbose`, `lang`.
    Errors: ConfigError for an argument, or a folder that is in use; DataError, DivergedError and ShapeError as `fit`.
    """
    from pellucid import zoo
    from pellucid.datasets import Dataset
    from pellucid.datasets.augmentation import text_of
    from pellucid.datasets.tables import read_table
    from pellucid.engines import engine_of, words
    from pellucid.train import TrainConfig
    from pellucid.zoo.recipes import PRETRAINED

    console, processes = console or Console(verbose, callbacks, lang), join()
    if processes.rank:
        console.hush()
    tables, data = tables_of(labels, data)
    several = data.train.several if isinstance(data, Dataset) else any(read_table(t, columns).several for t in tables)
    tracking = Tracking(csv, tensorboard, mlflow)
    start_of = published_start(pretrained, model, weights, freeze, fine_tune, console)
    given = dict(settings or {})
    if start_of is not None:
        model, weights, given = start_of.model, start_of.weights, {**start_of.settings, **given}
    if standardize and weights is not None:
        raise ConfigError(
            "standardize=True: pictures are scaled as they were for the weights; leave one of the two out"
        )
    source = None if weights is None else load_weights(path_of(weights, "weights"), model, given, console)

    # What is asked for, by the recipe where nothing is said.
    data_name = data.name if isinstance(data, Dataset) else data if isinstance(data, str) else str(data.absolute())
    builder, name = naming(model, data if isinstance(data, Dataset) else data_name, source)
    recipe = zoo.recipe(name, data_name) if name in zoo.NAMES else zoo.Recipe()
    recipe = recipe if start_of is None else PRETRAINED
    recipe = replace(recipe, loss="binary_crossentropy") if several else recipe
    config = TrainConfig(
        epochs=recipe.epochs if epochs is None else epochs,
        batch_size=recipe.batch_size if batch_size is None else batch_size,
        seed=seed,
        patience=patience,
        augment=recipe.augment if augment is None else text_of(augment),
        class_weight=class_weight,
        **words(engine, device, precision),
        shards=usual_shards(engine) if shards is None else shards,
    )
    computing = engine_of(config.engine, config.device, config.precision)
    model_settings, chosen_optimizer, chosen_loss, schedule = settle(
        builder, optimizer, learning_rate, loss, given, recipe
    )

    # The pictures, in the size that the network has or wants.
    like = source if model is None or isinstance(model, str) or not model.built else model
    rule = resize or (like.preprocessing.resize if like else RESIZE)
    loading: dict[str, Any] = {
        "data": absolute(data_name),
        "size": (like.graph.input_shape[0], like.graph.input_shape[1]) if size is None and like else size,
        "channels": like.graph.input_shape[-1] if like else None,
        "resize": rule,
        "validation": None if validation is None else absolute(str(validation), table=True),
        "seed": seed,
        "limit": limit,
        "test_limit": test_limit,
        "labels": [str(table.resolve()) for table in tables],
        "columns": dict(columns or {}),
    }
    with console.bar() as bar, first_on_each_machine(processes):
        asked = {**loading, "data": data} if isinstance(data, Dataset) else loading
        dataset = load_data(**asked, mapped=processes.world > 1, bar=bar)
    console.data(dataset)
    if start_of is not None:
        config = two_stages(config, epochs, fine_tune, len(dataset.train), plain=augment is None)

    # The network for them.
    network = build(model if builder is None else builder, dataset, rule, seed, model_settings, source)
    if standardize or (standardize is None and source is None and recipe.standardize):
        with console.bar() as bar:
            network.preprocessing = standardized(network.preprocessing, dataset.train.images, bar)
    computing.check(network.graph)
    network.exact_convolution |= exact_convolution
    names = [freeze] if isinstance(freeze, str) else list(freeze or ())
    path = None if weights is None else path_of(weights, "weights")
    start = begin_from(network, source, path, names, console, freeze_taken=start_of is not None)
    del source, like  # as large as the network, and no longer needed
    chosen = optimizer or loss or learning_rate or any("." not in key and key != "schedule" for key in given)
    kept = network is model and network.compiled_config() is not None and not chosen
    if kept:
        chosen_optimizer, chosen_loss = network.optimizer, network.loss
    rate = chosen_optimizer.learning_rate_at(0)
    fit_schedule(chosen_optimizer, schedule, config, len(dataset.train))
    network.compile(chosen_optimizer, chosen_loss)
    examples = prepare(network, dataset, config)
    agree_on(processes, network, examples, config, mixed=mixed)

    # The folder, only now: whatever is wrong with the arguments has been said.
    place = None if out is None else path_of(out, "out")
    made = "" if processes.rank else str(make_run_folder(place, name, data_name))
    folder = Inside(Path(os.fsdecode(processes.share(os.fsencode(made)))))
    training = {
        **config.to_json(),
        "optimizer": network.optimizer.config(),
        "loss": (loss or recipe.loss) if isinstance(loss, str | None) and not kept else network.loss.config()["type"],
        "schedule": schedule,
        "learning_rate": rate,
        "doctor": doctor,
    }
    with locked(folder / CHECKPOINTS, processes) as checkpoints:
        if checkpoints is not None:
            check_unused(folder)  # somebody else may have been quicker
        written = record(name, model_settings, network, dataset, loading, start, training)
        parameters = f"{network.count_params():,} parameters"
        console.say(f"{name} ({parameters}) on {dataset.name}: {len(dataset.train):,} pictures")
        shown = {**model_settings, **({} if schedule is None else {"schedule": schedule})}
        if shown:
            console.say("settings " + ", ".join(f"{key}={value}" for key, value in shown.items()))
        if computing.title:
            console.say(computing.title)
        if weights is None and network.preprocessing.mean is not None:
            console.say(f"pictures {network.preprocessing.in_words()}")
        written = {**console.facts, **written}
        return go(folder, checkpoints, network, dataset, examples, config, written, console, tracking, processes)


def tables_of(labels: Any, data: Any) -> tuple[list[Path], Any]:
    """The files of labels, and the data: beside the first of them where none are named."""
    tables = [path_of(one, "labels") for one in (labels if isinstance(labels, list | tuple) else [labels]) if one]
    return tables, tables[0].parent if tables and data == DATA else data


def go(
    folder: Inside,
    checkpoints: Checkpoints | None,
    network: Model,
    dataset: Dataset,
    examples: tuple[Examples, Examples | None],
    config: TrainConfig,
    record: Mapping[str, Any],
    console: Console,
    tracking: Tracking,
    processes: Processes,
    *,
    resume: Saved | None = None,
) -> Run:
    """Train, and unless somebody stopped it draw and judge.

    folder: locked by whoever calls. checkpoints: None in a process that leaves folder, drawing and judging to rank 0.
    tracking: where the numbers go besides. resume: as in `run_training`.
    """
    from pellucid.runs.training import On, run_training
    from pellucid.train import TrainingStarted

    with console.watching() as listeners, each_by_itself():
        try:
            history = run_training(
                network,
                *examples,
                config,
                folder if checkpoints is not None else None,
                augment=augment_for(dataset, config),
                listeners=[*(tracking.listeners(folder, record) if checkpoints is not None else ()), *listeners],
                about={"data": dataset.name},
                doctor=record["training"]["doctor"],
                test=None if dataset.held_out is dataset.test else dataset.test.images,
                checkpoints=checkpoints,
                resume=resume,
                processes=processes,
                # the first checkpoint stands by then, so a run that has this file can go on
                first=[On(TrainingStarted, lambda _: write_record(folder, dict(record)))],
            )
        except CheckpointError as error:  # a full disk
            if not (folder / RUN_FILE).is_file():
                raise
            raise CheckpointError(f'{error}; then go on with resume_run("{folder}")') from error
    if not any(told == "stopped" for told in processes.gather("stopped" if console.stopped else "")):
        try:
            if checkpoints is not None:
                draw(folder, console)
            report(folder, dataset, history, config, console, processes)
        except KeyboardInterrupt:
            console.note(f'interrupted after all epochs; resume_run("{folder}") draws and judges')
            raise
    return Run(folder, network, history, dataset, config)
