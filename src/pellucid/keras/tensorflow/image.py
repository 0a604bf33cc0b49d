"""Pictures changed before a network sees them, by TensorFlow's names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pellucid.keras.tensor import tensor
from pellucid.layers import Resizing
from pellucid.layers.symbolic import is_symbolic

__all__ = ["convert_image_dtype", "flip_left_right", "flip_up_down", "grayscale_to_rgb", "resize", "rgb_to_grayscale"]


def resize(images: Any, size: Sequence[int], method: str = "bilinear", **more: Any) -> Any:
    """Pictures brought to (height, width). Shapes: (H,W,C) or (N,H,W,C)."""
    layer = Resizing(int(size[0]), int(size[1]), method)
    if is_symbolic(images):
        return layer(images)
    array = np.asarray(images, np.float32)
    return tensor(layer(array) if array.ndim == 4 else layer(array[None])[0])


def rgb_to_grayscale(images: Any, name: Any = None) -> Any:
    """The brightness of colours. Shapes: (..., 3) -> (..., 1)."""
    array = np.asarray(images)
    grey = array.astype(np.float32) @ np.array([[0.2989], [0.587], [0.114]], np.float32)
    return tensor(grey.astype(array.dtype))


def grayscale_to_rgb(images: Any, name: Any = None) -> Any:
    """Grey as colours that are alike. Shapes: (..., 1) -> (..., 3)."""
    return tensor(np.repeat(np.asarray(images), 3, axis=-1))


def flip_left_right(image: Any) -> Any:
    """Mirrored."""
    return tensor(np.asarray(image)[..., ::-1, :])


def flip_up_down(image: Any) -> Any:
    """Upside down."""
    return tensor(np.asarray(image)[..., ::-1, :, :])


def convert_image_dtype(image: Any, dtype: Any, **more: Any) -> Any:
    """Bytes as floats from 0 to 1; floats in another type."""
    array = np.asarray(image)
    return tensor(array.astype(dtype) / np.dtype(dtype).type(255) if array.dtype == np.uint8 else array.astype(dtype))
