"""Metrics that are means over pictures: accuracies, losses, and functions of one's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from pellucid import losses
from pellucid.metrics.functions import THRESHOLD
from pellucid.metrics.metric import Metric, as_numbers, as_rows, pair, weights_for
from pellucid.ops import Array
from pellucid.ops.geometry import number, whole


class Mean(Metric):
    """A running mean of numbers that come in batches, each number with the same weight.

    >>> mean = Mean()
    >>> mean.add(1.0, count=3); mean.add(5.0)
    >>> mean.value
    2.0
    >>> mean.update_state([4.0, 6.0]); round(mean.result(), 2)
    3.0
    """

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name)
        self._total, self._count = self.add_weight("total"), self.add_weight("count")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Take in numbers, with weights or without."""
        values = np.asarray(values, np.float64)
        weights = (
            weights_for(sample_weight, values)
            if values.ndim
            else np.float64(1.0 if sample_weight is None else sample_weight)
        )
        self._total.assign_add((values * weights).sum())
        self._count.assign_add(weights.sum())

    def result(self) -> float:
        """The mean so far; 0 before the first number, as in Keras."""
        return float(self._total / self._count) if self._count else 0.0

    def add(self, mean: float, count: int = 1) -> None:
        """Take in a batch of `count` numbers with this mean."""
        self._total.assign_add(float(mean) * count)
        self._count.assign_add(count)

    @property
    def total(self) -> float:
        """The sum of all numbers."""
        return float(self._total)

    @property
    def count(self) -> int | float:
        """How many, or their weights together."""
        found = float(self._count)
        return int(found) if found.is_integer() else found

    @property
    def value(self) -> float:
        """The mean so far; NaN before the first number."""
        return self.result() if self._count else float("nan")

    def __repr__(self) -> str:
        return f"<Mean {self.value:g} of {self.count:,}>"


class Sum(Mean):
    """A running sum of numbers that come in batches."""

    def result(self) -> float:
        return self.total


class MeanOf(Metric):
    """The mean of `values` over pictures, and over pixels where there are any."""

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name)
        self._total, self._count = self.add_weight("total"), self.add_weight("count")

    def values(self, y_true: Any, y_pred: Any) -> Array:
        """One number for each picture or pixel."""
        raise NotImplementedError

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        values = np.asarray(self.values(y_true, y_pred), np.float64)
        if not values.ndim:
            values = values[None]
            sample_weight = None
        weights = weights_for(sample_weight, values)
        self._total.assign_add((values * weights).sum())
        self._count.assign_add(weights.sum())

    def result(self) -> float:
        return float(self._total / self._count) if self._count else 0.0


class MeanMetricWrapper(MeanOf):
    """The mean of a function of (y_true, y_pred), called with `arguments`, that gives a number for each picture.

    Errors: ConfigError for what is no function.
    """

    def __init__(self, fn: Callable[..., Any], name: str | None = None, **arguments: Any) -> None:
        super().__init__(name or getattr(fn, "__name__", None))
        self._function, self._arguments = fn, arguments

    def values(self, y_true: Any, y_pred: Any) -> Array:
        t, y = pair(self, y_true, y_pred)
        if t.ndim == y.ndim - 1:
            t = t[..., None]
        return np.asarray(self._function(t, y, **self._arguments))


class Accuracy(MeanOf):
    """The share of entries that are equal."""

    def values(self, y_true: Any, y_pred: Any) -> Array:
        return np.asarray(np.equal(*as_rows(self, y_true, y_pred)))


class BinaryAccuracy(MeanOf):
    """The share of units that are on the label's side of `threshold`."""

    def __init__(self, name: str | None = None, threshold: float = THRESHOLD) -> None:
        super().__init__(name)
        self.threshold = number(threshold, f"{type(self).__name__}: threshold", 0.0, 1.0)

    def values(self, y_true: Any, y_pred: Any) -> Array:
        t, y = as_rows(self, y_true, y_pred)
        return np.asarray(np.equal(t, y > self.threshold))


class CategoricalAccuracy(MeanOf):
    """The share of pictures whose largest answer is at the label."""

    def values(self, y_true: Any, y_pred: Any) -> Array:
        t, y = as_numbers(self, y_true, y_pred)
        return np.asarray(np.equal(t, y.argmax(axis=-1)))


