"""Residual networks, see `residual.py`."""

from __future__ import annotations

from pellucid.keras.networks.residual import ResNet50 as ResNet50
from pellucid.keras.networks.residual import ResNet101 as ResNet101
from pellucid.keras.networks.residual import ResNet152 as ResNet152
from pellucid.keras.networks.scaling import decode_predictions as decode_predictions
from pellucid.keras.networks.scaling import to_caffe as preprocess_input

__all__ = ["ResNet50", "ResNet101", "ResNet152", "decode_predictions", "preprocess_input"]
