"""Metrics of the best threshold: one share is to be at least so much, and another as large as it can be then."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from pellucid.metrics.confusion import EPSILON, Counted, share
from pellucid.ops.geometry import number, whole

SENSITIVITY, PRECISION, SPECIFICITY = (0, 2), (0, 1), (3, 1)
"""Rows of the counts: a share is that of the first in both."""
RECALL = SENSITIVITY


class _Constrained(Counted):
    """The largest `best` among thresholds at which `kept` is at least the value; 0 where there is none.

    Errors: ConfigError for a value that is no share, or fewer than one threshold.
    """

    kept: ClassVar[tuple[int, int]]
    best: ClassVar[tuple[int, int]]

    def __init__(self, value: float, num_thresholds: int, class_id: int | None, name: str | None) -> None:
        kind = type(self).__name__
        self.num_thresholds = whole(num_thresholds, f"{kind}: num_thresholds", 10**6)
        limits = [-EPSILON, *np.linspace(0, 1, num_thresholds)[1:]] if num_thresholds > 1 else [0.5]
        self._value = number(value, f"{kind}: the value to keep", 0.0, 1.0 + EPSILON)
        super().__init__(name, limits, None, class_id)

    def result(self) -> float:
        counts = np.array(self._counts)
        kept, best = (share(counts[a], counts[a] + counts[b]) for a, b in (self.kept, self.best))
        return float(best[kept >= self._value].max(initial=0.0))


class SensitivityAtSpecificity(_Constrained):
    """The largest share of the label 1 that is found, where at least `specificity` of the label 0 is left alone."""

    kept, best = SPECIFICITY, SENSITIVITY

    def __init__(
        self, specificity: float, num_thresholds: int = 200, class_id: int | None = None, name: str | None = None
    ) -> None:
        super().__init__(specificity, num_thresholds, class_id, name)
        self.specificity = self._value


class SpecificityAtSensitivity(_Constrained):
    """The largest share of the label 0 that is left alone, where at least `sensitivity` of the label 1 is found."""

    kept, best = SENSITIVITY, SPECIFICITY

    def __init__(
        self, sensitivity: float, num_thresholds: int = 200, class_id: int | None = None, name: str | None = None
    ) -> None:
        super().__init__(sensitivity, num_thresholds, class_id, name)
        self.sensitivity = self._value


class PrecisionAtRecall(_Constrained):
    """The largest precision, where recall is at least `recall`."""

    kept, best = RECALL, PRECISION

    def __init__(
        self, recall: float, num_thresholds: int = 200, class_id: int | None = None, name: str | None = None
    ) -> None:
        super().__init__(recall, num_thresholds, class_id, name)
        self.recall = self._value


class RecallAtPrecision(_Constrained):
    """The largest recall, where precision is at least `precision`."""

    kept, best = PRECISION, RECALL

    def __init__(
        self, precision: float, num_thresholds: int = 200, class_id: int | None = None, name: str | None = None
    ) -> None:
        super().__init__(precision, num_thresholds, class_id, name)
        self.precision = self._value
