"""What a run sets up before it trains: settings, data, and a network for both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pellucid._fixed import is_own
from pellucid._progress import WorkBar
from pellucid.errors import ConfigError, shown, unknown_name
from pellucid.model.inputs import SEVERAL

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pellucid.datasets import Dataset
    from pellucid.datasets.augmentation import Augmentation
    from pellucid.datasets.dataset import Pictures
    from pellucid.datasets.transforms import Preprocessing
    from pellucid.losses import Loss
    from pellucid.model import Model
    from pellucid.optimizers import Optimizer
    from pellucid.train import Examples, TrainConfig
    from pellucid.zoo import Recipe

DATA, MODEL, FOLDER_MODEL, MASKS_MODEL, RESIZE = "digits", "simple-convnet", "photo-net", "unet", "crop"
"""What is trained on what, and how pictures of other shapes are fitted, where nothing is said."""

FINE_TUNE_RATE = 1 / 30
"""The learning rate of fine-tuning, as a share of the head's."""

NOT_MIRRORED = ("digits", "mnist")
"""Data whose classes a mirror would change: augmentation shifts these and does not flip them."""


def naming(model: str | Model | None, data: str | Dataset, source: Model | None) -> tuple[str | None, str]:
    """The builder's name, None where the layers are there or come with the weights of `source`; the network's name."""
    from pellucid import zoo
    from pellucid.datasets.masks import has_masks
    from pellucid.datasets.sources import is_folder
    from pellucid.model import Model

    if model is None and source is not None:
        return None, source.name
    if isinstance(model, Model):
        return None, model.name
    if model is not None and not isinstance(model, str):
        raise ConfigError(f"model must be a network's name or a Model, got {shown(model)}")
    if isinstance(data, str):
        folder = is_folder(data)
        masks = folder and has_masks(Path(data))
    else:
        masks, folder = data.train.per_pixel, False
    name = zoo.standard_name(model or (MASKS_MODEL if masks else FOLDER_MODEL if folder else MODEL))
    return name, name


