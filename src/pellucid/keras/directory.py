"""Folders of pictures as Keras reads them: `image_dataset_from_directory`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pellucid._arguments import path_of
from pellucid._text import say
from pellucid.errors import ConfigError, DataError, shown
from pellucid.files.reading import in_order
from pellucid.keras.data import Dataset
from pellucid.keras.pictures import ENDINGS, read, resized
from pellucid.ops import Array
from pellucid.ops.geometry import number, whole

LABEL_MODES = ("int", "binary", "categorical", None)
SUBSETS = ("training", "validation", "both", None)


def files_of(folder: Path, classes: Sequence[str] | None = None) -> tuple[list[str], Array, list[str]]:
    """(files below each class's folder, sorted; their class numbers; class names: the folders', sorted, or as given).

    Errors: DataError for no folder, a class without one, or no pictures.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder")
    there = sorted(one.name for one in folder.iterdir() if one.is_dir() and not one.name.startswith("."))
    missing = sorted(set(classes or ()).difference(there))
    if missing:
        raise DataError(f"{folder}: no folder for the class {shown(missing[0])}; there are {shown(there)}")
    names = there if classes is None else list(classes)
    found = [(file, number) for number, name in enumerate(names) for file in pictures_below(folder / name)]
    if not found:
        raise DataError(f"{folder}: no pictures in its sub-folders, one a class")
    return [file for file, _ in found], np.array([number for _, number in found], np.int32), names


def pictures_below(folder: Path) -> list[str]:
    """All pictures in a folder and those in it, by their paths, sorted."""
    found = (os.path.join(place, name) for place, _, names in os.walk(folder) for name in names)
    return sorted(path for path in found if path.lower().endswith(ENDINGS))


def image_dataset_from_directory(
    directory: Any,
    labels: Any = "inferred",
    label_mode: str | None = "int",
    class_names: Sequence[str] | None = None,
    color_mode: str = "rgb",
    batch_size: int | None = 32,
    image_size: Any = (256, 256),
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    interpolation: str = "bilinear",
    follow_links: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    data_format: str | None = None,
    verbose: bool = True,
    smart_resize: bool = False,
) -> Any:
    """Pictures of a folder with one sub-folder a class, in batches of (levels from 0 to 255, labels), read as needed.

    labels: "inferred" from the folders, a list of class numbers in the order of the sorted files, or None for pictures
    alone. label_mode: "int", "categorical" (one-hot), "binary", or None. subset of a validation_split: "training",
    "validation" or "both"; give it a seed, or shuffle=False. smart_resize: crop_to_aspect_ratio by its older name.
    Shapes: image_size (height, width) -> (batch_size, height, width, C) float32; labels (batch_size,) int32,
        (batch_size, classes) float32, or (batch_size, 1) float32.
    Errors: ConfigError for arguments; DataError for a folder without pictures, or labels that are not one a picture.
    """
    folder = path_of(directory, "directory")
    crop_to_aspect_ratio = crop_to_aspect_ratio or smart_resize
    _check(label_mode, subset, validation_split, seed, shuffle, crop_to_aspect_ratio or pad_to_aspect_ratio)
    names: list[str] | None = None
    if isinstance(labels, str) and labels == "inferred":
        files, numbers, names = files_of(folder, class_names)
    else:
        files = pictures_below(folder)
        numbers = np.asarray(np.zeros(len(files)) if labels is None else labels, np.int32)
        if len(numbers) != len(files) or not files:
            raise DataError(f"{folder}: {len(files)} pictures but {len(numbers)} labels; give one to each picture")
        names = None if labels is None else [str(one) for one in sorted(set(numbers.tolist()))]
    mode = None if labels is None else label_mode
    if mode == "binary" and names is not None and len(names) != 2:
        raise ConfigError(f'{folder}: label_mode="binary" is of two classes, there are {len(names)}: {shown(names)}')
    if verbose:
        say(f"Found {len(files)} files belonging to {len(names or ())} classes.")
    order = np.arange(len(files))
    if shuffle:
        seed = int(np.random.randint(2**31)) if seed is None else whole(seed, "seed", 2**32 - 1, least=0)
        order = np.random.default_rng(seed).permutation(order)
    size = (int(image_size[0]), int(image_size[1]))

    def dataset(rows: Array, *, anew: bool = True) -> Dataset:
        targets = _targets(numbers, mode, len(names or ()))
        source = _Reading([files[row] for row in rows], targets and targets(rows), color_mode, size, interpolation)
        again = seed if shuffle and anew else None
        made = source.dataset(None if batch_size is None else whole(batch_size, "batch_size"), again)
        if names is not None:
            made.class_names = list(names)
        made.file_paths = source.files
        return made

    if validation_split is None:
        return dataset(order)
    held = int(len(files) * number(validation_split, "validation_split", 0.0, 1.0))
    parts = {"training": order[: len(order) - held], "validation": order[len(order) - held :]}
    if verbose:
        for part, rows in parts.items():
            if subset in (part, "both"):
                say(f"Using {len(rows)} files for {part}.")
    made = {part: dataset(rows, anew=part == "training") for part, rows in parts.items() if subset in (part, "both")}
    return tuple(made.values()) if subset == "both" else made[str(subset)]


