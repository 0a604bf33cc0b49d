"""`ImageDataGenerator`: pictures of arrays, folders and tables, changed at random, in batches without end."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pellucid._arguments import path_of
from pellucid._text import say
from pellucid.errors import ConfigError, DataError, shown
from pellucid.keras.directory import files_of
from pellucid.keras.iterators import DirectoryIterator, NumpyArrayIterator, saving_of
from pellucid.keras.moving import FILL_MODES, moved
from pellucid.keras.older import renamed
from pellucid.ops import Array
from pellucid.ops.geometry import number

SUBSETS = (None, "training", "validation")


class ImageDataGenerator:
    """Changes pictures at random and hands them out in batches: `flow`, `flow_from_directory`, `flow_from_dataframe`.

    rotation_range, shear_range in degrees; width_shift_range, height_shift_range in parts of a side, or from 1 on in
    pixels; zoom_range z for 1 - z to 1 + z, or (low, high); brightness_range (low, high); fill_mode: what comes in from
    outside, "nearest", "reflect", "wrap" or "constant" (cval). rescale multiplies at the end, after
    preprocessing_function. featurewise_...: by means and deviations that `fit(x)` takes.
    Errors: ConfigError for arguments.
    """

    @renamed(dim_ordering="data_format")
    def __init__(
        self,
        featurewise_center: bool = False,
        samplewise_center: bool = False,
        featurewise_std_normalization: bool = False,
        samplewise_std_normalization: bool = False,
        zca_whitening: bool = False,
        zca_epsilon: float = 1e-6,
        rotation_range: float = 0,
        width_shift_range: Any = 0.0,
        height_shift_range: Any = 0.0,
        brightness_range: Any = None,
        shear_range: float = 0.0,
        zoom_range: Any = 0.0,
        channel_shift_range: float = 0.0,
        fill_mode: str = "nearest",
        cval: float = 0.0,
        horizontal_flip: bool = False,
        vertical_flip: bool = False,
        rescale: float | None = None,
        preprocessing_function: Callable[[Array], Any] | None = None,
        data_format: str | None = None,
        validation_split: float = 0.0,
        interpolation_order: int = 1,
        dtype: str | None = None,
    ) -> None:
        if zca_whitening:
            raise ConfigError(
                "ImageDataGenerator: zca_whitening is not here; featurewise_center and _std_normalization are"
            )
        if data_format not in (None, "channels_last"):
            raise ConfigError(f'ImageDataGenerator: data_format must be "channels_last", got {shown(data_format)}')
        if fill_mode not in FILL_MODES:
            raise ConfigError(
                f"ImageDataGenerator: fill_mode must be one of {', '.join(FILL_MODES)}, got {shown(fill_mode)}"
            )
        self.featurewise_center, self.samplewise_center = featurewise_center, samplewise_center
        self.featurewise_std_normalization = featurewise_std_normalization
        self.samplewise_std_normalization = samplewise_std_normalization
        self.rotation_range, self.shear_range = rotation_range, shear_range
        self.width_shift_range, self.height_shift_range = width_shift_range, height_shift_range
        self.brightness_range, self.channel_shift_range = brightness_range, channel_shift_range
        self.zoom_range = (1 - zoom_range, 1 + zoom_range) if np.ndim(zoom_range) == 0 else tuple(zoom_range)
        self.fill_mode, self.cval = fill_mode, cval
        self.horizontal_flip, self.vertical_flip, self.rescale = horizontal_flip, vertical_flip, rescale
        self.preprocessing_function = preprocessing_function
        self.validation_split = number(validation_split or 0.0, "ImageDataGenerator: validation_split", 0.0, 1.0)
        self.mean: Any = None
        self.std: Any = None

    # What is done to a picture

    def fit(self, x: Any, augment: bool = False, rounds: int = 1, seed: int | None = None) -> None:
        """Take the mean and the deviation of each channel. Shapes: x (N, H, W, C)."""
        pictures = np.asarray(x, np.float32)
        if self.featurewise_center:
            self.mean = pictures.mean(axis=(0, 1, 2))
        if self.featurewise_std_normalization:
            self.std = pictures.std(axis=(0, 1, 2))

    def random_transform(self, x: Any, seed: int | None = None) -> Array:
        """A picture changed at random."""
        return self._moved(np.asarray(x, np.float32), np.random.default_rng(seed))

    def standardize(self, x: Any) -> Array:
        """A picture as a network gets it: preprocessing_function, rescale, then means and deviations."""
        picture = np.asarray(x, np.float32)
        if self.preprocessing_function is not None:
            picture = np.asarray(self.preprocessing_function(picture), np.float32)
        if self.rescale:
            picture = picture * np.float32(self.rescale)
        if self.samplewise_center:
            picture = picture - picture.mean()
        if self.samplewise_std_normalization:
            picture = picture / (picture.std() + 1e-6)
        for wanted, value, name in (
            (self.featurewise_center, self.mean, "featurewise_center"),
            (self.featurewise_std_normalization, self.std, "featurewise_std_normalization"),
        ):
            if wanted and value is None:
                raise ConfigError(
                    f"ImageDataGenerator: {name} needs numbers of the pictures; call generator.fit(x) first"
                )
        if self.featurewise_center:
            picture = picture - self.mean
        if self.featurewise_std_normalization:
            picture = picture / (self.std + 1e-6)
        return np.asarray(picture, np.float32)

    def changed(self, picture: Array, rng: np.random.Generator) -> Array:
        """A picture changed at random and as a network gets it."""
        return self.standardize(self._moved(picture, rng))

    def _moved(self, picture: Array, rng: np.random.Generator) -> Array:
        height, width = picture.shape[:2]
        angle = math.radians(rng.uniform(-self.rotation_range, self.rotation_range)) if self.rotation_range else 0.0
        shear = math.radians(rng.uniform(-self.shear_range, self.shear_range)) if self.shear_range else 0.0
        down = _shift(self.height_shift_range, height, rng)
        right = _shift(self.width_shift_range, width, rng)
        zooms = (
            (1.0, 1.0)
            if self.zoom_range[0] == self.zoom_range[1] == 1
            else rng.uniform(self.zoom_range[0], self.zoom_range[1], 2)
        )
        if angle or shear or down or right or zooms[0] != 1 or zooms[1] != 1:
            picture = moved(picture, angle, shear, (down, right), zooms, self.fill_mode, self.cval)
        if self.channel_shift_range:
            shift = rng.uniform(-self.channel_shift_range, self.channel_shift_range)
            picture = np.clip(picture + np.float32(shift), picture.min(), picture.max())
        if self.horizontal_flip and rng.random() < 0.5:
            picture = picture[:, ::-1]
        if self.vertical_flip and rng.random() < 0.5:
            picture = picture[::-1]
        if self.brightness_range is not None:
            picture = np.clip(picture * np.float32(rng.uniform(*self.brightness_range)), 0, 255)
        return picture

    # Batches

    def flow(
        self,
        x: Any,
        y: Any = None,
        batch_size: int = 32,
        shuffle: bool = True,
        sample_weight: Any = None,
        seed: int | None = None,
        save_to_dir: Any = None,
        save_prefix: str = "",
        save_format: str = "png",
        ignore_class_split: bool = False,
        subset: str | None = None,
    ) -> NumpyArrayIterator:
        """Batches of arrays; of a validation_split the first pictures are the validation's, as in Keras."""
        if isinstance(x, tuple | list) and len(x) == 2 and y is None:
            x, y = x
        rows = self._part(len(x), subset)
        images, labels, weights = (None if part is None else np.asarray(part)[rows] for part in (x, y, sample_weight))
        saving = saving_of(save_to_dir, save_prefix, save_format)
        return NumpyArrayIterator(images, labels, weights, self, batch_size, shuffle, seed, saving)

    def flow_from_directory(
        self,
        directory: Any,
        target_size: Any = (256, 256),
        color_mode: str = "rgb",
        classes: Sequence[str] | None = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        save_to_dir: Any = None,
        save_prefix: str = "",
        save_format: str = "png",
        follow_links: bool = False,
        subset: str | None = None,
        interpolation: str = "nearest",
        keep_aspect_ratio: bool = False,
    ) -> DirectoryIterator:
        """Batches of files in one folder a class; of a validation_split each class's first files are the validation's.

        class_mode: "categorical" (one-hot), "binary", "sparse" (class numbers), or None for pictures alone.
        """
        folder = path_of(directory, "directory")
        files, numbers, names = files_of(folder, classes or None)
        rows = np.concatenate(
            [np.flatnonzero(numbers == k)[self._part(int((numbers == k).sum()), subset)] for k in range(len(names))]
        )
        chosen = [files[row] for row in rows]
        say(f"Found {len(chosen)} images belonging to {len(names)} classes.")
        looks = (target_size, color_mode, interpolation)
        targets = _targets(numbers[rows], class_mode, len(names))
        order = batch_size, shuffle, seed, saving_of(save_to_dir, save_prefix, save_format)
        made = DirectoryIterator(chosen, targets, None, self, looks, *order)
        made.class_indices = {name: number for number, name in enumerate(names)}
        made.classes = [int(one) for one in numbers[rows]]
        made.filenames = [os.path.relpath(file, folder) for file in chosen]
        return made

    def flow_from_dataframe(
        self,
        dataframe: Any,
        directory: Any = None,
        x_col: str = "filename",
        y_col: Any = "class",
        weight_col: str | None = None,
        target_size: Any = (256, 256),
        color_mode: str = "rgb",
        classes: Sequence[str] | None = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        save_to_dir: Any = None,
        save_prefix: str = "",
        save_format: str = "png",
        subset: str | None = None,
        interpolation: str = "nearest",
        validate_filenames: bool = True,
        **_: Any,
    ) -> DirectoryIterator:
        """Batches of the files that a table names, with the classes of its column, or numbers (class_mode="raw")."""
        folder = "" if directory is None else os.fspath(path_of(directory, "directory"))
        paths = [os.path.join(folder, str(name)) for name in dataframe[x_col]]
        there = [row for row, path in enumerate(paths) if not validate_filenames or os.path.isfile(path)]
        rows = np.asarray(there, np.int64)[self._part(len(there), subset)]
        names: list[str] = []
        numbers: Array | None = None
        targets: Array | None = None
        if class_mode in ("raw", "multi_output"):
            targets = np.asarray(dataframe[y_col])[rows].astype(np.float32)
        elif class_mode not in (None, "input"):
            words = [str(word) for word in dataframe[y_col]]
            names = sorted({words[row] for row in there}) if classes is None else list(classes)
            index = {name: number for number, name in enumerate(names)}
            rows = np.array([row for row in rows if words[row] in index], np.int64)
            numbers = np.array([index[words[row]] for row in rows], np.int32)
            targets = _targets(numbers, class_mode, len(names))
        if not len(rows):
            raise DataError(
                f"flow_from_dataframe: none of the {len(paths)} files of column {x_col!r} is there, in {folder!r}"
            )
        say(f"Found {len(rows)} validated image filenames belonging to {len(names)} classes.")
        weights = None if weight_col is None else np.asarray(dataframe[weight_col], np.float32)[rows]
        looks = (target_size, color_mode, interpolation)
        order = batch_size, shuffle, seed, saving_of(save_to_dir, save_prefix, save_format)
        made = DirectoryIterator([paths[row] for row in rows], targets, weights, self, looks, *order)
        made.class_indices = {name: number for number, name in enumerate(names)}
        made.classes = [] if numbers is None else [int(one) for one in numbers]
        made.filenames = [str(dataframe[x_col].iloc[row]) for row in rows]
        return made

    def _part(self, count: int, subset: str | None) -> slice:
        if subset not in SUBSETS:
            raise ConfigError(f'subset must be "training", "validation" or None, got {shown(subset)}')
        if subset is None:
            return slice(None)
        if not self.validation_split:
            raise ConfigError(f"subset={subset!r} needs ImageDataGenerator(validation_split=...)")
        held = int(count * self.validation_split)
        return slice(0, held) if subset == "validation" else slice(held, None)


def _targets(numbers: Array, mode: str | None, classes: int) -> Array | None:
    if mode is None:
        return None
    if mode == "categorical":
        return np.eye(classes, dtype=np.float32)[numbers]
    if mode in ("binary", "sparse"):
        if mode == "binary" and classes != 2:
            raise ConfigError(f'class_mode="binary" is of two classes, there are {classes}')
        return numbers.astype(np.float32)
    raise ConfigError(f'class_mode must be "categorical", "binary", "sparse" or None, got {shown(mode)}')


def _shift(given: Any, size: int, rng: np.random.Generator) -> float:
    """How far, in pixels."""
    if np.ndim(given):
        return float(rng.choice(np.asarray(given))) * float(rng.choice([-1, 1]))
    if not given:
        return 0.0
    far = float(rng.uniform(-given, given))
    return far * size if abs(given) < 1 else far
