"""Pictures changed before a network sees them, by TensorFlow's names.

What is random draws from `tensorflow.random`, other numbers than TensorFlow's; `stateless_` from its seed alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pellucid.errors import ShapeError, expect_known
from pellucid.keras.seeds import next_seed
from pellucid.keras.tensor import tensor
from pellucid.keras.tensorflow.colours import (
    adjust_brightness,
    adjust_contrast,
    adjust_gamma,
    adjust_hue,
    adjust_saturation,
    convert_image_dtype,
    per_image_standardization,
)
from pellucid.keras.tensorflow.edges import image_gradients, sobel_edges, total_variation
from pellucid.keras.tensorflow.io import decode_image, decode_jpeg, decode_png
from pellucid.keras.tensorflow.likeness import (
    extract_patches,
    hsv_to_rgb,
    psnr,
    rgb_to_hsv,
    rgb_to_yuv,
    ssim,
    yuv_to_rgb,
)
from pellucid.keras.tensorflow.math import numbers
from pellucid.keras.tensorflow.naming import also
from pellucid.keras.tensorflow.resizing import METHODS, resampled
from pellucid.layers import Resizing
from pellucid.layers.symbolic import is_symbolic

__all__ = [
    "ResizeMethod",
    "adjust_brightness",
    "adjust_contrast",
    "adjust_gamma",
    "adjust_hue",
    "adjust_saturation",
    "central_crop",
    "convert_image_dtype",
    "crop_to_bounding_box",
    "decode_image",
    "decode_jpeg",
    "decode_png",
    "extract_patches",
    "flip_left_right",
    "flip_up_down",
    "grayscale_to_rgb",
    "hsv_to_rgb",
    "image_gradients",
    "pad_to_bounding_box",
    "per_image_standardization",
    "psnr",
    "random_brightness",
    "random_contrast",
    "random_crop",
    "random_flip_left_right",
    "random_flip_up_down",
    "random_hue",
    "random_saturation",
    "resize",
    "resize_with_crop_or_pad",
    "resize_with_pad",
    "rgb_to_grayscale",
    "rgb_to_hsv",
    "rgb_to_yuv",
    "rot90",
    "sobel_edges",
    "ssim",
    "stateless_random_brightness",
    "stateless_random_contrast",
    "stateless_random_crop",
    "stateless_random_flip_left_right",
    "stateless_random_flip_up_down",
    "stateless_random_hue",
    "stateless_random_saturation",
    "total_variation",
    "yuv_to_rgb",
]  # fmt: skip


class ResizeMethod:
    """Names of methods."""

    BILINEAR, NEAREST_NEIGHBOR, AREA, BICUBIC = "bilinear", "nearest", "area", "bicubic"
    GAUSSIAN, LANCZOS3, LANCZOS5, MITCHELLCUBIC = "gaussian", "lanczos3", "lanczos5", "mitchellcubic"


def resize(
    images: Any, size: Any, method: str = "bilinear", preserve_aspect_ratio: bool = False, antialias: bool = False,
    name: Any = None,
) -> Any:  # fmt: skip
    """Pictures brought to (height, width); preserve_aspect_ratio: to what fits into that with their sides' ratio.

    method: one of `ResizeMethod`; of a network's values "bilinear" or "nearest".
    Shapes: (H,W,C) or (N,H,W,C).
    Errors: ConfigError for another method.
    """
    expect_known("resize: method", method, METHODS)
    height, width = int(size[0]), int(size[1])
    if preserve_aspect_ratio:
        sides = np.asarray(np.shape(images)[-3:-1], np.float32)
        height, width = np.round(np.min(np.asarray((height, width), np.float32) / sides) * sides).astype(int).tolist()
    if is_symbolic(images):
        return Resizing(height, width, method)(images)
    given = tensor(images)
    array = given.astype(np.float32)
    array = array if given.ndim == 4 else array[None]
    if method == "nearest" or (method == "bilinear" and not antialias):
        made = tensor(Resizing(height, width, method)(array))
    else:
        made = resampled(array, height, width, method, antialias)
    made = made if given.ndim == 4 else made[0]
    return made.astype(given.dtype) if method == "nearest" else made


def rgb_to_grayscale(images: Any, name: Any = None) -> Any:
    """The brightness of colours. Shapes: (..., 3) -> (..., 1)."""
    array = numbers(images, "rgb_to_grayscale")
    grey = array.astype(np.float32) @ np.array([[0.2989], [0.587], [0.114]], np.float32)
    return tensor(grey.astype(array.dtype))


def grayscale_to_rgb(images: Any, name: Any = None) -> Any:
    """Grey as colours that are alike. Shapes: (..., 1) -> (..., 3)."""
    return tensor(np.repeat(numbers(images, "grayscale_to_rgb"), 3, axis=-1))


def flip_left_right(image: Any) -> Any:
    """Mirrored."""
    return tensor(numbers(image, "flip_left_right")[..., ::-1, :])


def flip_up_down(image: Any) -> Any:
    """Upside down."""
    return tensor(numbers(image, "flip_up_down")[..., ::-1, :, :])


def rot90(image: Any, k: int = 1, name: Any = None) -> Any:
    """Turned to the left k times."""
    return tensor(np.rot90(numbers(image, "rot90"), k, (-3, -2)))


def crop_to_bounding_box(
    image: Any, offset_height: int, offset_width: int, target_height: int, target_width: int
) -> Any:
    """The part of this size below and right of the offset. Errors: ShapeError where it does not fit."""
    array = numbers(image, "crop_to_bounding_box")
    made = array[..., offset_height : offset_height + target_height, offset_width : offset_width + target_width, :]
    if made.shape[-3:-1] != (target_height, target_width) or min(offset_height, offset_width) < 0:
        raise ShapeError(f"a part ({target_height}, {target_width}) does not fit into a picture {array.shape}")
    return tensor(made)


def pad_to_bounding_box(
    image: Any, offset_height: int, offset_width: int, target_height: int, target_width: int
) -> Any:
    """The picture below and right of the offset in one of this size, of zeros. Errors: ShapeError where it does not
    fit."""
    array = numbers(image, "pad_to_bounding_box")
    above, left = int(offset_height), int(offset_width)
    below, right = int(target_height) - above - array.shape[-3], int(target_width) - left - array.shape[-2]
    if min(above, left, below, right) < 0:
        raise ShapeError(f"a picture {array.shape} does not fit into ({target_height}, {target_width}) from there")
    return tensor(np.pad(array, [(0, 0)] * (array.ndim - 3) + [(above, below), (left, right), (0, 0)]))


def central_crop(image: Any, central_fraction: float) -> Any:
    """The middle, this share of each side."""
    height, width = np.shape(image)[-3:-1]
    top, left = (int((side - side * central_fraction) / 2) for side in (height, width))
    return crop_to_bounding_box(image, top, left, height - 2 * top, width - 2 * left)


def resize_with_crop_or_pad(image: Any, target_height: int, target_width: int) -> Any:
    """Cut off, or with a border of zeros, alike on both sides."""
    array = numbers(image, "resize_with_crop_or_pad")
    for axis, size in ((-3, target_height), (-2, target_width)):
        lacks = size - array.shape[axis]
        start = max(-lacks, 0) // 2
        array = np.take(array, range(start, start + min(size, array.shape[axis])), axis)
        border = [(0, 0)] * array.ndim
        border[axis] = (max(lacks, 0) // 2, max(lacks, 0) - max(lacks, 0) // 2)
        array = np.pad(array, border)
    return tensor(array)


def resize_with_pad(
    image: Any, target_height: int, target_width: int, method: str = "bilinear", antialias: bool = False
) -> Any:
    """As large as fits with its sides' ratio, with a border of zeros."""
    sides, target = (
        np.asarray(np.shape(image)[-3:-1], np.float32),
        np.asarray((target_height, target_width), np.float32),
    )
    fitting = sides / np.max(sides / target)  # in float32, as TensorFlow rounds
    made = resize(image, fitting.astype(int).tolist(), method, antialias=antialias)
    above, left = ((target - fitting) // 2).astype(int).tolist()
    return pad_to_bounding_box(made, above, left, target_height, target_width)


# Random


def _crop(rng: Any, image: Any, size: Sequence[int]) -> Any:
    array = numbers(image, "random_crop")
    sizes = [int(one) for one in np.asarray(size)]
    if len(sizes) != array.ndim or any(want > has for want, has in zip(sizes, array.shape, strict=True)):
        raise ShapeError(f"random_crop: a part {tuple(sizes)} does not fit into {array.shape}")
    starts = [int(rng.integers(has - want + 1)) for want, has in zip(sizes, array.shape, strict=True)]
    return tensor(array[tuple(slice(start, start + want) for start, want in zip(starts, sizes, strict=True))])


def _flip(function: Callable[[Any], Any]) -> Callable[..., Any]:
    return lambda rng, image: function(image) if rng.random() < 0.5 else tensor(image)


def _around_zero(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda rng, image, max_delta: function(image, rng.uniform(-max_delta, max_delta))


def _between(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda rng, image, lower, upper: function(image, rng.uniform(lower, upper))


def _random(change: Callable[..., Any]) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """(drawn anew in each call, drawn from the seed that is given)."""

    def anew(image: Any, *args: Any, seed: int | None = None, name: Any = None, **named: Any) -> Any:
        return change(np.random.default_rng(next_seed()), image, *args, **named)

    def stateless(image: Any, *args: Any, seed: Any, **named: Any) -> Any:
        numbers_of = np.atleast_1d(np.asarray(seed)).astype(np.int64) % 2**32
        return change(np.random.default_rng(numbers_of.tolist()), image, *args, **named)

    return anew, stateless


random_crop, stateless_random_crop = map(also(image="value"), _random(_crop))
random_flip_left_right, stateless_random_flip_left_right = _random(_flip(flip_left_right))
random_flip_up_down, stateless_random_flip_up_down = _random(_flip(flip_up_down))
random_brightness, stateless_random_brightness = _random(_around_zero(adjust_brightness))
random_hue, stateless_random_hue = _random(_around_zero(adjust_hue))
random_contrast, stateless_random_contrast = _random(_between(adjust_contrast))
random_saturation, stateless_random_saturation = _random(_between(adjust_saturation))
