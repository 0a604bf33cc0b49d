"""Keras's module of this name, see `scaling.py`."""

from __future__ import annotations

from pellucid.keras.networks.scaling import decode_predictions as decode_predictions
from pellucid.keras.networks.scaling import preprocess_input as preprocess_input

__all__ = ["decode_predictions", "preprocess_input"]
