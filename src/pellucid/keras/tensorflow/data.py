"""Data sets in batches, by TensorFlow's names."""

from __future__ import annotations

from itertools import count
from types import SimpleNamespace
from typing import Any

import numpy as np

from pellucid.keras.data import AUTOTUNE, Dataset

__all__ = ["AUTOTUNE", "Dataset", "Options", "experimental"]


class Options(SimpleNamespace):
    """Whatever is set on it changes nothing: options are of TensorFlow's threads."""

    def __init__(self) -> None:
        super().__init__(
            autotune=SimpleNamespace(), experimental_distribute=SimpleNamespace(), threading=SimpleNamespace()
        )


class experimental:
    """What has moved here since."""

    AUTOTUNE = AUTOTUNE

    @staticmethod
    def Counter(start: int = 0, step: int = 1) -> Dataset:
        """Whole numbers without end."""
        return Dataset(lambda: map(np.int64, count(start, step)), None)

    @staticmethod
    def shuffle_and_repeat(buffer_size: int, count: int | None = None, seed: int | None = None) -> Any:
        """For `Dataset.apply`: `shuffle`, then `repeat`."""
        return lambda dataset: dataset.shuffle(buffer_size, seed).repeat(count)

    @staticmethod
    def map_and_batch(map_func: Any, batch_size: int, *_: Any, drop_remainder: bool = False, **__: Any) -> Any:
        """For `Dataset.apply`: `map`, then `batch`."""
        return lambda dataset: dataset.map(map_func).batch(batch_size, drop_remainder)

    @staticmethod
    def cardinality(dataset: Dataset) -> Any:
        """How many elements there are; -2 where nobody knows."""
        return dataset.cardinality()
