"""What `pellucid train` sets up before it trains: settings, data, and a network for both."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pellucid.cli.progress import WorkBar
from pellucid.cli.settings import divide

if TYPE_CHECKING:
    from pellucid.datasets import Dataset
    from pellucid.model import Sequential
    from pellucid.optimizers import Optimizer
    from pellucid.train import Examples, TrainConfig

SCHEDULED = {"photo-net": {"schedule": "cosine"}}
"""Networks whose learning rate falls to zero over the run: batch norm's last epochs are restless without."""
SMALL_PICTURES = {("simple-convnet", "digits"): {"pad": 2, "weight_init_std": "he"}}
"""Settings for data that a network was not made for: digits of 8 x 8 are small for kernels of 5 x 5."""
NOT_MIRRORED = ("digits", "mnist")
"""Data whose classes a mirror would change: augmentation shifts these and does not flip them."""


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
