"""VGG-16, see `vgg.py`."""

from __future__ import annotations

from pellucid.keras.networks.scaling import decode_predictions as decode_predictions
from pellucid.keras.networks.scaling import to_caffe as preprocess_input
from pellucid.keras.networks.vgg import VGG16 as VGG16

__all__ = ["VGG16", "decode_predictions", "preprocess_input"]
