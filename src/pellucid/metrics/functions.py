"""How well predictions of all pictures fit their labels.

Labels may be class numbers (N,), (N,1), or one-hot rows; predictions may be scores (N,K), one score (N,1) or (N,) that
counts as class 1 above 0.5, or class numbers (N,) themselves (any integer dtype).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid._display import Brief
from pellucid.errors import DataError
from pellucid.ops import IGNORED, Array, real_array
from pellucid.ops.geometry import whole

__all__ = [
    "MAX_CLASSES", "THRESHOLD", "Calibration", "accuracy", "calibration", "classes_of", "confident_mistakes",
    "confusion_matrix", "exact_match", "f1_of", "iou", "iou_of", "label_counts", "mean_iou", "pixel_accuracy",
    "pixel_counts", "precision", "recall", "top_k",
]  # fmt: skip

__all__ = [
    "MAX_CLASSES", "THRESHOLD", "Calibration", "accuracy", "calibration", "classes_of", "confident_mistakes",
    "confusion_matrix", "exact_match", "f1_of", "iou", "iou_of", "label_counts", "mean_iou", "pixel_accuracy",
    "pixel_counts", "precision", "recall", "top_k",
]  # fmt: skip

MAX_CLASSES = 10_000
"""Classes of a confusion matrix, and bins of a calibration: each has a row."""

THRESHOLD = 0.5
"""A single score above this is class 1, as in Keras and in training."""


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
    table = real_array(scores, "top_k: scores")
    k = whole(k, "top_k: k")
    if table.ndim != 2:
        raise DataError(f"top_k: scores must be (N, classes), got shape {table.shape}")
    truth, _ = _pair(labels, table)
    if truth.min() < 0 or truth.max() >= table.shape[1]:
        raise DataError(f"top_k: label {truth.max()} or {truth.min()} is none of {table.shape[1]} classes")
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
    count = highest + 1 if classes is None else whole(classes, "confusion_matrix: classes", MAX_CLASSES)
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


def label_counts(labels: Any, scores: Any) -> Array:
    """For each label the pictures that have it and are given it, that have it, and that are given it: of a score above
    a half.

    Shapes: labels (N,K) of 0 and 1, scores (N,K) -> (3,K) int64.
    Errors: DataError for other shapes, or no pictures.
    """
    truth, said = _label_rows(labels, scores)
    return np.stack([(truth & said).sum(axis=0), truth.sum(axis=0), said.sum(axis=0)])


def exact_match(labels: Any, scores: Any) -> float:
    """The share of pictures that are given all their labels and no other.

    Shapes, errors: as `label_counts`.
    """
    truth, said = _label_rows(labels, scores)
    return float((truth == said).all(axis=1).mean())


def f1_of(counts: Array) -> Array:
    """2 * precision * recall / (precision + recall), of counts; NaN where there is nothing to find and nothing found.

    Shapes: (3,K) as `label_counts` or `pixel_counts` -> (K,).
    """
    both, truth, said = counts
    return _share(2 * both, truth + said)


def pixel_counts(masks: Any, predictions: Any, classes: int | None = None) -> Array:
    """For each class the pixels where it is label and answer, where it is the label, and where it is the answer.

    masks: class numbers of pixels, of which those of 255 are not counted.
    Shapes: masks (...,); predictions class numbers (...,) or scores (..., K) -> (3, classes) int64; classes defaults to
    K, else to the largest number seen, plus 1.
    Errors: DataError for shapes that do not fit, numbers that are no class, or no pixel that counts.
    """
    truth, said = (real_array(each, "masks and predictions") for each in (masks, predictions))
    if said.ndim == truth.ndim + 1:
        classes, said = classes or said.shape[-1], said.argmax(axis=-1)
    if said.shape != truth.shape:
        raise DataError(f"masks {truth.shape} and predictions {said.shape} must have one number for each pixel")
    counted = truth != IGNORED
    truth, said = truth[counted], said[counted]
    if not truth.size:
        raise DataError(f"no pixel to judge: there are none but those of label {IGNORED}, which are not counted")
    both = np.concatenate([truth, said])
    most, least = both.max(), both.min()
    count = int(most) + 1 if classes is None else whole(classes, "pixel_counts: classes", MAX_CLASSES)
    if least < 0 or most >= count or (both.dtype.kind == "f" and bool((both != np.floor(both)).any())):
        raise DataError(
            f"pixel_counts: class numbers run from {least:g} to {most:g}, expected whole ones to {count - 1}"
        )
    truth, said = truth.astype(np.int64), said.astype(np.int64)
    return np.stack([np.bincount(numbers, minlength=count) for numbers in (truth[truth == said], truth, said)])


def iou(masks: Any, predictions: Any, classes: int | None = None) -> Array:
    """For each class, pixels where it is label and answer, over those where it is either; NaN where it is neither.

    Shapes: as `pixel_counts` -> (classes,) float64.
    Source: Jaccard 1901; Everingham et al. 2010, section 4.4 (PASCAL VOC's segmentation accuracy).
    """
    return iou_of(pixel_counts(masks, predictions, classes))


def mean_iou(masks: Any, predictions: Any, classes: int | None = None) -> float:
    """The mean of `iou` over the classes that there are, in labels or answers."""
    return float(np.nanmean(iou(masks, predictions, classes)))


def pixel_accuracy(masks: Any, predictions: Any, classes: int | None = None) -> float:
    """The share of pixels whose answer is the label."""
    both, truth, _ = pixel_counts(masks, predictions, classes)
    return float(both.sum() / truth.sum())


def iou_of(counts: Array) -> Array:
    """The same of counts. Shapes: (3, classes) -> (classes,)."""
    both, truth, said = counts
    return _share(both, truth + said - both)


@dataclass(frozen=True, repr=False)
class Calibration(Brief):
    """Whether predictions are as often right as they are confident, bin by bin of confidence.

    Shapes: edges (bins + 1,); counts, confidence, accuracy (bins,), the last two NaN where a bin is empty.
    """

    edges: Array
    counts: Array
    confidence: Array
    accuracy: Array

    @property
    def error(self) -> float:
        """Expected calibration error: sum over bins of count/N * |accuracy - confidence|.

        Source: Guo, Pleiss, Sun & Weinberger 2017, equation 3.
        """
        used = self.counts > 0
        gaps = np.abs(self.accuracy[used] - self.confidence[used])
        return float(np.sum(self.counts[used] * gaps) / self.counts.sum())


def calibration(labels: Any, probabilities: Any, bins: int = 15) -> Calibration:
    """Mean confidence and accuracy of the predictions in bins of equal width; bin m holds ((m-1)/bins, m/bins].

    Shapes: probabilities (N,K); a picture's confidence is the largest of its row.
    Errors: ConfigError for bins below 1; DataError for lengths that differ, and for numbers that are no probabilities.
    Source: Guo, Pleiss, Sun & Weinberger 2017, section 2.
    """
    bins = whole(bins, "calibration: bins", MAX_CLASSES)
    confidence, right = _confidences("calibration", labels, probabilities)
    place = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    counts = np.bincount(place, minlength=bins)
    sums = (np.bincount(place, weights=values, minlength=bins) for values in (confidence, right))
    return Calibration(np.linspace(0, 1, bins + 1), counts, *(_share(total, counts) for total in sums))


def confident_mistakes(labels: Any, probabilities: Any, k: int = 24) -> Array:
    """Which pictures were taken for the wrong class, the most confident mistakes first; at most k.

    Shapes: probabilities (N,K) -> (at most k,) rows.
    Errors: ConfigError for k below 1; DataError as `calibration`.
    """
    k = whole(k, "confident_mistakes: k")
    confidence, right = _confidences("confident_mistakes", labels, probabilities)
    wrong = np.flatnonzero(~right)
    return np.asarray(wrong[np.argsort(-confidence[wrong], kind="stable")][:k])


def classes_of(values: Any) -> Array:
    """Class numbers (N,) from one-hot rows, scores, a single score, or class numbers.

    Errors: DataError for anything but numbers in one or two axes.
    """
    array = real_array(values, "labels and predictions")
    if array.ndim not in (1, 2):
        raise DataError(f"expected class numbers (N,) or scores (N, classes), got shape {array.shape}")
    if array.dtype.kind == "f" and np.isnan(array).any():
        raise DataError("labels and predictions must be numbers, got NaN among them")
    if array.ndim == 2 and array.shape[1] > 1:
        return np.asarray(array.argmax(axis=1))
    flat = array.reshape(-1)
    if flat.dtype.kind == "f" and not np.array_equal(flat, np.floor(flat)):
        return np.asarray(flat > THRESHOLD, np.int64)
    return np.asarray(flat, np.int64)


def _label_rows(labels: Any, scores: Any) -> tuple[Array, Array]:
    truth, table = real_array(labels, "labels"), real_array(scores, "scores")
    if truth.ndim != 2 or truth.shape != table.shape or not len(truth):
        raise DataError(f"labels and scores must be rows (N, labels) of one shape, got {truth.shape} and {table.shape}")
    return truth > THRESHOLD, table > THRESHOLD


def _pair(labels: Any, predictions: Any) -> tuple[Array, Array]:
    truth, guess = classes_of(labels), classes_of(predictions)
    if len(truth) != len(guess):
        raise DataError(f"{len(guess)} predictions but {len(truth)} labels; each picture needs one of both")
    if not len(truth):
        raise DataError("no pictures to judge: labels and predictions are empty")
    return truth, guess


def _confidences(where: str, labels: Any, probabilities: Any) -> tuple[Array, Array]:
    """The largest probability of each row, and whether it is at the label."""
    table = real_array(probabilities, f"{where}: probabilities").astype(np.float64, copy=False)
    # float32 rows may add up to a hair more than 1
    if table.ndim != 2 or table.shape[1] < 2 or not (table.size and table.min() >= 0 and table.max() <= 1 + 1e-5):
        span = f" from {table.min():g} to {table.max():g}" if table.size else ""
        raise DataError(f"{where}: expected probabilities (N, classes) from 0 to 1, got shape {table.shape}{span}")
    truth, guess = _pair(labels, table)
    return np.minimum(table.max(axis=1), 1.0), truth == guess


def _share(part: Array, whole: Array) -> Array:
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(whole > 0, part / np.where(whole > 0, whole, 1), np.nan))
