"""Metrics of a model that are no sums of the plan's own: measured on what the network answers, batch by batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pellucid import metrics
from pellucid.engines import Judging, Training
from pellucid.errors import ConfigError
from pellucid.metrics import Metric
from pellucid.ops.geometry import Array
from pellucid.train.trainable import Trainable

CATEGORICAL, BINARY = "categorical", "binary"

COUNTED: Mapping[str, tuple[str, ...]] = {
    "accuracy": (CATEGORICAL, BINARY),
    "acc": (CATEGORICAL, BINARY),
    "categorical_accuracy": (CATEGORICAL,),
    "sparse_categorical_accuracy": (CATEGORICAL,),
    "binary_accuracy": (BINARY,),
}
"""Keras's names for the share of right answers, and for which kinds of targets (`accuracy_kind`) that is what the plan
counts in every step."""


class Measuring:
    """The metrics that are measured beside the plan's sums; none where those are all that was asked for.

    accuracy: what the plan counts as right, see `accuracy_kind`.
    """

    def __init__(self, model: Trainable, accuracy: str | None) -> None:
        found = (_apart(asked, model, accuracy) for asked in model.metrics)
        self._metrics, self._model = tuple(metric for metric in found if metric is not None), model

    def __bool__(self) -> bool:
        return bool(self._metrics)

    def begin(self) -> None:
        """Forget what was measured."""
        for metric in self._metrics:
            metric.reset_state()

    def add(self, plan: Training | Judging, n: int) -> None:
        """Take in the n pictures that the plan ran last."""
        if self._metrics:
            answers, targets = plan.answers(n), plan.feed.targets[:n]
            numbered = targets.ndim < answers.ndim and self._model.labels_in_rows
            rows = np.equal(targets[..., None], np.arange(answers.shape[-1])) if numbered else targets
            for metric in self._metrics:
                metric.update_state(rows.astype(np.float32) if numbered and metric.takes_rows else targets, answers)

    def results(self) -> dict[str, float]:
        """Each metric's number by its name. Errors: ConfigError for one that gives several."""
        return {metric.name: _number(metric) for metric in self._metrics}

    def state(self) -> Mapping[str, Array]:
        """The metrics' sums, as arrays by name."""
        return {
            f"{metric.name}/{name}": np.array(array) for metric in self._metrics for name, array in metric.sums.items()
        }

    def resume(self, state: Mapping[str, Array]) -> None:
        """Measure on from there."""
        for metric in self._metrics:
            for key, array in state.items():
                owner, _, name = key.partition("/")
                if owner == metric.name:
                    sums = metric.sums.get(name)
                    (metric.add_weight(name, array.shape) if sums is None else sums)[...] = array


def _number(metric: Metric) -> float:
    found = np.asarray(metric.result())
    if found.size != 1:
        raise ConfigError(
            f"metric {metric.name!r} gives {found.size} numbers, but a training records one an epoch; "
            'give it a single threshold, or average="macro"'
        )
    return float(found.reshape(()))


def _apart(asked: str | Metric, model: Trainable, accuracy: str | None) -> Metric | None:
    """The metric that measures what was asked for; None where the plan counts it."""
    if isinstance(asked, str):
        if accuracy in COUNTED[asked]:
            return None
        if asked in ("accuracy", "acc"):  # of what are no classes: as Keras picks
            by_unit = model.graph.output_shape[-1] == 1
            return metrics.BinaryAccuracy(asked) if by_unit else metrics.CategoricalAccuracy(asked)
        return metrics.get(asked)
    if type(asked) in (metrics.CategoricalAccuracy, metrics.SparseCategoricalAccuracy) and accuracy == CATEGORICAL:
        return None
    probabilities = not getattr(model.loss, "from_logits", False)
    if type(asked) is metrics.BinaryAccuracy and accuracy == BINARY and probabilities:
        return None if asked.threshold == metrics.THRESHOLD else asked
    return asked


def plain(asked: Any) -> str | Metric:
    """A metric as it is kept: Keras's names of the accuracy as they are, everything else as an object."""
    return asked if isinstance(asked, str) and asked in COUNTED else metrics.get(asked)
