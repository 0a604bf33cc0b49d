"""Callbacks: listeners of a training with Keras's names and methods.

callback.py: what one is, and short ones; monitored.py: those that watch a number; early_stopping.py; files.py: those
that write.
"""

from __future__ import annotations

from pellucid.train.callbacks.callback import (
    BaseLogger,
    Callback,
    HistoryCallback,
    LambdaCallback,
    LearningRateScheduler,
    ProgbarLogger,
    TerminateOnNaN,
)
from pellucid.train.callbacks.early_stopping import EarlyStopping
from pellucid.train.callbacks.files import BackupAndRestore, CSVLogger
from pellucid.train.callbacks.monitored import ModelCheckpoint, ReduceLROnPlateau

__all__ = [
    "BackupAndRestore", "BaseLogger", "CSVLogger", "Callback", "EarlyStopping", "HistoryCallback", "LambdaCallback",
    "LearningRateScheduler", "ModelCheckpoint", "ProgbarLogger", "ReduceLROnPlateau", "TerminateOnNaN",
]  # fmt: skip
