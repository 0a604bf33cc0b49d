"""How well predictions fit labels. Labels come first, as in Keras and scikit-learn.

Labels may be class numbers (N,), (N,1), or one-hot rows; predictions may be scores (N,K), one score (N,1) or (N,) that
counts as class 1 from 0.5 on, or class numbers (N,) themselves (any integer dtype).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.errors import ConfigError, DataError
from pellucid.ops import Array

THRESHOLD = 0.5
"""A single score at least this large is class 1."""


def accuracy(labels: Any, predictions: Any) -> float:
    """The share of pictures whose largest score is at the label; ties go to the first class.

    Errors: DataError for lengths that differ, or no pictures at all.
    """
    truth, guess = _pair(labels, predictions)
    return float(np.mean(truth == guess))


def top_k(labels: Any, scores: Any, k: int = 5) -> float:
    """The share of pictures whose label is among the k largest scores; equal scores count for the lower class.

    Shapes: scores (N,K).
    Errors: ConfigError for k below 1; DataError for lengths that differ.
    """
    table = np.asarray(scores)
    if k < 1:
        raise ConfigError(f"top_k: k must be at least 1, got {k}")
    if table.ndim != 2:
        raise DataError(f"top_k: scores must be (N, classes), got shape {table.shape}")
    truth, _ = _pair(labels, table)
    own = np.take_along_axis(table, truth[:, np.newaxis], axis=1)
    earlier = np.arange(table.shape[1]) < truth[:, np.newaxis]
    better = (table > own) | ((table == own) & earlier)
    return float(np.mean(better.sum(axis=1) < k))


def confusion_matrix(labels: Any, predictions: Any, classes: int | None = None) -> Array:
    """How often class i was taken for class j, at [i, j]; correct ones lie on the diagonal.

    Shapes: (classes, classes) int64; classes defaults to the largest number seen, plus 1.
    Errors: DataError for a label or prediction that is no class.
    """
    truth, guess = _pair(labels, predictions)
    highest = int(max(truth.max(), guess.max()))
    count = highest + 1 if classes is None else classes
    lowest = int(min(truth.min(), guess.min()))
    if lowest < 0 or highest >= count:
        raise DataError(f"confusion_matrix: class numbers run from {lowest} to {highest}, expected 0 to {count - 1}")
    flat = np.bincount(truth * count + guess, minlength=count * count)
    return np.asarray(flat.reshape(count, count))


def precision(labels: Any, predictions: Any, classes: int | None = None) -> Array:
    """For each class, the share of right ones among the pictures taken for it; NaN where none was.

    Shapes: (classes,) float64.
    """
    matrix = confusion_matrix(labels, predictions, classes)
    return _share(matrix.diagonal(), matrix.sum(axis=0))


def recall(labels: Any, predictions: Any, classes: int | None = None) -> Array:
    """For each class, the share of its pictures that were found; NaN where it has none.

    Shapes: (classes,) float64.
    """
    matrix = confusion_matrix(labels, predictions, classes)
    return _share(matrix.diagonal(), matrix.sum(axis=1))


class Mean:
    """A running mean of numbers that come in batches, each number with the same weight.

    >>> mean = Mean()
    >>> mean.add(1.0, count=3); mean.add(5.0)
    >>> mean.value
    2.0
    """

    def __init__(self) -> None:
        self.total = 0.0
        self.count = 0

    def add(self, mean: float, count: int = 1) -> None:
        """Take in a batch of `count` numbers with this mean."""
        self.total += float(mean) * count
        self.count += count

    @property
    def value(self) -> float:
        """The mean so far; NaN before the first number."""
        return self.total / self.count if self.count else float("nan")


def classes_of(values: Any) -> Array:
    """Class numbers (N,) from one-hot rows, scores, a single score, or class numbers.

    Errors: DataError for anything but numbers in one or two axes.
    """
    array = np.asarray(values)
    if array.dtype.kind not in "fiub" or array.ndim not in (1, 2):
        raise DataError(f"expected class numbers (N,) or scores (N, classes), got {array.dtype} of shape {array.shape}")
    if array.ndim == 2 and array.shape[1] > 1:
        return np.asarray(array.argmax(axis=1))
    flat = array.reshape(-1)
    if flat.dtype.kind == "f" and not np.array_equal(flat, np.floor(flat)):
        return np.asarray(flat >= THRESHOLD, np.int64)
    return np.asarray(flat, np.int64)


def _pair(labels: Any, predictions: Any) -> tuple[Array, Array]:
    truth, guess = classes_of(labels), classes_of(predictions)
    if len(truth) != len(guess):
        raise DataError(f"{len(guess)} predictions but {len(truth)} labels; each picture needs one of both")
    if not len(truth):
        raise DataError("no pictures to judge: labels and predictions are empty")
    return truth, guess


def _share(part: Array, whole: Array) -> Array:
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(whole > 0, part / np.maximum(whole, 1), np.nan))
