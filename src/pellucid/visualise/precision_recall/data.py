"""Precision and recall of one class at every threshold of its probability."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid._display import Brief
from pellucid.errors import ShapeError
from pellucid.ops import Array


@dataclass(frozen=True, repr=False)
class PrecisionRecall(Brief):
    """One class told from all others: at thresholds[i] or above, precision[i] of the pictures are of it, and these are
    recall[i] of all that are.

    average: the average precision, the mean of precision over recall; NaN for a class without pictures, whose curve is
    empty. Shapes: (T,) each, T thresholds from the largest down.
    """

    pictures: int
    thresholds: Array
    precision: Array
    recall: Array
    average: float


def precision_recall(labels: Any, probabilities: Any) -> tuple[PrecisionRecall, ...]:
    """The curve of each class: average precision = sum over n of (recall[n] - recall[n - 1]) * precision[n].

    Shapes: labels (N,), probabilities (N, classes).
    Errors: ShapeError where there are not as many rows as labels.
    Source: Manning, Raghavan & Schuetze 2008, section 8.4.
    """
    truth, table = np.asarray(labels), np.asarray(probabilities)
    if table.ndim != 2 or truth.shape != (len(table),):
        raise ShapeError(f"labels (N,) and probabilities (N, classes) expected, got {truth.shape} and {table.shape}")
    return tuple(_of_class(truth == index, table[:, index]) for index in range(table.shape[1]))


def _of_class(is_it: Array, scores: Array) -> PrecisionRecall:
    total = int(np.count_nonzero(is_it))
    if not total:
        none = np.zeros(0)
        return PrecisionRecall(0, none, none, none, float("nan"))
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    last = np.append(np.nonzero(np.diff(ranked))[0], len(ranked) - 1)  # equal scores pass a threshold together
    found = np.cumsum(is_it[order])[last]
    precision, recall = found / (last + 1), found / total
    average = float(np.sum(np.diff(recall, prepend=0.0) * precision))
    return PrecisionRecall(total, ranked[last], precision, recall, average)
