"""Checkpoints, by TensorFlow's names."""

from pellucid import _modules
from pellucid.keras.checkpoints import Checkpoint as Checkpoint
from pellucid.keras.checkpoints import CheckpointManager as CheckpointManager
from pellucid.keras.checkpoints import latest_checkpoint as latest_checkpoint

__all__ = _modules.listed(globals())
