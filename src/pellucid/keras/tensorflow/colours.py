"""Brightness, contrast and colours of pictures changed, by TensorFlow's names; `image` has them all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pellucid.keras.tensor import tensor
from pellucid.keras.tensorflow.math import numbers
from pellucid.keras.tensorflow.naming import also

__all__ = [
    "adjust_brightness", "adjust_contrast", "adjust_gamma", "adjust_hue", "adjust_saturation", "convert_image_dtype",
    "per_image_standardization",
]  # fmt: skip


def convert_image_dtype(image: Any, dtype: Any, saturate: bool = False, name: Any = None) -> Any:
    """Whole numbers as floats from 0 to 1 and back; floats in another type."""
    array, wanted = numbers(image, "convert_image_dtype"), np.dtype(dtype)
    if array.dtype == wanted or (array.dtype.kind == "f" and wanted.kind == "f"):
        return tensor(array.astype(wanted))
    if wanted.kind == "f":
        return tensor(array.astype(wanted) / wanted.type(np.iinfo(array.dtype).max))
    limits = np.iinfo(wanted)
    floats = array if array.dtype.kind == "f" else array / np.iinfo(array.dtype).max
    return tensor(np.clip(floats * (limits.max + 0.5), limits.min, limits.max).astype(wanted))


def _as_floats(change: Callable[..., Any]) -> Callable[..., Any]:
    """A change of floats for pictures of any type: bytes are made floats from 0 to 1 meanwhile."""

    def changed(image: Any, *amounts: float, name: Any = None, **named: float) -> Any:
        array = np.asarray(numbers(image, change.__name__))
        floats = array if array.dtype.kind == "f" else np.asarray(convert_image_dtype(array, np.float32))
        made = np.asarray(change(floats, *map(float, amounts), **named), floats.dtype)
        return tensor(made) if array.dtype.kind == "f" else convert_image_dtype(made, array.dtype)

    changed.__name__ = changed.__qualname__ = change.__name__
    changed.__doc__ = change.__doc__
    return changed


@_as_floats
def adjust_brightness(image: Any, delta: float) -> Any:
    """delta more everywhere."""
    return image + delta


@also(image="images")
@_as_floats
def adjust_contrast(image: Any, contrast_factor: float) -> Any:
    """contrast_factor times as far from each channel's mean."""
    mean = image.mean((-3, -2), keepdims=True)
    return (image - mean) * contrast_factor + mean


@_as_floats
def adjust_gamma(image: Any, gamma: float = 1.0, gain: float = 1.0) -> Any:
    """gain times each number to this power."""
    return gain * image**gamma


@_as_floats
def adjust_saturation(image: Any, saturation_factor: float) -> Any:
    """Colours saturation_factor times as strong, at most pure ones. Shapes: (..., 3)."""
    most, least = image.max(-1, keepdims=True), image.min(-1, keepdims=True)
    strength = np.divide(most - least, most, out=np.zeros_like(most), where=most > 0)
    share = np.divide(
        np.clip(strength * saturation_factor, 0, 1), strength, out=np.zeros_like(most), where=strength > 0
    )
    return most - (most - image) * share


@_as_floats
def adjust_hue(image: Any, delta: float) -> Any:
    """Colours turned by delta of the whole circle. Shapes: (..., 3)."""
    red, green, blue = np.moveaxis(image, -1, 0)
    most, span = image.max(-1), np.ptp(image, -1)
    sixth = np.select(
        [span == 0, most == red, most == green],
        [0 * span, (green - blue) / np.where(span == 0, 1, span), 2 + (blue - red) / np.where(span == 0, 1, span)],
        4 + (red - green) / np.where(span == 0, 1, span),
    )
    places = (np.array([5, 3, 1]) + (sixth + 6 * delta)[..., None]) % 6
    return most[..., None] - span[..., None] * np.clip(np.minimum(places, 4 - places), 0, 1)


def per_image_standardization(image: Any) -> Any:
    """Each picture with mean 0 and deviation 1, which is taken as no less than 1 / sqrt(its numbers)."""
    array = numbers(image, "per_image_standardization").astype(np.float32)
    axes, count = (-3, -2, -1), np.prod(array.shape[-3:])
    deviation = np.maximum(array.std(axes, keepdims=True), 1 / np.sqrt(count))
    return tensor(((array - array.mean(axes, keepdims=True)) / deviation).astype(np.float32))
