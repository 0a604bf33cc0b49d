"""Checkpoints, and the optimizers of TensorFlow 1 that calculate as Keras's do, by TensorFlow's names."""

from typing import Any as _Any

from pellucid import _modules
from pellucid.keras import optimizers as _optimizers
from pellucid.keras.checkpoints import Checkpoint as Checkpoint
from pellucid.keras.checkpoints import CheckpointManager as CheckpointManager
from pellucid.keras.checkpoints import latest_checkpoint as latest_checkpoint


def AdamOptimizer(
    learning_rate: _Any = 0.001, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8, **more: _Any
) -> _Any:
    """`keras.optimizers.Adam` with TensorFlow 1's arguments."""
    return _optimizers.Adam(learning_rate, beta1, beta2, epsilon)


def GradientDescentOptimizer(learning_rate: _Any, **more: _Any) -> _Any:
    """`keras.optimizers.SGD`."""
    return _optimizers.SGD(learning_rate)


__all__ = _modules.listed(globals())
