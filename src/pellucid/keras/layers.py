"""Keras's layers: ours, by Keras's names."""

from __future__ import annotations

from pellucid.layers import NAMES
from pellucid.layers import Layer as Layer
from pellucid.layers.names import *  # noqa: F403 (each layer is named once, there)

__all__ = sorted([*NAMES, "Layer"])
