"""What every loader returns: a Dataset of Splits, in memory or read from disk as it is needed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pellucid.datasets.labels import stratified_split
from pellucid.errors import ConfigError, DataError, shown

KerasPair = tuple[NDArray[np.uint8], NDArray[np.uint8]]
Rows = int | slice | NDArray[np.int64]


class Pictures(Protocol):
    """Pictures that are read when they are asked for: a folder's, for instance."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    def __len__(self) -> int: ...
    def __getitem__(self, rows: Rows) -> NDArray[np.uint8]: ...
    def select(self, rows: NDArray[np.int64]) -> Pictures: ...


@dataclass(frozen=True, repr=False)
class Split:
    """Pictures and their labels: images[i] shows class_names[labels[i]]; or a picture may have several labels, or one
    for each pixel.

    Shapes: images (N,H,W,C) uint8, an array or Pictures; labels (N,) int64, or rows (N,classes) uint8, 1 for each label
    that a picture has, or masks (N,H,W) uint8 of class numbers, 255 for pixels that are not counted; files N relative
    names, or None.
    Errors: DataError if there are not as many labels, or files, as pictures.
    """

    images: NDArray[Any] | Pictures
    labels: NDArray[Any]
    files: list[str] | None = None

    def __post_init__(self) -> None:
        counts = {"labels": len(self.labels)} | ({} if self.files is None else {"files": len(self.files)})
        for what, count in counts.items():
            if count != len(self.images):
                raise DataError(f"{len(self.images)} pictures but {count} {what}; give one to each picture")

    @property
    def several(self) -> bool:
        """Whether a picture may have several labels."""
        return self.labels.ndim == 2

    @property
    def per_pixel(self) -> bool:
        """Whether labels are masks."""
        return self.labels.ndim == 3

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        shape = "x".join(map(str, self.images.shape[1:]))
        return f"<Split: {len(self):,} pictures of {shape}, {self.images.dtype}>"

    def take(self, count: int) -> Split:
        """The first `count` pictures; all of them where there are fewer.

        A folder's pictures are sorted by class, so of those `count` evenly spaced ones: of each class its share.
        Errors: ConfigError if count is below 1.
        """
        if count < 1:
            raise ConfigError(f"a limit of pictures must be at least 1, got {shown(count)}")
        if count >= len(self):
            return self
        rows = np.arange(count, dtype=np.int64)
        return self.select(rows if self.files is None else rows * len(self) // count)

    def select(self, rows: NDArray[np.int64]) -> Split:
        """The pictures of these rows, in this order."""
        chosen = getattr(self.images, "select", None)  # an array has none, unless it is `mapped`
        images = self.images[rows] if chosen is None else chosen(rows)
        files = None if self.files is None else [self.files[row] for row in rows]
        return Split(images, self.labels[rows], files)


@dataclass(frozen=True, repr=False)
class Dataset:
    """A named data set: what to learn from, what to judge by, and where it came from.

    `test` is held out from training. `validation` is what training may look at; None where the set has no part for it.
    A folder's held-out part is both, the same object.
    `skipped` lists the files that were left out, each with the reason. `facts` are lines that say what a folder was
    taken for, `warnings` those that say what in it is likely a mistake; `unlabelled` lists the folders of pictures
    without a class, and how many each has.
    """

    name: str
    train: Split
    test: Split
    class_names: tuple[str, ...]
    source: str
    validation: Split | None = None
    skipped: list[tuple[str, str]] = field(default_factory=list)
    facts: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    unlabelled: list[tuple[str, int]] = field(default_factory=list)

    def __repr__(self) -> str:
        shape, classes = "x".join(map(str, self.image_shape)), len(self.class_names)
        named = ", ".join(self.class_names[:5]) + (", ..." if classes > 5 else "")
        counts = f"{len(self.train):,} pictures to learn from and {len(self.test):,} to judge by"
        return f"<Dataset {self.name!r}: {counts}, {shape}, {classes} classes: {named}>"

    @property
    def image_shape(self) -> tuple[int, ...]:
        """(H,W,C) of one picture."""
        return tuple(self.train.images.shape[1:])

    @property
    def held_out(self) -> Split:
        """What a training run watches: the validation part, else the test part."""
        return self.test if self.validation is None else self.validation

    @property
    def files(self) -> dict[str, list[str]]:
        """The file names of each part, to store with a run; `load(..., files=...)` makes the same parts again."""
        parts = {"train": self.train, "test": self.test}
        if self.validation is not None and self.validation is not self.test:
            parts["validation"] = self.validation
        return {name: part.files for name, part in parts.items() if part.files is not None}

    def with_validation(self, fraction: float, *, seed: int) -> Dataset:
        """The same set with a stratified fraction of the training pictures moved to `validation`."""
        train, held = stratified_split(self.train.labels, fraction, seed)
        return replace(self, train=self.train.select(train), validation=self.train.select(held))


def keras_pairs(dataset: Dataset) -> tuple[KerasPair, KerasPair]:
    """((x_train, y_train), (x_test, y_test)) in the shapes of Keras's own modules.

    Shapes: pictures (N,H,W) and labels (N,) where they are grey, else (N,H,W,3) and (N,1); all uint8.
    """

    def pair(split: Split) -> KerasPair:
        images, labels = np.asarray(split.images), split.labels.astype(np.uint8)
        return (images[..., 0], labels) if images.shape[3] == 1 else (images, labels[:, None])

    return pair(dataset.train), pair(dataset.test)
