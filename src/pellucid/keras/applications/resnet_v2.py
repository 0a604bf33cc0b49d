"""Residual networks, see `residual.py`."""

from __future__ import annotations

from pellucid.keras.networks.residual import ResNet50V2 as ResNet50V2
from pellucid.keras.networks.residual import ResNet101V2 as ResNet101V2
from pellucid.keras.networks.residual import ResNet152V2 as ResNet152V2
from pellucid.keras.networks.scaling import decode_predictions as decode_predictions
from pellucid.keras.networks.scaling import to_one as preprocess_input

__all__ = ["ResNet50V2", "ResNet101V2", "ResNet152V2", "decode_predictions", "preprocess_input"]
