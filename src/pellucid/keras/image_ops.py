"""Keras 3's operations of pictures, `keras.ops.image`: TensorFlow's, by Keras's arguments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pellucid.keras.tensorflow import image
from pellucid.keras.tensorflow.image import hsv_to_rgb, rgb_to_grayscale, rgb_to_hsv

__all__ = ["extract_patches", "hsv_to_rgb", "resize", "rgb_to_grayscale", "rgb_to_hsv"]


def resize(images: Any, size: Any, interpolation: str = "bilinear", antialias: bool = False) -> Any:
    """Pictures brought to (height, width), see `tf.image.resize`. Shapes: (H,W,C) or (N,H,W,C)."""
    return image.resize(images, size, interpolation, antialias=antialias)


def extract_patches(
    images: Any,
    size: int | Sequence[int],
    strides: int | Sequence[int] | None = None,
    dilation_rate: int | Sequence[int] = 1,
    padding: str = "valid",
) -> Any:
    """The windows of pictures, the numbers of each in a row; strides: by default side by side.

    Shapes: (N,H,W,C) -> (N,OH,OW,rows*columns*C), (H,W,C) -> (OH,OW,rows*columns*C).
    """
    window, step, rate = (_four(each) for each in (size, size if strides is None else strides, dilation_rate))
    if len(images.shape) == 3:
        return image.extract_patches(images[None], window, step, rate, padding)[0]
    return image.extract_patches(images, window, step, rate, padding)


def _four(sides: int | Sequence[int]) -> tuple[int, ...]:
    return (1, sides, sides, 1) if isinstance(sides, int) else (1, *(int(side) for side in sides), 1)
