"""Residual networks, see `residual.py`."""

from __future__ import annotations

from pellucid.keras.networks.residual import ResNet50 as ResNet50
from pellucid.keras.networks.scaling import decode_predictions as decode_predictions
from pellucid.keras.networks.scaling import to_caffe as preprocess_input

__all__ = ["ResNet50", "decode_predictions", "preprocess_input"]
