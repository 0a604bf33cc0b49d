"""Metrics made of true and false positives and negatives, counted over all pictures and units."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from pellucid._arguments import flag
from pellucid.errors import ConfigError, DataError, shown
from pellucid.metrics.metric import Metric, as_rows, weights_for
from pellucid.ops import Array
from pellucid.ops.geometry import above_zero, number, whole

EPSILON = 1e-7
"""Keras's: what is kept off 0 under a fraction, and what the outer thresholds lie beyond 0 and 1."""


UNITS = "units"
"""Under which name the counts of each unit are kept."""


class Counted(Metric):
    """(4, thresholds) counts: true positives, false positives, false negatives, true negatives, an answer counting as
    positive above a threshold."""

    def __init__(self, name: str | None, limits: Sequence[float], top_k: int | None, class_id: int | None) -> None:
        super().__init__(name)
        self._limits = np.asarray(limits, np.float64)
        self.top_k = None if top_k is None else whole(top_k, f"{self.name}: top_k")
        self.class_id = None if class_id is None else whole(class_id, f"{self.name}: class_id", least=0)
        self._counts = self.add_weight("counts", (4, len(self._limits)))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        if self.top_k is not None and np.ndim(y_pred) == 1:  # one picture's answers
            y_true, y_pred = np.asarray(y_true)[None], np.asarray(y_pred)[None]
        t, y = as_rows(self, y_true, y_pred)
        weights = weights_for(sample_weight, t)
        for name in ("top_k", "class_id"):
            asked = getattr(self, name)
            if asked is not None and asked > y.shape[-1] - (name == "class_id"):
                raise DataError(f"{self.name}: {name}={asked} of {y.shape[-1]} answers")
        if self.top_k is not None:
            places = np.argsort(np.argsort(-y, axis=-1, kind="stable"), axis=-1)  # of equal ones the first
            y = np.where(places < self.top_k, y, -np.inf)
        if self.class_id is not None:
            t, y, weights = (each[..., self.class_id] for each in (t, y, weights))
        self._counts += self._count(t, y, weights)

    def _count(self, t: Array, y: Array, weights: Array) -> Array:
        positive, weights = t.reshape(-1) > 0, weights.reshape(-1)
        above = np.searchsorted(self._limits, y.reshape(-1), side="left")  # how many thresholds lie below
        counts = np.zeros((4, len(self._limits)))
        for found, missed, rows in ((0, 2, positive), (1, 3, ~positive)):
            histogram = np.bincount(above[rows], weights=weights[rows], minlength=len(self._limits) + 1)
            counts[found] = histogram[::-1].cumsum()[::-1][1:]
            counts[missed] = histogram.sum() - counts[found]
        return counts

    def _one_or_all(self, values: Array) -> Any:
        return float(values[0]) if len(values) == 1 else values


def _limits(name: str, given: Any) -> tuple[Any, list[float]]:
    """Thresholds as they were given, and as a rising list; one half by default."""
    if given is None:
        return None, [0.5]
    each = list(given) if isinstance(given, list | tuple) else [given]
    return given, [number(one, f"{name}: thresholds", 0.0, 1.0 + EPSILON) for one in each]


class _AtThresholds(Counted):
    def __init__(
        self,
        thresholds: Any = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
    ) -> None:
        self.thresholds, limits = _limits(type(self).__name__, thresholds)
        if limits != sorted(limits):
            raise ConfigError(f"{type(self).__name__}: thresholds must rise, got {shown(thresholds)}")
        super().__init__(name, [-np.inf] if top_k is not None and thresholds is None else limits, top_k, class_id)


class Precision(_AtThresholds):
    """True positives over all that was found."""

    def result(self) -> Any:
        return self._one_or_all(share(self._counts[0], self._counts[0] + self._counts[1]))


class Recall(_AtThresholds):
    """True positives over all that there were."""

    def result(self) -> Any:
        return self._one_or_all(share(self._counts[0], self._counts[0] + self._counts[2]))


class _Count(Counted):
    which: ClassVar[int]

    def __init__(self, thresholds: Any = None, name: str | None = None) -> None:
        self.thresholds, limits = _limits(type(self).__name__, thresholds)
        super().__init__(name, limits, None, None)

    def result(self) -> Any:
        return self._one_or_all(np.array(self._counts[self.which]))


class TruePositives(_Count):
    """How many of the label 1 were found."""

    which = 0


class FalsePositives(_Count):
    """How many of the label 0 were found."""

    which = 1


class FalseNegatives(_Count):
    """How many of the label 1 were missed."""

    which = 2


class TrueNegatives(_Count):
    """How many of the label 0 were left alone."""

    which = 3


