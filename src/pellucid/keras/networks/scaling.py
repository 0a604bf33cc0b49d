"""How networks of `keras.applications` want their pictures, and what their answers are called."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.convert.published import SCALINGS, imagenet_names
from pellucid.errors import ConfigError, expect_known
from pellucid.keras.tensor import tensor
from pellucid.keras.tensorflow.arrays import cast
from pellucid.layers import Rescaling
from pellucid.layers.symbolic import is_symbolic
from pellucid.ops import real_array

MODES = {"caffe": "caffe", "tf": "inception", "torch": "torchvision"}
"""What Keras calls them, and what they are called here."""


def preprocess_input(x: Any, data_format: str | None = None, mode: str = "caffe") -> Any:
    """Pictures from 0 to 255 as published weights of this kind take them.

    mode: "caffe" turns red, green, blue round and takes ImageNet's mean away, "tf" scales to -1 to 1, "torch" to
    (x / 255 - mean) / std of each colour.
    Shapes: (..., 3), unchanged.
    Errors: ConfigError for another mode, and for channels that come first.
    """
    if data_format == "channels_first":
        raise ConfigError("preprocess_input: pictures are (..., H, W, C); turn yours by x.transpose(0, 2, 3, 1)")
    found = SCALINGS[MODES[expect_known("mode", mode, MODES)]]
    scale, offset = found.preprocessing.scale_offset(3)
    if is_symbolic(x):
        y = Rescaling(scale.tolist(), offset.tolist())(x)
        return y[..., ::-1] if found.blue_first else y
    real_array(x, "preprocess_input: x")
    scaled = cast(tensor(x), np.float32) * scale + offset  # which a tape sees
    return scaled[..., ::-1] if found.blue_first else scaled


def to_caffe(x: Any, data_format: str | None = None) -> Any:
    """Blue, green, red from 0 to 255, less ImageNet's mean. Shapes: (..., 3), unchanged."""
    return preprocess_input(x, data_format, "caffe")


def to_one(x: Any, data_format: str | None = None) -> Any:
    """Pictures from 0 to 255 as numbers from -1 to 1. Shapes: any, unchanged."""
    return preprocess_input(x, data_format, "tf")


def standardized(x: Any, data_format: str | None = None) -> Any:
    """(x / 255 - mean) / std of each colour of ImageNet's. Shapes: (..., 3), unchanged."""
    return preprocess_input(x, data_format, "torch")


def as_they_are(x: Any, data_format: str | None = None) -> Any:
    """The pictures, which the network scales itself."""
    return x


def decode_predictions(preds: Any, top: int = 5) -> list[list[tuple[str, str, float]]]:
    """For each picture the likeliest of ImageNet's classes: ("", name, probability), the likeliest first.

    Keras puts WordNet's number first, which is not kept here.
    Errors: ConfigError for other than 1000 classes.
    """
    rows = np.asarray(preds)
    if rows.ndim != 2 or rows.shape[1] != 1000:
        raise ConfigError(f"decode_predictions: needs probabilities (N, 1000), got shape {rows.shape}")
    names = imagenet_names()
    return [[("", names[k], float(row[k])) for k in np.argsort(-row, kind="stable")[:top]] for row in rows]