class _Reading:
    """Files that are read batch by batch, one batch ahead. targets: for each file, or None."""

    def __init__(
        self, files: list[str], targets: Array | None, color_mode: str, size: tuple[int, int], interpolation: str
    ) -> None:
        self.files, self._targets = files, targets
        self._color, self._size, self._interpolation = color_mode, size, interpolation

    def dataset(self, batch_size: int | None, seed: int | None) -> Dataset:
        """In batches, or one by one; in another order each time where there is a seed."""
        times, step = [0], batch_size or 1

        def batches() -> Iterator[Any]:
            order = np.arange(len(self.files))
            if seed is not None:
                order = np.random.default_rng([seed, times[0]]).permutation(order)
                times[0] += 1
            rows = [order[start : start + step] for start in range(0, len(order), step)]
            for images, targets in in_order(self._batch, rows, ahead=1, name="pellucid-read-ahead"):
                if batch_size is None:
                    images, targets = images[0], None if targets is None else targets[0]
                yield images if targets is None else (images, targets)

        return Dataset(batches, -(-len(self.files) // step))

    def _batch(self, rows: Array) -> tuple[Array, Array | None]:
        pictures = [resized(read(self.files[row], self._color), self._size, self._interpolation) for row in rows]
        return np.stack(pictures), None if self._targets is None else self._targets[rows]


def _targets(numbers: Array, mode: str | None, classes: int) -> Any:
    """A function of rows that gives their labels."""
    if mode is None:
        return None
    if mode == "categorical":
        return lambda rows: np.eye(classes, dtype=np.float32)[numbers[rows]]
    if mode == "binary":
        return lambda rows: numbers[rows].astype(np.float32)[:, None]
    return lambda rows: numbers[rows]


def _check(mode: Any, subset: Any, split: Any, seed: Any, shuffle: bool, reshaped: bool) -> None:
    if mode not in LABEL_MODES:
        raise ConfigError(f'label_mode must be "int", "binary", "categorical" or None, got {shown(mode)}')
    if subset not in SUBSETS or (split is None) != (subset is None):
        raise ConfigError(
            f'validation_split and subset ("training", "validation" or "both") belong together, got {shown(split)} and '
            f"{shown(subset)}"
        )
    if split is not None and shuffle and seed is None:
        raise ConfigError("give a seed, or shuffle=False, so that training and validation pictures are not the same")
    if reshaped:
        raise ConfigError("pictures are stretched to image_size here; leave crop_ and pad_to_aspect_ratio out")