class AUC(Counted):
    """The area under a curve through `num_thresholds` points: "ROC", or "PR" of precision over recall.

    Between the points the ROC curve is straight, and PR follows Davis & Goadrich's interpolation.
    multi_label: the mean of each unit's own area, instead of one over all units.
    Errors: ConfigError for another curve, or way of summing.
    Source: Davis & Goadrich 2006, section 4.
    """

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        *,
        multi_label: bool = False,
        num_labels: int | None = None,
        from_logits: bool = False,
    ) -> None:
        for what, value, words in (
            ("curve", curve, ("ROC", "PR")),
            ("summation_method", summation_method, ("interpolation",)),
        ):
            if value not in words:
                raise ConfigError(f"AUC: {what} must be {' or '.join(map(repr, words))}, got {shown(value)}")
        self.num_thresholds = whole(num_thresholds, "AUC: num_thresholds", 10**6, least=2)
        inner = [(i + 1) / (self.num_thresholds - 1) for i in range(self.num_thresholds - 2)]
        self.multi_label, self.num_labels = flag(multi_label, "AUC: multi_label"), num_labels
        super().__init__(name, [-EPSILON, *inner, 1 + EPSILON], None, None)
        self.curve, self.summation_method = curve, summation_method
        self.from_logits = flag(from_logits, "AUC: from_logits")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        t, y = as_rows(self, y_true, y_pred)
        if self.from_logits:
            y = 1 / (1 + np.exp(-y))
        if not self.multi_label:
            super().update_state(t, y, sample_weight)
            return
        units, weights = t.shape[-1], weights_for(sample_weight, t)
        if UNITS not in self._variables:
            self.add_weight(UNITS, (units, *self._counts.shape))
        for unit in range(units):
            self._variables[UNITS][unit] += self._count(t[..., unit], y[..., unit], weights[..., unit])

    def result(self) -> float:
        if not self.multi_label:
            return self._area(np.array(self._counts))
        units = np.array(self._variables[UNITS]) if UNITS in self._variables else np.zeros((1, *self._counts.shape))
        return float(np.mean([self._area(counts) for counts in units]))

    def _area(self, counts: Array) -> float:
        tp, fp, fn, tn = counts
        if self.curve == "PR":
            return _area_of_precision(tp, fp, fn)
        recall, fallout = share(tp, tp + fn), share(fp, fp + tn)
        return float(((fallout[:-1] - fallout[1:]) * (recall[:-1] + recall[1:]) / 2).sum())


def _area_of_precision(tp: Array, fp: Array, fn: Array) -> float:
    found = tp + fp
    dtp, dfound = tp[:-1] - tp[1:], found[:-1] - found[1:]
    slope = share(dtp, np.maximum(dfound, 0))
    rest = tp[1:] - slope * found[1:]
    both = (found[:-1] > 0) & (found[1:] > 0)
    ratio = np.where(both, found[:-1] / np.where(both, found[1:], 1), 1.0)
    return float(share(slope * (dtp + rest * np.log(ratio)), np.maximum(tp[1:] + fn[1:], 0)).sum())


AVERAGES = ("micro", "macro", "weighted")


class FBetaScore(Metric):
    """(1 + beta^2) * precision * recall / (beta^2 * precision + recall), of each unit or averaged.

    average: "macro" (of the units' scores), "micro" (of all units' counts), "weighted" (by how often a unit is the
    label), or None for a score of each unit. threshold: above which a unit is found; None: the largest alone.
    Errors: ConfigError for arguments.
    """

    named = "fbeta_score"

    def __init__(
        self, average: str | None = None, beta: float = 1.0, threshold: float | None = None, name: str | None = None
    ) -> None:
        super().__init__(name)
        if not (average is None or average in AVERAGES):
            raise ConfigError(
                f"{type(self).__name__}: average must be one of {', '.join(AVERAGES)}, got {shown(average)}"
            )
        self.average, self.beta = average, above_zero(beta, f"{type(self).__name__}: beta")
        self.threshold = None if threshold is None else number(threshold, f"{type(self).__name__}: threshold", 0.0, 1.0)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        t, y = (each.reshape(-1, each.shape[-1]) for each in as_rows(self, y_true, y_pred))
        weights = weights_for(sample_weight, t)
        largest = y.max(axis=-1, keepdims=True)
        found = (y >= largest) & (np.abs(y) > 1e-9) if self.threshold is None else y > self.threshold
        axis = None if self.average == "micro" else 0
        sums = [(weights * each).sum(axis=axis) for each in (found * t, found * (1 - t), (1 - found) * t)]
        if UNITS not in self._variables:
            self.add_weight(UNITS, np.shape(sums))
        self._variables[UNITS] += np.array(sums)

    def result(self) -> Any:
        if UNITS not in self._variables:
            return 0.0
        tp, fp, fn = np.array(self._variables[UNITS])
        precision, recall = tp / (tp + fp + EPSILON), tp / (tp + fn + EPSILON)
        beta2 = self.beta**2
        score = (1 + beta2) * precision * recall / (beta2 * precision + recall + EPSILON)
        if self.average == "weighted":
            return float((score * (tp + fn) / ((tp + fn).sum() + EPSILON)).sum())
        return score if self.average is None else float(np.mean(score))


class F1Score(FBetaScore):
    """The harmonic mean of precision and recall: FBetaScore with beta 1."""

    named = "f1_score"

    def __init__(self, average: str | None = None, threshold: float | None = None, name: str | None = None) -> None:
        super().__init__(average, 1.0, threshold, name)


def share(part: Array, whole_: Array) -> Array:
    """0 where the whole is 0."""
    return np.divide(part, whole_, out=np.zeros_like(part), where=whole_ != 0)
