"""What the lab begins with: a network and pictures that fit each other, by the network's own recipe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pellucid._progress import WorkBar
from pellucid.datasets import Dataset
from pellucid.datasets.dataset import Split
from pellucid.errors import ConfigError, shown
from pellucid.model import Model
from pellucid.runs.folder import find_folder, find_model, read_record
from pellucid.runs.setup import DATA, RESIZE, build, load_data, naming, settle, standardized

HELD_OUT = 0.2
"""The share of a pair (images, labels) that is held out to judge by."""

BATCH_SIZE, AUGMENT = 32, "standard"
"""Where no recipe says otherwise."""


@dataclass(frozen=True)
class Start:
    """A compiled network, its data, the pictures of a step, and what augmentation is when it is switched on."""

    model: Model
    dataset: Dataset
    batch_size: int = BATCH_SIZE
    augment: str = AUGMENT
    augmented: bool = False


def prepare(model: Any = None, data: Any = None, *, seed: int = 0) -> Start:
    """A network by name, from a file or a run, or itself, and the data that it is trained on.

    Errors: as `train_run`; ConfigError where nothing says which data belong to a model.
    """
    data = dataset_of(data) if isinstance(data, tuple | list) else data
    named = isinstance(model, str | Path) and _is_file(model)
    if model is None or (isinstance(model, str) and not named):
        return _by_recipe(model, data or DATA, seed)
    if named:
        return _with_data(*_opened(Path(model), data))
    if not isinstance(model, Model):
        raise ConfigError(f"lab: a model is a Model, a network's name, a run or a file, got {shown(model)}")
    return _with_data(model, data or model.trained_on.get("data") or DATA)


def dataset_of(pair: Sequence[Any]) -> Dataset:
    """(images, labels), or (images, labels, test images, test labels), as a Dataset; of a pair a part is held out.

    Errors: ConfigError for anything else.
    """
    if len(pair) not in (2, 4):
        raise ConfigError(
            f"lab: data is (images, labels) or these twice, to learn from and to judge by, got {len(pair)}"
        )
    arrays = [np.asarray(each) for each in pair]
    images, labels = (arrays[0][..., None] if arrays[0].ndim == 3 else arrays[0]), arrays[1].reshape(len(arrays[1]), -1)
    classes = labels.argmax(axis=1) if labels.shape[1] > 1 else labels[:, 0].astype(np.int64)
    train = Split(images, classes)
    if len(pair) == 4:
        test = dataset_of(pair[2:]).train
        names = tuple(map(str, range(int(max(classes.max(), test.labels.max())) + 1)))
        return Dataset("own data", train, test, names, "given")
    names = tuple(map(str, range(int(classes.max()) + 1)))
    parted = Dataset("own data", train, train, names, "given").with_validation(HELD_OUT, seed=0)
    held = parted.held_out
    return replace(parted, test=held, validation=held)


def _is_file(model: str | Path) -> bool:
    path = Path(model)
    return isinstance(model, Path) or path.exists() or bool(path.suffix) or path.name != model


def _by_recipe(model: str | None, data: str | Dataset, seed: int) -> Start:
    from pellucid import zoo

    name = data.name if isinstance(data, Dataset) else str(data)
    builder, network = naming(model, data, None)
    recipe = zoo.recipe(network, name)
    settings, optimizer, loss, _ = settle(builder, None, None, None, {}, recipe)
    dataset = _load(data, None)
    made = build(builder, dataset, RESIZE, seed, settings, None)
    if recipe.standardize:
        with WorkBar() as bar:
            made.preprocessing = standardized(made.preprocessing, dataset.train.images, bar)
    made.compile(optimizer, loss)
    none = recipe.augment == "none"
    return Start(made, dataset, recipe.batch_size, AUGMENT if none else recipe.augment, not none)


def _opened(path: Path, data: str | Dataset | None) -> tuple[Model, str | Dataset]:
    """A model from a run or a file, and the data that its run was given."""
    from pellucid.model.file import load

    model, folder = load(find_model(path)), find_folder(path)
    if data is not None:
        return model, data
    if folder is not None:
        loading = read_record(folder)["data"]["loading"]
        size = loading["size"]
        with WorkBar() as bar:
            return model, load_data(**{**loading, "size": tuple(size) if isinstance(size, list) else size}, bar=bar)
    known = model.trained_on.get("data")
    if not isinstance(known, str) or known == dataset_name(None):
        raise ConfigError(f"{path}: nothing says which data belong to it; name them with --data")
    return model, known


def dataset_name(dataset: Dataset | None) -> str:
    """What data without a name are called."""
    return "own data" if dataset is None else dataset.name


def _with_data(model: Model, data: str | Dataset) -> Start:
    dataset = _load(data, model)
    model.build(None if model.built else dataset.image_shape)
    if tuple(dataset.image_shape) != tuple(model.input_shape):
        raise ConfigError(
            f"{model.name} takes pictures {tuple(model.input_shape)}, {dataset.name} has {tuple(dataset.image_shape)}"
        )
    if model.class_names is None and len(dataset.class_names) == model.output_shape[-1]:
        model.class_names = tuple(dataset.class_names)
    if model.compiled_config() is None:
        model.compile("adam", "categorical_crossentropy")
    return Start(model, dataset)


def _load(data: str | Dataset, like: Model | None) -> Dataset:
    fit = None if like is None else like.preprocessing
    built = like is not None and like.built
    size = (like.input_shape[0], like.input_shape[1]) if built and like is not None else None
    channels = like.input_shape[-1] if built and like is not None else None
    with WorkBar() as bar:
        return load_data(
            data, size=size, channels=channels, resize=fit.resize if fit else RESIZE, validation=None, seed=0,
            limit=None, test_limit=None, bar=bar,
        )  # fmt: skip
