"""`pellucid train`: data, a network and settings become a run folder."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pellucid.cli.interrupt import Interrupt
from pellucid.cli.output import note, percent
from pellucid.cli.progress import WorkBar
from pellucid.cli.run import LAST_FILE, LOG_FILE, MODEL_FILE, make_run_folder, title_of, write_record
from pellucid.cli.settings import divide, parse

if TYPE_CHECKING:
    from pellucid.datasets import Dataset
    from pellucid.model import Sequential
    from pellucid.optimizers import Optimizer
    from pellucid.train import Examples, Listener, TrainConfig

EPOCHS, BATCH_SIZE = 20, 32
SCHEDULED = {"photo-net": {"schedule": "cosine"}}
"""Networks whose learning rate falls to zero over the run: batch norm's last epochs are restless without."""
SMALL_PICTURES = {("simple-convnet", "digits"): {"pad": 2, "weight_init_std": "he"}}
"""Settings for data that a network was not made for: digits of 8 x 8 are small for kernels of 5 x 5."""
NOT_MIRRORED = ("digits", "mnist")
"""Data whose classes a mirror would change: augmentation shifts these and does not flip them."""

EXAMPLES = (
    "A small network on small digits, in seconds:\n\n   pellucid train\n\n"
    "The book's network on MNIST:\n\n"
    "   pellucid train simple-convnet --data mnist --epochs 20 --batch-size 100 --optimizer adam --lr 0.001\n\n"
    "A folder with one sub-folder a class (cats/, dogs/, ...):\n\n   pellucid train --data photos/\n\n"
    "Other settings of the network and the optimizer, by their own names:\n\n"
    "   pellucid train --optimizer sgd --set momentum=0.9 --set hidden_size=50\n\n"
    "A learning rate that changes over the run (constant, step, cosine, warm_up):\n\n"
    "   pellucid train --set schedule=cosine"
)