def settle(
    model: str | None,
    optimizer: str | Optimizer | None,
    lr: float | None,
    loss: str | Loss | None,
    given: Mapping[str, Any],
    recipe: Recipe,
) -> tuple[dict[str, Any], Optimizer, Loss, str | None]:
    """The network's own settings, the optimizer and the loss with theirs, and the schedule's name.

    model: None for a network whose layers are there already; arguments of layers can still be set. An optimizer or loss
    given as an object is made anew from its config, with its settings.
    Errors: ConfigError for an unknown network, optimizer, loss or setting, and for an object of a user's own class.
    """
    from pellucid import losses, optimizers, zoo

    of_network = [] if model is None else list(zoo.options_of(model))
    optimizer, loss = optimizer or recipe.optimizer, loss or recipe.loss
    usual, judge = _written("optimizer", optimizers.get(optimizer)), _written("loss", losses.get(loss))
    if isinstance(optimizer, str) and optimizer.lower() == recipe.optimizer:
        usual |= recipe.of_optimizer
    usual_schedule = None if isinstance(usual["learning_rate"], dict) else recipe.schedule  # it may have its own
    settings = {**(recipe.settings if model else {}), "schedule": usual_schedule, **given}
    owners = [
        (model or "the network", [*of_network, *(key for key in settings if "." in key)]),
        (_called(optimizer), [key for key in usual if key != "type"]),
        (_called(loss), [key for key in judge if key != "type"]),
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


def _written(role: str, chosen: Optimizer | Loss) -> dict[str, Any]:
    """What a run keeps of an optimizer or a loss, and is made from when it goes on.

    Errors: ConfigError for one of a class of the user's own, which that cannot be.
    """
    if is_own(chosen):
        raise ConfigError(
            f"{role}={type(chosen).__name__}(...): a run cannot write down a class of your own, so it could not be "
            "resumed; compile the model with it and call fit"
        )
    return chosen.config()


def _called(given: str | Optimizer | Loss) -> str:
    return given if isinstance(given, str) else type(given).__name__


def divide(settings: Mapping[str, Any], owners: Sequence[tuple[str, Iterable[str]]]) -> list[dict[str, Any]]:
    """The settings of each owner: the first that has an argument of that name.

    Errors: ConfigError with the nearest right name if nobody has it.
    """
    shares: list[dict[str, Any]] = [{} for _ in owners]
    names = [set(arguments) for _, arguments in owners]
    for key, value in settings.items():
        place = next((index for index, known in enumerate(names) if key in known), None)
        if place is None:
            kind = "setting of " + " or ".join(owner for owner, _ in owners)
            raise unknown_name(kind, key, set().union(*names))
        shares[place][key] = value
    return shares


def fit_schedule(optimizer: Optimizer, schedule: str | None, config: TrainConfig, pictures: int) -> None:
    """Let the learning rate follow a schedule by name over a run, from where it stands; None: leave it as it is.

    Fine-tuning has its own, from FINE_TUNE_RATE of that. pictures: how many there are to learn from.
    Errors: ConfigError for an unknown schedule.
    """
    from pellucid import schedules

    start, steps = optimizer.learning_rate_at(0), -(-pictures // config.batch_size)

    def over(epochs: int, share: float = 1.0) -> schedules.Schedule:
        usual = schedules.get(optimizer.learning_rate) if share == 1 else schedules.Constant(share * start)
        if schedule is None:
            return usual
        return schedules.get(schedule, learning_rate=share * start, steps=max(epochs * steps, 1))

    rate = over(config.frozen_epochs)
    if config.fine_tune_from is not None:
        tuned = over(config.epochs - config.frozen_epochs, FINE_TUNE_RATE)
        rate = schedules.Stages(rate, config.frozen_epochs * steps, tuned) if config.frozen_epochs else tuned
    optimizer.learning_rate = rate


def absolute(place: str | None, *, table: bool = False) -> str | None:
    """A folder, or a table's file, by its whole path, so that it is found from anywhere; else what was given."""
    from pellucid.datasets.sources import is_folder

    there = place is not None and (is_folder(place) or (table and Path(place).is_file()))
    return str(Path(place).resolve()) if place is not None and there else place


def load_data(
    data: str | Dataset,
    *,
    size: int | tuple[int, int] | None,
    channels: int | None,
    resize: str,
    validation: str | None,
    seed: int,
    limit: int | None,
    test_limit: int | None,
    labels: Sequence[str] = (),
    columns: Mapping[str, Any] | None = None,
    mapped: bool = False,
    bar: WorkBar,
) -> Dataset:
    """The data set, cut to its limits before a validation share is taken from it. mapped: as of `datasets.load`."""
    from pellucid import datasets
    from pellucid.datasets.sources import is_folder

    bar.busy("reading pictures")
    share = fraction(validation)
    named = not isinstance(data, str) or not is_folder(data)
    if named and validation is not None and share is None:
        held_folder: float | str | None = validation  # refused by load, with the reason
    else:
        held_folder = None if named else share if share is not None else validation
    if isinstance(data, str):
        asked: dict[str, Any] = {"size": size, "channels": channels, "resize": resize, "seed": seed}
        asked |= {"labels": list(labels) or None, "columns": columns, "validation": held_folder, "mapped": mapped}
        dataset = datasets.load(data, **asked, progress=bar)
    elif labels:
        raise ConfigError("labels are for a folder; a Dataset has its own: datasets.load(FOLDER, labels=...) makes it")
    elif held_folder is None:
        dataset = data
    else:
        raise ConfigError(f"validation must be a share such as 0.1 where data is a Dataset, got {held_folder!r}")
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


def build(
    model: str | Model | None,
    dataset: Dataset,
    resize: str,
    seed: int,
    settings: dict[str, Any],
    source: Model | None,
) -> Model:
    """The network for this data, with the data's names and background in it.

    model: its name, or itself; None for one with the layers of `source`. source: the network whose weights it will
    take, and for which pictures are scaled.
    """
    from pellucid import transfer, zoo
    from pellucid.model.background import facts_of_pictures
    from pellucid.zoo.changes import change_layers

    height, width, channels = shape = dataset.image_shape
    classes = len(dataset.class_names)
    if isinstance(model, str):
        network = zoo.build(model, input_shape=shape, classes=classes, seed=seed, options=settings)
    elif model is not None:
        model.build(None if model.built else shape)
        network = change_layers(model, settings) if settings else model
    elif source is not None:
        network = transfer.like(source, input_shape=shape, classes=classes, seed=seed)
        network = change_layers(network, settings) if settings else network
    if dataset.train.several:
        network = with_sigmoid(network, own=network is model)
    pixels = dataset.train.per_pixel
    if pixels != (len(network.graph.output_shape) > 1):
        gives = "one answer a picture" if pixels else "a class for each pixel"
        holds = "masks, a class for each pixel" if pixels else "one class a picture"
        other = (MASKS_MODEL if pixels else FOLDER_MODEL) + ("" if source is None else ", without these weights")
        raise ConfigError(
            f"{network.name} gives {gives}, and {dataset.name} has {holds}; take another network: {other}"
        )
    scaling = (network if source is None else source).preprocessing
    network.preprocessing = replace(scaling, size=(height, width), resize=resize, channels=channels)
    network.class_names = tuple(dataset.class_names)
    network.trained_on = {
        "data": dataset.name,
        "pictures": len(dataset.train),
        **({SEVERAL: True} if dataset.train.several else {}),
        **facts_of_pictures(dataset.train.images),
    }
    return network


def with_sigmoid(network: Model, *, own: bool) -> Model:
    """The network with a sigmoid for each label in place of the softmax over all of them, as several may be right.

    own: it is the user's, who is told to change it.
    Errors: ConfigError for such a one that ends in a softmax.
    """
    from pellucid.zoo.changes import change_layers

    last = network.graph.last
    if last is None or last.nonlinearity is None or last.nonlinearity.kind != "softmax":
        return network
    if own:
        raise ConfigError(
            f"{network.name} ends in a softmax, which gives one label a picture, and these have several; end it in "
            'activation="sigmoid"'
        )
    change = {"activation": "sigmoid"} if hasattr(last, "activation") else {"type": "Sigmoid"}
    return change_layers(network, {f"{last.name}.{name}": value for name, value in change.items()})


def standardized(scaling: Preprocessing, images: NDArray[np.uint8] | Pictures, bar: WorkBar) -> Preprocessing:
    """The same fitting to size, with each channel of these pictures brought to mean 0 and deviation 1."""
    from pellucid.datasets.transforms import Standardize

    measured = Standardize.fit(images, progress=bar)
    return replace(scaling, scale=1 / 255, mean=measured.mean, std=measured.std)


def augment_for(dataset: Dataset, config: TrainConfig) -> Augmentation | None:
    """What changes the pictures in each epoch. Errors: ConfigError for an unknown kind or amount."""
    from pellucid.datasets.augmentation import Augmentation

    return Augmentation.of(config.augment, mirror=dataset.name not in NOT_MIRRORED)


def prepare(network: Model, dataset: Dataset, config: TrainConfig) -> tuple[Examples, Examples | None]:
    """The pictures to learn from and those to watch, checked against the network; its optimizer's moments made."""
    from pellucid.model.inputs import make_examples
    from pellucid.train.feeding import check_augmentation

    augmentation = augment_for(dataset, config)
    held = dataset.held_out
    network.prepare_slots()
    examples = make_examples(
        network,
        dataset.train.images,
        dataset.train.labels,
        config.class_weight,
        None,
        validation_data=(held.images, held.labels),
    )
    if augmentation is not None:  # what is wrong with it is said before anything is written
        check_augmentation(augmentation, network, examples[0])
    return examples
