"""Keras's callbacks: ours, by Keras's names and with its defaults."""

from __future__ import annotations

import os
import warnings
from typing import Any

from pellucid.train import TensorBoard as _TensorBoard
from pellucid.train.callbacks import (
    BackupAndRestore,
    BaseLogger,
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
    "BackupAndRestore", "BaseLogger", "CSVLogger", "Callback", "EarlyStopping", "History", "LambdaCallback",
    "LearningRateScheduler", "ModelCheckpoint", "ProgbarLogger", "ReduceLROnPlateau", "TensorBoard", "TerminateOnNaN",
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
    """Ours: the numbers of each epoch, and histograms of the weights. What else Keras's would write is warned of.

    update_freq changes nothing, nor does what older programs said of it: batch_size, write_grads.
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str] = "./logs",
        histogram_freq: int = 0,
        write_graph: bool = True,
        write_images: bool = False,
        write_steps_per_second: bool = False,
        update_freq: str | int = "epoch",
        profile_batch: Any = 0,
        embeddings_freq: int = 0,
        embeddings_metadata: Any = None,
        *,
        embeddings_layer_names: Any = None,
        embeddings_data: Any = None,
        batch_size: int | None = None,
        write_grads: bool = False,
    ) -> None:
        asked = {
            "write_images": write_images, "write_steps_per_second": write_steps_per_second,
            "embeddings_freq": embeddings_freq,
        }  # fmt: skip
        for name in [name for name, value in asked.items() if value]:
            warnings.warn(f"TensorBoard({name}=...) writes nothing here: numbers and histograms alone", stacklevel=2)
        super().__init__(os.fspath(log_dir), histogram_freq=histogram_freq)