class SparseCategoricalAccuracy(CategoricalAccuracy):
    """The same under Keras's second name."""


class TopKCategoricalAccuracy(MeanOf):
    """The share of pictures whose label is among the k largest answers; equal answers count for the label."""

    def __init__(self, k: int = 5, name: str | None = None) -> None:
        super().__init__(name)
        self.k = whole(k, f"{type(self).__name__}: k")

    def values(self, y_true: Any, y_pred: Any) -> Array:
        t, y = as_numbers(self, y_true, y_pred)
        own = np.take_along_axis(y, t[..., None].astype(np.int64), axis=-1)
        return np.asarray((y > own).sum(axis=-1) < self.k)


class SparseTopKCategoricalAccuracy(TopKCategoricalAccuracy):
    """The same under Keras's second name."""


class RootMeanSquaredError(MeanOf):
    """The root of the mean of (prediction - label)^2."""

    def values(self, y_true: Any, y_pred: Any) -> Array:
        t, y = as_rows(self, y_true, y_pred)
        return np.asarray(np.square(y - t))

    def result(self) -> float:
        return float(np.sqrt(super().result()))


class _MeanLoss(MeanOf):
    """A loss as a metric."""

    loss: ClassVar[type[losses.Loss]]

    def __init__(self, name: str | None = None, **arguments: Any) -> None:
        super().__init__(name)
        self._loss = self.loss(**arguments, reduction="none")

    def values(self, y_true: Any, y_pred: Any) -> Array:
        return np.asarray(self._loss(y_true, y_pred))

    def config(self) -> dict[str, Any]:
        return {**self._loss.config(), "type": type(self).__name__, "name": self.name}


def _of(loss: type[losses.Loss], name: str = "", named: str = "") -> type[_MeanLoss]:
    """The metric of a loss, under its class's name or another. named: what it is recorded under."""
    about = {"loss": loss, "named": named, "__doc__": f"The loss {loss.__name__} as a metric.", "__module__": __name__}
    return type(name or loss.__name__, (_MeanLoss,), about)


MeanSquaredError = _of(losses.MeanSquaredError)
MeanAbsoluteError = _of(losses.MeanAbsoluteError)
MeanAbsolutePercentageError = _of(losses.MeanAbsolutePercentageError)
MeanSquaredLogarithmicError = _of(losses.MeanSquaredLogarithmicError)
LogCoshError = _of(losses.LogCosh, "LogCoshError", "logcosh")
Poisson = _of(losses.Poisson)
KLDivergence = _of(losses.KLDivergence, named="kl_divergence")
Hinge = _of(losses.Hinge)
SquaredHinge = _of(losses.SquaredHinge)
CategoricalHinge = _of(losses.CategoricalHinge)
BinaryCrossentropy = _of(losses.BinaryCrossentropy)
CategoricalCrossentropy = _of(losses.CategoricalCrossentropy)
SparseCategoricalCrossentropy = _of(losses.SparseCategoricalCrossentropy)


class CosineSimilarity(_MeanLoss):
    """The mean cosine of the angle between label and prediction: 1 for the same direction."""

    loss = losses.CosineSimilarity

    def values(self, y_true: Any, y_pred: Any) -> Array:
        return -super().values(y_true, y_pred)


class _MetricFunction:
    """A metric as Keras's function: of each picture, or pixel, by itself."""

    def __init__(self, make: Callable[..., MeanOf]) -> None:
        self._make, self.__name__ = make, make().name

    def __call__(self, y_true: Any, y_pred: Any, **arguments: Any) -> Array:
        return np.asarray(self._make(**arguments).values(y_true, y_pred), np.float32)


binary_accuracy = _MetricFunction(BinaryAccuracy)
categorical_accuracy = _MetricFunction(CategoricalAccuracy)
sparse_categorical_accuracy = _MetricFunction(SparseCategoricalAccuracy)
top_k_categorical_accuracy = _MetricFunction(TopKCategoricalAccuracy)
sparse_top_k_categorical_accuracy = _MetricFunction(SparseTopKCategoricalAccuracy)
