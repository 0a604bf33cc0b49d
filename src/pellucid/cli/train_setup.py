"""What `pellucid train` sets up before it trains: settings, data, and a network for both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pellucid.cli.progress import WorkBar
from pellucid.cli.recipes import Recipe
from pellucid.cli.settings import divide

if TYPE_CHECKING:
    from pellucid.datasets import Dataset
    from pellucid.losses import Loss
    from pellucid.model import Sequential
    from pellucid.optimizers import Optimizer
    from pellucid.train import Examples, TrainConfig

NOT_MIRRORED = ("digits", "mnist")
"""Data whose classes a mirror would change: augmentation shifts these and does not flip them."""


def settle(
    model: str, optimizer: str | None, lr: float | None, loss: str | None, given: Mapping[str, Any], recipe: Recipe
) -> tuple[dict[str, Any], Optimizer, Loss, str | None]:
    """The network's own settings, the optimizer and the loss with theirs, and the schedule's name.

    Errors: ConfigError for an unknown network, optimizer, loss or setting.
    """
    from pellucid import losses, optimizers, zoo

    settings = {**recipe.settings, **given}
    optimizer, loss = optimizer or recipe.optimizer, loss or recipe.loss
    usual = optimizers.get(optimizer).config()
    if optimizer.lower() == recipe.optimizer:
        usual |= recipe.optimizer_settings
    judge = losses.get(loss).config()
    owners = [
        (model, [*zoo.options_of(model), *(key for key in settings if "." in key)]),
        (optimizer, [key for key in usual if key != "type"]),
        (loss, [key for key in judge if key != "type"]),
        ("train", ["schedule"]),
    ]
    of_model, of_optimizer, of_loss, of_training = divide(settings, owners)
    if lr is not None:
        of_optimizer["learning_rate"] = lr
    schedule = of_training.get("schedule")
    return (
        of_model,
        optimizers.from_config(usual | of_optimizer),
        losses.get(judge | of_loss),
        None if schedule is None else str(schedule),
    )


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
    from pellucid.inputs import input_range

    height, width, channels = dataset.image_shape
    network = zoo.build(
        name, input_shape=(height, width, channels), classes=len(dataset.class_names), seed=seed, options=settings
    )
    network.preprocessing = replace(network.preprocessing, size=(height, width), resize=resize, channels=channels)
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
