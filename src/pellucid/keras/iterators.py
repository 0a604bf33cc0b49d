"""Batches of pictures by number and one after another, of arrays and of files, changed by an `ImageDataGenerator`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pellucid._arguments import flag, path_of
from pellucid.errors import DataError
from pellucid.keras.pictures import img_to_array, load_img, save_img
from pellucid.ops import Array
from pellucid.ops.geometry import whole

if TYPE_CHECKING:
    from pellucid.keras.generator import ImageDataGenerator


class Saving(NamedTuple):
    """Where what a generator made is written: FOLDER/PREFIX_ROW_NUMBER.FORMAT."""

    folder: Path
    prefix: str
    format: str

    def write(self, rows: Array, batch: Any, rng: np.random.Generator) -> None:
        """Each picture of a batch, under the row it was made of."""
        for row, picture in zip(rows, batch[0] if isinstance(batch, tuple) else batch, strict=True):
            save_img(self.folder / f"{self.prefix}_{row}_{rng.integers(10**7)}.{self.format}", picture)


def saving_of(folder: Any, prefix: str, format: str) -> Saving | None:
    """As programs say it: save_to_dir, save_prefix, save_format; None where nothing is written."""
    return Saving(path_of(folder, "save_to_dir"), prefix, format) if folder else None


class Iterator:
    """Batches by number, and one after another without end; in another order in each epoch where they are shuffled.

    Called an iterator as in Keras; `fit` takes it.
    """

    def __init__(
        self, count: int, batch_size: int, shuffle: bool, seed: int | None, saving: Saving | None = None
    ) -> None:
        self.n = self.samples = count
        self.batch_size, self.shuffle = whole(batch_size, "batch_size"), flag(shuffle, "shuffle")
        self.seed = int(np.random.randint(2**31)) if seed is None else whole(seed, "seed", 2**32 - 1, least=0)
        self._epoch = self._next = 0
        self._saving = saving
        self._reorder()

    def _reorder(self) -> None:
        rows = np.arange(self.n)
        self._order = np.random.default_rng([self.seed, self._epoch]).permutation(rows) if self.shuffle else rows

    def __len__(self) -> int:
        return math.ceil(self.n / self.batch_size)

    def __getitem__(self, index: int) -> Any:
        if not 0 <= index < len(self):
            raise IndexError(f"there are {len(self)} batches, got number {index}")
        rows = self._order[index * self.batch_size : (index + 1) * self.batch_size]
        rng = np.random.default_rng([self.seed, self._epoch, index, 1])
        batch = self.batch_of(rows, rng)
        if self._saving is not None:
            self._saving.write(rows, batch, rng)
        return batch

    def on_epoch_end(self) -> None:
        """Another order from now on."""
        self._epoch += 1
        self._reorder()

    def reset(self) -> None:
        """Begin again with the first batch."""
        self._next = 0

    def __iter__(self) -> Iterator:
        return self

    def __next__(self) -> Any:
        if self._next >= len(self):
            self._next = 0
            self.on_epoch_end()
        self._next += 1
        return self[self._next - 1]

    def next(self) -> Any:
        """The next batch."""
        return next(self)

    def batch_of(self, rows: Array, rng: np.random.Generator) -> Any:
        """The pictures of these rows with what belongs to them."""
        raise NotImplementedError(f"{type(self).__name__} has no batch_of(rows, rng)")


class NumpyArrayIterator(Iterator):
    """Batches of arrays."""

    def __init__(self, x: Any, y: Any, weights: Any, generator: ImageDataGenerator, *order: Any) -> None:
        self.x = np.asarray(x, np.float32)
        if self.x.ndim != 4:
            raise DataError(f"flow: pictures must be (N, H, W, C), got shape {self.x.shape}")
        self._more = [np.asarray(part) for part in (y, weights) if part is not None]
        for part in self._more:
            if len(part) != len(self.x):
                raise DataError(f"flow: {len(self.x)} pictures but {len(part)} labels or weights")
        self.y, self._generator = None if y is None else self._more[0], generator
        super().__init__(len(self.x), *order)

    def batch_of(self, rows: Array, rng: np.random.Generator) -> Any:
        pictures = np.stack([self._generator.changed(self.x[row], rng) for row in rows])
        return (pictures, *(part[rows] for part in self._more)) if self._more else pictures


class FileIterator(Iterator):
    """Batches of files."""

    def __init__(
        self,
        files: Sequence[str],
        targets: Array | None,
        weights: Array | None,
        generator: ImageDataGenerator,
        looks: tuple[Any, str, str],
        *order: Any,
    ) -> None:
        self.filepaths, self._targets, self._weights = list(files), targets, weights
        self._generator, (self.target_size, self.color_mode, self._interpolation) = generator, looks
        super().__init__(len(self.filepaths), *order)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(H, W, C) of a picture."""
        channels = {"grayscale": 1, "rgb": 3, "rgba": 4}[self.color_mode]
        return int(self.target_size[0]), int(self.target_size[1]), channels

    def batch_of(self, rows: Array, rng: np.random.Generator) -> Any:
        pictures = []
        for row in rows:
            image = load_img(self.filepaths[row], self.color_mode, self.target_size, self._interpolation)
            pictures.append(self._generator.changed(img_to_array(image), rng))
        parts = [part[rows] for part in (self._targets, self._weights) if part is not None]
        return (np.stack(pictures), *parts) if parts else np.stack(pictures)


class DirectoryIterator(FileIterator):
    """Batches of files of classes, by number and by name."""

    class_indices: dict[str, int]
    classes: list[int]
    filenames: list[str]

    @property
    def labels(self) -> list[int]:
        """The class number of each file."""
        return self.classes

    @property
    def num_classes(self) -> int:
        """How many classes there are."""
        return len(self.class_indices)
