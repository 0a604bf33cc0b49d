"""What was measured: the record of a run, one number an epoch, and the result of one evaluation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from pellucid._display import Shown
from pellucid.errors import expect_known
from pellucid.metrics import iou_of
from pellucid.ops import Array
from pellucid.plan import COUNT, HITS, LOSS, counts_of

ACCURACY_NAMES = ("accuracy", "acc", "categorical_accuracy", "sparse_categorical_accuracy", "binary_accuracy")
"""Keras's names for the share of right answers; here all are that one number."""

MEAN_IOU = "mean_iou"
"""What the mean intersection over union of a network's classes of pixels is recorded as."""
SHARES = ("accuracy", MEAN_IOU)
"""How the names of numbers end that are shares of one, and rise."""
NAMES = {MEAN_IOU: "mean IoU"}
"""What numbers are called that are not called as they are recorded."""


def named(logs: Mapping[str, float], names: Sequence[str]) -> dict[str, float]:
    """The same numbers in the order of these names, after the loss; a name that is not among them is the accuracy's.

    >>> named({"loss": 0.3, "val_loss": 0.4, "val_accuracy": 0.9}, ["acc"])
    {'loss': 0.3, 'val_loss': 0.4, 'val_acc': 0.9}
    >>> named({"loss": 0.3, "accuracy": 0.9, "auc": 0.8}, ["auc", "acc"])
    {'loss': 0.3, 'auc': 0.8, 'acc': 0.9}
    """
    logged: dict[str, float] = {}
    for start in ("", "val_"):
        own = {key: value for key, value in logs.items() if key.startswith("val_") == bool(start)}
        counted = own.pop(f"{start}{ACCURACY_NAMES[0]}", None)
        if f"{start}loss" in own:
            logged[f"{start}loss"] = own[f"{start}loss"]
        for name in names:
            value = own.get(f"{start}{name}", counted)
            if value is not None:
                logged[f"{start}{name}"] = value
        logged |= own
    return logged


def means(totals: Array, accuracy: str | None) -> dict[str, float]:
    """Sums over pictures as means: loss, and accuracy where it means something; of classes of pixels their mean IoU.

    Where no pixel was counted, that and the accuracy are 0.
    """
    count, counts = max(float(totals[COUNT]), 1.0), counts_of(totals)
    logs = {"loss": float(totals[LOSS]) / count}
    if counts.size:
        both, truth, _ = counts
        logs["accuracy"] = float(both.sum() / max(truth.sum(), 1.0))
        logs[MEAN_IOU] = float(np.nanmean(iou_of(counts))) if truth.any() else 0.0
    elif accuracy:
        logs["accuracy"] = float(totals[HITS]) / count
    return logs


class Columns(dict[str, Any]):
    """Numbers, of one epoch or of each, by name; the accuracy by either name, as programs of two times write it."""

    def __missing__(self, name: str) -> Any:
        start = "val_" if name.startswith("val_") else ""
        other = {"acc": "accuracy", "accuracy": "acc"}.get(name.removeprefix(start), "")
        if start + other in self:
            return self[start + other]
        raise KeyError(name)

    def get(self, name: str, default: Any = None) -> Any:
        """As of every dictionary, by either name."""
        try:
            return self[name]
        except KeyError:
            return default


class History(Shown):
    """`history["loss"]` and `history.history["loss"]` are lists with one entry an epoch, under Keras's keys.

    Keys: loss, accuracy (classifiers), mean_iou (of classes of pixels), the same with val_ (with validation pictures),
    learning_rate.
    `epoch` and `best_epoch` count from 0, as Keras's do; everything printed, drawn and logged counts from 1.
    `advice`: what the training doctor said, a line each; none where all went well. `params`: epochs, steps of an epoch
    and verbose, as callbacks are told them; `model`: what was trained.
    """

    params: Mapping[str, Any] = MappingProxyType({})
    model: Any = None

    def __init__(self) -> None:
        self.history: dict[str, list[float]] = Columns()
        self.epoch: list[int] = []
        self.best_epoch: int | None = None
        self.advice: list[str] = []

    def append(self, epoch: int, logs: Mapping[str, float], *, improved: bool) -> None:
        """Add one epoch's numbers."""
        self.epoch.append(epoch)
        for name, value in logs.items():
            self.history.setdefault(name, []).append(value)
        if improved:
            self.best_epoch = epoch

    def __getitem__(self, name: str) -> list[float]:
        return self.history[name]

    def __repr__(self) -> str:
        last = ", ".join(f"{name} {values[-1]:.4g}" for name, values in self.history.items())
        return f"History({len(self.epoch)} epochs; last: {last})"


class Evaluation(Shown):
    """What `evaluate` found: unpacks as numbers (loss, accuracy), and answers `["accuracy"]` and `["loss"]`.

    Errors: ConfigError for a name that was not measured.
    """

    def __init__(self, logs: Mapping[str, float]) -> None:
        self._logs = dict(logs)

    def __iter__(self) -> Iterator[float]:
        return iter(self._logs.values())

    def __len__(self) -> int:
        return len(self._logs)

    def __contains__(self, name: object) -> bool:
        return name in self._logs

    def __getitem__(self, key: str | int) -> float:
        if not isinstance(key, str):
            return list(self._logs.values())[key]
        return self._logs[expect_known("result of evaluate", key, self._logs)]

    def keys(self) -> list[str]:
        """Names of the numbers, in order."""
        return list(self._logs)

    def __repr__(self) -> str:
        return ", ".join(f"{name} {value:.4f}" for name, value in self._logs.items())
