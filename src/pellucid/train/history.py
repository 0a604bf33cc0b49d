"""The record of a run: one number an epoch for everything measured."""

from __future__ import annotations

from collections.abc import Mapping


class History:
    """`history["loss"]` and `history.history["loss"]` are lists with one entry an epoch, under Keras's keys.

    Keys: loss, accuracy (classifiers), val_loss, val_accuracy (with validation pictures), learning_rate.
    """

    def __init__(self) -> None:
        self.history: dict[str, list[float]] = {}
        self.epoch: list[int] = []
        self.best_epoch: int | None = None

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
