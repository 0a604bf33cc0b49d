"""VGG-19, see `vgg.py`."""

from __future__ import annotations

from pellucid.keras.networks.scaling import decode_predictions as decode_predictions
from pellucid.keras.networks.scaling import to_caffe as preprocess_input
from pellucid.keras.networks.vgg import VGG19 as VGG19

__all__ = ["VGG19", "decode_predictions", "preprocess_input"]
