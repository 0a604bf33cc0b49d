"""Metrics of numbers beside each other: how much of their variance is explained, and how they go together."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.errors import ConfigError, DataError, shown
from pellucid.metrics.means import MeanOf
from pellucid.metrics.metric import Metric, as_rows, weights_for
from pellucid.ops import Array
from pellucid.ops.geometry import whole

AGGREGATIONS = ("uniform_average", "variance_weighted_average", None)


class R2Score(Metric):
    """1 - sum of (label - answer)^2 / sum of (label - mean label)^2, of each unit, then their mean.

    class_aggregation: "uniform_average", "variance_weighted_average", or None for one a unit. num_regressors: above 0,
    the score is adjusted for so many, of as many samples as there are labels, as in Keras.
    Shapes: y_true and y_pred (N, units).
    Errors: ConfigError for another aggregation; DataError for other shapes.
    Source: Wright 1921; the adjusted one: Ezekiel 1930.
    """

    def __init__(
        self,
        class_aggregation: str | None = "uniform_average",
        num_regressors: int = 0,
        name: str | None = None,
    ) -> None:
        super().__init__(name)
        if not isinstance(class_aggregation, str | None) or class_aggregation not in AGGREGATIONS:
            raise ConfigError(f"R2Score: class_aggregation must be of {AGGREGATIONS}, got {shown(class_aggregation)}")
        self.class_aggregation = class_aggregation
        self.num_regressors = whole(num_regressors, "R2Score: num_regressors", least=0)
        self._count = self.add_weight("count")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        t, y = as_rows(self, y_true, y_pred)
        if t.ndim != 2:
            raise DataError(f"R2Score: y_true and y_pred must be (N, units), got {t.shape}")
        weights = np.broadcast_to(weights_for(sample_weight, t), t.shape)
        if "sums" not in self._variables:
            self.add_weight("sums", (4, t.shape[1]))
        sums = self._variables["sums"]
        sums += np.stack([each.sum(axis=0) for each in (weights, weights * t, weights * t * t, weights * (t - y) ** 2)])
        self._count.assign_add(t.size)

    def result(self) -> Any:
        if "sums" not in self._variables:
            return 0.0
        weight, total, squares, residual = np.array(self._variables["sums"])
        spread = squares - total * total / weight
        with np.errstate(divide="ignore", invalid="ignore"):
            scores = 1 - residual / spread
        scores = np.where(np.isfinite(scores), scores, 0.0)
        found: Any = scores
        if self.class_aggregation is not None:
            even = self.class_aggregation == "uniform_average"
            found = float(np.average(scores, weights=None if even else spread))
        count = float(self._count)
        if self.num_regressors and self.num_regressors < count - 1:
            found = 1 - (1 - found) * (count - 1) / (count - self.num_regressors - 1)
        return found


def _deviations(metric: Metric, y_true: Any, y_pred: Any) -> tuple[Array, Array, Array, Array]:
    """Labels and answers less their row's mean, and these means."""
    t, y = as_rows(metric, y_true, y_pred)
    means = [each.mean(axis=-1, keepdims=True) for each in (t, y)]
    return t - means[0], y - means[1], means[0][..., 0], means[1][..., 0]


class PearsonCorrelation(MeanOf):
    """The mean correlation of label and answer along the last axis: 1 where they lie on one rising line.

    Source: Pearson 1895.
    """

    def values(self, y_true: Any, y_pred: Any) -> Array:
        t, y, *_ = _deviations(self, y_true, y_pred)
        sizes = np.sqrt((t * t).sum(axis=-1) * (y * y).sum(axis=-1))
        return np.asarray((t * y).sum(axis=-1) / np.maximum(sizes, 1e-12))


class ConcordanceCorrelation(MeanOf):
    """The same with what the means and spreads are apart taken off: 1 where label and answer are equal.

    Source: Lin 1989.
    """

    def values(self, y_true: Any, y_pred: Any) -> Array:
        t, y, t_mean, y_mean = _deviations(self, y_true, y_pred)
        spread = (t * t).mean(axis=-1) + (y * y).mean(axis=-1) + (t_mean - y_mean) ** 2
        return np.asarray(2 * (t * y).mean(axis=-1) / np.maximum(spread, 1e-12))
