"""Keras's layers: ours, by Keras's names."""

from __future__ import annotations

from pellucid.keras.composed import Lambda as Lambda
from pellucid.keras.composed import Layer as Layer
from pellucid.keras.tensor import KerasInput
from pellucid.layers import NAMES
from pellucid.layers.names import *  # noqa: F403 (each layer is named once, there)

Input = KerasInput  # type: ignore[misc]  # in place of ours

__all__ = sorted([*NAMES, "Lambda", "Layer"])
