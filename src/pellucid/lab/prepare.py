"""What the lab begins with: a network and pictures that fit each other, by the network's own recipe."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pellucid._progress import WorkBar
from pellucid.datasets import Dataset
from pellucid.datasets.dataset import Split
from pellucid.errors import ConfigError, shown
from pellucid.files.inside import Inside
from pellucid.model import Model
from pellucid.runs.folder import CHECKPOINTS, MODEL_FILE, find_folder, find_model, is_network, read_record
from pellucid.runs.setup import DATA, RESIZE, absolute, build, load_data, naming, settle, standardized
from pellucid.train import Checkpoints, Saved
from pellucid.train.resume import training_facts

HELD_OUT = 0.2
"""The share of a pair (images, labels) that is held out to judge by."""

BATCH_SIZE, AUGMENT = 32, "standard"
"""Where no recipe says otherwise."""


@dataclass(frozen=True)
class Start:
    """A compiled network, its data, the pictures of a step, and what augmentation is when it is switched on.

    loading: how the data were loaded, see `load_data`; None where they came as arrays. resume: the checkpoint that the
    training goes on from, and `folder`, where it lies.
    """

    model: Model
    dataset: Dataset
    batch_size: int = BATCH_SIZE
    augment: str = AUGMENT
    augmented: bool = False
    loading: Mapping[str, Any] | None = None
    resume: Saved | None = None
    folder: Path | None = None


def prepare(model: Any = None, data: Any = None, *, seed: int = 0) -> Start:
    """A network by name, from a file or a run, or itself, and the data that it is trained on.

    Errors: as `train_run`; ConfigError where nothing says which data belong to a model.
    """
    data = dataset_of(data) if isinstance(data, tuple | list) else data
    named = isinstance(model, str | Path) and _is_file(model)
    if model is None or (isinstance(model, str) and not named):
        return _by_recipe(model, data or DATA, seed)
    if named:
        return _opened(Path(model), data)
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
    return isinstance(model, Path) or (
        not is_network(model) and (path.exists() or bool(path.suffix) or path.name != model)
    )


def _by_recipe(model: str | None, data: str | Dataset, seed: int) -> Start:
    from pellucid import zoo

    name = data.name if isinstance(data, Dataset) else str(data)
    builder, network = naming(model, data, None)
    recipe = zoo.recipe(network, name)
    settings, optimizer, loss, _ = settle(builder, None, None, None, {}, recipe)
    dataset, loading = _load(data, None)
    made = build(builder, dataset, RESIZE, seed, settings, None)
    if recipe.standardize:
        with WorkBar() as bar:
            made.preprocessing = standardized(made.preprocessing, dataset.train.images, bar)
    made.compile(optimizer, loss)
    none = recipe.augment == "none"
    augment = AUGMENT if none else recipe.augment
    return Start(made, dataset, recipe.batch_size, augment, not none, loading)


def _opened(path: Path, data: str | Dataset | None) -> Start:
    """A model from a run or a file, on the data that its run was given; a training of the lab's, as far as it is."""
    from pellucid.convert import load
    from pellucid.model.file import model_of

    saved, folder = _checkpoint(path), find_folder(path)
    model = load(find_model(path)) if saved is None else model_of(saved.path, saved.tensors, saved.facts)
    known = model.trained_on.get("data")
    if data is None and folder is not None:
        start = _with_data(model, None, read_record(folder)["data"]["loading"])
    elif data is not None or (isinstance(known, str) and known != dataset_name(None)):
        start = _with_data(model, known if data is None else data)
    else:
        raise ConfigError(f"{path}: nothing says which data belong to it; name them with --data")
    if saved is None:
        return start
    fixed = training_facts(saved)["settings"]
    augmented = fixed["augment"] != "none"
    return replace(
        start,
        batch_size=fixed["batch_size"],
        augment=fixed["augment"] if augmented else start.augment,
        augmented=augmented,
        resume=saved,
        folder=path,
    )


def _checkpoint(path: Path) -> Saved | None:
    """The newest whole checkpoint of a run without a model of its best epoch, as the lab leaves one; else None."""
    if not path.is_dir() or (path / MODEL_FILE).exists() or not (path / CHECKPOINTS).is_dir():
        return None
    return Checkpoints(Inside(path) / CHECKPOINTS).newest(lambda line: warnings.warn(line, stacklevel=4))


def dataset_name(dataset: Dataset | None) -> str:
    """What data without a name are called."""
    return "own data" if dataset is None else dataset.name


def _with_data(model: Model, data: str | Dataset | None, loading: Mapping[str, Any] | None = None) -> Start:
    """A model on these data, or on those that were loaded so."""
    dataset, loading = _load(data, model) if data is not None else _load_again(loading or {})
    model.build(None if model.built else dataset.image_shape)
    if tuple(dataset.image_shape) != tuple(model.graph.input_shape):
        raise ConfigError(
            f"{model.name} takes pictures {model.graph.input_shape}, {dataset.name} has {tuple(dataset.image_shape)}"
        )
    if model.class_names is None and len(dataset.class_names) == model.graph.output_shape[-1]:
        model.class_names = tuple(dataset.class_names)
    if model.compiled_config() is None:
        model.compile("adam", "categorical_crossentropy")
    return Start(model, dataset, loading=loading)


def _load(data: str | Dataset, like: Model | None) -> tuple[Dataset, Mapping[str, Any] | None]:
    """The data set, and how it was loaded, where that can be said."""
    fit = None if like is None else like.preprocessing
    built = like is not None and like.built
    size = (like.graph.input_shape[0], like.graph.input_shape[1]) if built and like is not None else None
    channels = like.graph.input_shape[-1] if built and like is not None else None
    if not isinstance(data, str):
        return _one_label(data), None
    loading = {
        "data": absolute(data),
        "size": size,
        "channels": channels,
        "resize": fit.resize if fit else RESIZE,
        "validation": None,
        "seed": 0,
        "limit": None,
        "test_limit": None,
    }
    return _load_again(loading)


def _load_again(loading: Mapping[str, Any]) -> tuple[Dataset, Mapping[str, Any]]:
    size = loading["size"]
    with WorkBar() as bar:
        dataset = load_data(**{**loading, "size": tuple(size) if isinstance(size, list) else size}, bar=bar)
    return _one_label(dataset), loading


def _one_label(dataset: Dataset) -> Dataset:
    """Errors: ConfigError where pictures may have several labels: the page's views are of one class a picture."""
    if dataset.train.several:
        raise ConfigError(
            f"{dataset.name} has several labels a picture, and the lab shows one; pellucid train, then pellucid report"
        )
    return dataset
