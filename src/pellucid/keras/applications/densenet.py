"""Keras's module of this name, see `published.py`."""

from __future__ import annotations

from pellucid.keras.applications.published import DenseNet121, decode_predictions, preprocess_input

__all__ = ["DenseNet121", "decode_predictions", "preprocess_input"]
