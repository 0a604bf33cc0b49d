"""Losses and metrics of several outputs, as `compile` takes them: one for all, a list, or by the outputs' names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from pellucid import losses
from pellucid.errors import ConfigError, DataError, shown
from pellucid.metrics import Mean, Metric
from pellucid.ops.geometry import LARGEST, number
from pellucid.plan import accuracy_kind

Make = Callable[[Any, "str | None", int], Metric]
"""A metric of what was asked for, of the kind that labels have, and of how many numbers an output gives."""


class OutputLosses:
    """What a network with several outputs is judged by: the sum of weight * loss; of each output its loss and metrics.

    names: of the outputs. Errors: ConfigError for names that there are not, and for another number of losses, of
    weights or of metrics than outputs.
    """

    def __init__(self, names: Sequence[str], loss: Any, loss_weights: Any, metrics: Any) -> None:
        self.names = list(names)
        given = self._each(loss, "loss")
        self.losses = [None if each is None else losses.get(each) for each in given]
        weights = self._each(loss_weights, "loss_weights")
        self._weights = [1.0 if each is None else number(each, "loss_weights", -LARGEST) for each in weights]
        self._asked = [_as_list(each) for each in self._each(_one_each(metrics, len(self.names)), "metrics")]
        self._trackers = [Mean(f"{name}_loss") for name in self.names]
        self._metrics: list[tuple[int, str, Metric]] | None = None
        self._parts: list[tuple[int, float]] = []

    def _each(self, given: Any, what: str) -> list[Any]:
        """What was given, one for each output; None where nothing was."""
        if isinstance(given, Mapping):
            if unknown := sorted(set(map(str, given)) - set(self.names)):
                raise ConfigError(f"compile: {what} names {unknown[0]!r}; the outputs are {', '.join(self.names)}")
            return [given.get(name) for name in self.names]
        if isinstance(given, list | tuple):
            if len(given) != len(self.names):
                raise ConfigError(f"compile: {what} are {len(given)}, the outputs {', '.join(self.names)}; one each")
            return list(given)
        return [given] * len(self.names)

    def of_each(self, given: Any, what: str) -> list[Any]:
        """Arrays, one for each output, in order. Errors: DataError where one is missing."""
        found = [given.get(name) for name in self.names] if isinstance(given, Mapping) else given
        right = isinstance(found, list | tuple) and len(found) == len(self.names)
        wanted = [each for each, loss in zip(found, self.losses, strict=True) if loss is not None] if right else [None]
        if any(each is None for each in wanted):
            got = f"those of {', '.join(map(str, given))}" if isinstance(given, Mapping) else shown(np.shape(given))
            raise DataError(f"{what} must be an array for each of {', '.join(self.names)}, got {got}")
        return list(found)

    def loss(self, y: Any, y_pred: Any, sample_weight: Any) -> Any:
        """The weighted sum, recorded where the answers are."""
        targets, answers = self.of_each(y, "labels"), self.of_each(y_pred, "what the network gives")
        same = not isinstance(sample_weight, list | tuple | Mapping)
        importance = [sample_weight] * len(targets) if same else self._each(sample_weight, "sample_weight")
        total: Any = 0.0
        self._parts = []
        for place, loss in enumerate(self.losses):
            if loss is not None:
                part = loss(targets[place], answers[place], importance[place])
                self._parts.append((place, float(part)))
                total = total + self._weights[place] * part
        return total

    def measure(self, y: Any, y_pred: Any, sample_weight: Any, count: int, make: Make) -> dict[str, Any]:
        """Take a batch of so many pictures in, whose `loss` was asked for; what is measured so far."""
        targets = [None if each is None else np.asarray(each) for each in self.of_each(y, "labels")]
        answers = [np.asarray(each) for each in self.of_each(y_pred, "what the network gives")]
        if self._metrics is None:
            self._metrics = []
            for place, name in enumerate(self.names):
                loss, labels = self.losses[place], targets[place]
                kind = None if loss is None or labels is None else accuracy_kind(loss.joint_activation, labels)
                for asked in self._asked[place]:
                    metric = make(asked, kind, answers[place].shape[-1])
                    self._metrics.append((place, f"{name}_{metric.name}", metric))
        for place, part in self._parts:
            self._trackers[place].update_state(part, count)
        for place, _, metric in self._metrics:
            weights = sample_weight if not isinstance(sample_weight, list | tuple | Mapping) else None
            metric.update_state(targets[place], answers[place], weights)
        return self.results()

    def results(self) -> dict[str, Any]:
        """What is measured so far, by Keras's names."""
        tracked = [self._trackers[place] for place, loss in enumerate(self.losses) if loss is not None]
        found = {mean.name: mean.result() for mean in tracked}
        return found | {name: metric.result() for _, name, metric in self._metrics or ()}

    @property
    def every(self) -> list[Metric]:
        """All that measures."""
        return [*self._trackers, *(metric for _, _, metric in self._metrics or ())]


def _as_list(given: Any) -> list[Any]:
    return [] if given is None else list(given) if isinstance(given, list | tuple) else [given]


def _one_each(metrics: Any, count: int) -> Any:
    """A list with one metric is for every output, as older programs have it."""
    alone = isinstance(metrics, list | tuple) and len(metrics) == 1 < count and not isinstance(metrics[0], list | tuple)
    return metrics[0] if alone else None if isinstance(metrics, list | tuple) and not metrics else metrics
