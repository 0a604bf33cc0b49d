"""Keras's callbacks: ours, by Keras's names and with its defaults."""

from __future__ import annotations

import os
from typing import Any

from pellucid.train import TensorBoard as _TensorBoard
from pellucid.train.callbacks import (
    BackupAndRestore,
    Callback,
    CSVLogger,
    LambdaCallback,
    LearningRateScheduler,
    ModelCheckpoint,
    ProgbarLogger,
    ReduceLROnPlateau,
    TerminateOnNaN,
)
from pellucid.train.callbacks import EarlyStopping as _EarlyStopping
from pellucid.train.callbacks import HistoryCallback as History

__all__ = [
    "BackupAndRestore", "CSVLogger", "Callback", "EarlyStopping", "History", "LambdaCallback", "LearningRateScheduler",
    "ModelCheckpoint", "ProgbarLogger", "ReduceLROnPlateau", "TensorBoard", "TerminateOnNaN",
]  # fmt: skip


class EarlyStopping(_EarlyStopping):
    """Ours with Keras's defaults: it watches the loss of held-out pictures, and warns where that is not measured."""

    warns = True

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0.0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__(monitor, min_delta, patience, verbose, mode, baseline, restore_best_weights, start_from_epoch)


class TensorBoard(_TensorBoard):
    """Ours; it writes numbers and histograms of each epoch. Keras's other arguments change nothing."""

    def __init__(self, log_dir: str | os.PathLike[str] = "./logs", histogram_freq: int = 0, *_: Any, **__: Any) -> None:
        super().__init__(os.fspath(log_dir), histogram_freq=histogram_freq)