def train(
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="MODEL",
            help="simple-convnet, lenet5, cifar-net, alexnet, vgg11, vgg13, vgg16, vgg19 or photo-net. "
            "Default: photo-net for a folder, else simple-convnet.",
        ),
    ] = None,
    data: Annotated[
        str,
        typer.Option(
            metavar="NAME|FOLDER",
            help="digits, mnist, fashion-mnist, cifar10, or a folder with one sub-folder a class.",
        ),
    ] = "digits",
    validation: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER|FRACTION",
            help="What the best epoch is judged on: a folder, or a share of the training pictures such as 0.1. "
            "Default: the data's own validation part, else its test part.",
        ),
    ] = None,
    epochs: Annotated[int, typer.Option(metavar="N", help="Passes over the training pictures.")] = EPOCHS,
    batch_size: Annotated[int, typer.Option(metavar="N", help="Pictures in a training step.")] = BATCH_SIZE,
    optimizer: Annotated[
        str, typer.Option(metavar="NAME", help="sgd, momentum, nesterov, adagrad, rmsprop, adadelta, adam, adamw.")
    ] = "adam",
    lr: Annotated[float | None, typer.Option(metavar="X", help="Learning rate. Default: the optimizer's own.")] = None,
    loss: Annotated[str, typer.Option(metavar="NAME", help="Such as categorical_crossentropy, mse, mae.")] = (
        "categorical_crossentropy"
    ),
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="An argument of the network or the optimizer. Repeatable."),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(metavar="N", help="Bring every picture to N x N. Default: as the data has it; folders 128."),
    ] = None,
    resize: Annotated[
        str, typer.Option(metavar="crop|pad|stretch", help="How a picture of another shape becomes square.")
    ] = "crop",
    augment: Annotated[
        str | None,
        typer.Option(
            metavar="none|standard",
            help="standard shifts pictures by up to an eighth, and mirrors them (not digits). "
            "Default: standard for photo-net, else none.",
        ),
    ] = None,
    class_weight: Annotated[
        str | None, typer.Option(metavar="balanced", help="Let rare classes count as much as common ones.")
    ] = None,
    patience: Annotated[
        int | None, typer.Option(metavar="N", help="Stop when N epochs in a row brought nothing better.")
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Same seed, same result to the last bit.")] = 0,
    limit: Annotated[int | None, typer.Option(metavar="N", help="Train on the first N pictures only.")] = None,
    test_limit: Annotated[int | None, typer.Option(metavar="N", help="Test on the first N pictures only.")] = None,
    threads: Annotated[int | None, typer.Option(metavar="N", help="Default: every core this process may use.")] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="RUN", help="The run folder. Default: runs/MODEL-DATA-NNN, a new one.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only the result.")] = False,
) -> None:
    """Train a network, and leave a run folder: the best model, the last one, log, curves and filters."""
    from pellucid import ops, zoo
    from pellucid.datasets.transforms import augmentation
    from pellucid.train import Progress, TrainConfig, run_training

    if threads is not None:
        ops.set_num_threads(threads)
    name = zoo.standard_name(model or ("photo-net" if Path(data).is_dir() else "simple-convnet"))
    chosen_augment = augment or ("standard" if name == "photo-net" else "none")
    config = TrainConfig(
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
        patience=patience,
        augment=chosen_augment,
        class_weight=class_weight,
    )
    usual = {**SMALL_PICTURES.get((name, data), {}), **SCHEDULED.get(name, {})}
    model_settings, chosen_optimizer, schedule = settle(name, optimizer, lr, {**usual, **parse(settings or [])})
    with WorkBar(quiet=quiet) as bar:
        dataset = load_data(
            data,
            size=size,
            resize=resize,
            validation=validation,
            seed=seed,
            limit=limit,
            test_limit=test_limit,
            bar=bar,
        )
    for file, reason in dataset.skipped:
        note(f"left out {file}: {reason}")
    network = build(name, dataset, resize, seed, model_settings)
    fit_schedule(chosen_optimizer, schedule, epochs * -(-len(dataset.train) // batch_size))
    network.compile(chosen_optimizer, loss)
    examples, watched = prepare(network, dataset, config)
    augmenting = augmentation(config.augment, dataset.image_shape, mirror=dataset.name not in NOT_MIRRORED)
    folder = make_run_folder(out, name, data)  # only now: whatever is wrong with the arguments has been said
    training = {**config.to_json(), "optimizer": network.optimizer.config(), "loss": loss}
    write_record(folder, record(name, model_settings, network, data, dataset, resize, validation, training))
    print(f"{name} ({network.count_params():,} parameters) on {dataset.name}: {len(dataset.train):,} pictures")
    told = {**model_settings, **({} if schedule is None else {"schedule": schedule})}
    if told:
        print("settings " + ", ".join(f"{key}={value}" for key, value in told.items()))
    with Interrupt() as interrupt, Progress(sys.stderr) as progress:
        listeners: list[Listener] = [interrupt] if quiet else [interrupt, progress]
        about = {"data": dataset.name}
        run_training(network, examples, watched, config, folder, augment=augmenting, listeners=listeners, about=about)
    draw(folder)
    report(folder, dataset)
    if interrupt.status is not None:
        raise typer.Exit(interrupt.status)


def settle(
    model: str, optimizer: str, lr: float | None, settings: dict[str, Any]
) -> tuple[dict[str, Any], Optimizer, str | None]:
    """The builder's own settings, the optimizer with its settings, and the schedule's name.

    Errors: ConfigError for an unknown network, optimizer or setting.
    """
    from pellucid import optimizers, zoo

    default = optimizers.get(optimizer)
    known = [key for key in default.config() if key != "type"]
    shares = divide(settings, [(model, zoo.options_of(model)), (optimizer, known), ("train", ["schedule"])])
    chosen = {**default.config(), **shares[1], **({} if lr is None else {"learning_rate": lr})}
    schedule = shares[2].get("schedule")
    return shares[0], optimizers.from_config(chosen), None if schedule is None else str(schedule)


def fit_schedule(optimizer: Optimizer, schedule: str | None, steps: int) -> None:
    """Let the learning rate follow a schedule by name over a run of so many steps, from where it stands.

    Errors: ConfigError for an unknown schedule.
    """
    from pellucid import schedules

    if schedule is not None:
        start = optimizer.learning_rate_at(0)
        optimizer.learning_rate = schedules.get(schedule, learning_rate=start, steps=max(steps, 1))


def load_data(
    data: str,
    *,
    size: int | None,
    resize: str,
    validation: str | None,
    seed: int,
    limit: int | None,
    test_limit: int | None,
    bar: WorkBar,
) -> Dataset:
    """The data set, cut to its limits before a validation share is taken from it."""
    from pellucid import datasets

    share = fraction(validation)
    named = not Path(data).is_dir()
    if named and validation is not None and share is None:
        held_folder: float | str | None = validation  # refused by load, with the reason
    else:
        held_folder = None if named else share if share is not None else validation
    dataset = datasets.load(data, size=size, resize=resize, validation=held_folder, seed=seed, progress=bar)
    watched_is_test = dataset.validation is dataset.test
    if limit is not None:
        dataset = replace(dataset, train=dataset.train.take(limit))
    if test_limit is not None:
        test = dataset.test.take(test_limit)
        dataset = replace(dataset, test=test, validation=test if watched_is_test else dataset.validation)
    return dataset.with_validation(share, seed=seed) if named and share is not None else dataset


def fraction(validation: str | None) -> float | None:
    """A validation share as a number, None where the text is a folder.

    >>> fraction("0.1"), fraction("photos/held")
    (0.1, None)
    """
    try:
        return None if validation is None else float(validation)
    except ValueError:
        return None


def build(name: str, dataset: Dataset, resize: str, seed: int, settings: dict[str, Any]) -> Sequential:
    """The network for this data, with the data's scaling, names and background in it."""
    from pellucid import zoo
    from pellucid.cli.background import border_mean
    from pellucid.datasets.transforms import Preprocessing
    from pellucid.inputs import input_range

    height, width, channels = dataset.image_shape
    network = zoo.build(
        name, input_shape=(height, width, channels), classes=len(dataset.class_names), seed=seed, options=settings
    )
    network.preprocessing = Preprocessing(size=(height, width), resize=resize, channels=channels)
    network.class_names = tuple(dataset.class_names)
    network.trained_on = {
        "data": dataset.name,
        "pictures": len(dataset.train),
        "range": input_range(dataset.train.images),
        "background": border_mean(dataset.train.images[:256]),
    }
    return network


def prepare(network: Sequential, dataset: Dataset, config: TrainConfig) -> tuple[Examples, Examples | None]:
    """The pictures to learn from and those to watch, checked against the network; its optimizer's moments made."""
    from pellucid.inputs import make_examples

    held = dataset.held_out
    network.prepare_slots()
    return make_examples(
        network,
        dataset.train.images,
        dataset.train.labels,
        config.class_weight,
        None,
        validation_data=(held.images, held.labels),
    )


def record(
    name: str,
    settings: dict[str, Any],
    network: Sequential,
    data: str,
    dataset: Dataset,
    resize: str,
    validation: str | None,
    training: dict[str, Any],
) -> dict[str, Any]:
    """What made this run, as it goes into run.json.

    `held_out` names the folder that --validation gave, where its pictures are the test part too.
    """
    import platform

    import numpy as np

    from pellucid import ops
    from pellucid.cli.version import installed_version

    backend = ops.backend()
    parts = {"train": dataset.train, "test": dataset.test}
    if dataset.validation is not None and dataset.validation is not dataset.test:
        parts["validation"] = dataset.validation
    named = not Path(data).is_dir()
    elsewhere = validation is not None and Path(validation).is_dir() and dataset.validation is dataset.test
    held_out = str(Path(validation).resolve()) if validation is not None and elsewhere else None
    return {
        "command": sys.argv[1:],
        "model": {"name": name, "settings": settings, "input_shape": list(network.input_shape)},
        "data": {
            "name": dataset.name,
            "load": data if named else str(Path(data).resolve()),
            "folder": not named,
            "resize": resize,
            "class_names": list(dataset.class_names),
            "pictures": {part: len(split) for part, split in parts.items()},
            "files": {part: split.files for part, split in parts.items() if split.files is not None},
            "held_out": held_out,
        },
        "training": training,
        "versions": {"pellucid": installed_version(), "python": platform.python_version(), "numpy": np.__version__},
        "backend": {"name": backend.name, "instruction_set": backend.instruction_set, "threads": backend.threads},
    }


def draw(folder: Path) -> None:
    """The run's two pictures, as far as there is something to draw."""
    from pellucid.cli.show import draw_filters
    from pellucid.errors import PellucidError
    from pellucid.visualise import curves_figure, read_log, write_figure

    try:
        write_figure(curves_figure(read_log(folder / LOG_FILE), title=title_of(folder)), folder / "curves.png")
        write_figure(draw_filters(folder, None, "common"), folder / "filters.png")
    except PellucidError as error:  # a run that was stopped in its first epoch is still a run
        note(f"no picture drawn: {error}")


def report(folder: Path, dataset: Dataset) -> None:
    """Judge the epoch kept on the test pictures, and say where everything is.

    Where that epoch was chosen on the test pictures themselves its result flatters, so the last epoch's is told too.
    """
    print(f"test {judge(folder / MODEL_FILE, dataset)} on {len(dataset.test):,} pictures")
    if dataset.held_out is dataset.test:
        print(f"last {judge(folder / LAST_FILE, dataset)} after the last epoch")
        note("(the epoch kept is the best on these same pictures; --validation 0.1 chooses it on others)")
    print(f"run {folder}")


def judge(file: Path, dataset: Dataset) -> str:
    """A model file's result on the test pictures, in words."""
    from pellucid.model_file import load

    result = load(file).evaluate(dataset.test.images, dataset.test.labels, verbose=0)
    loss = f"loss {result['loss']:.4f}"
    return f"accuracy {percent(result['accuracy'])}, {loss}" if "accuracy" in result else loss
