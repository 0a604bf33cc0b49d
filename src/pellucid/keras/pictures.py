"""Pictures as files, as Pillow has them, and as arrays, as Keras's functions turn one into the other."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from pellucid._arguments import path_of
from pellucid.errors import ConfigError, DataError, shown
from pellucid.ops import Array, real_array

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["ENDINGS", "array_to_img", "img_to_array", "load_img", "read", "resized", "save_img"]

ENDINGS = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")
"""Of the files that are pictures."""
MODES = {"grayscale": "L", "rgb": "RGB", "rgba": "RGBA"}
"""Keras's words for channels, and Pillow's."""
INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos", "box", "hamming")


def load_img(
    path: Any,
    color_mode: str = "rgb",
    target_size: Any = None,
    interpolation: str = "nearest",
    keep_aspect_ratio: bool = False,
    grayscale: bool = False,
) -> Image:
    """A picture as Pillow has it, resized to target_size (height, width); keep_aspect_ratio cuts the middle out first.

    Errors: ConfigError for words that are none; DataError for a file that is no picture.
    """
    from PIL import Image

    mode = MODES.get("grayscale" if grayscale else color_mode)
    if mode is None:
        raise ConfigError(f"color_mode must be one of {', '.join(MODES)}, got {shown(color_mode)}")
    if interpolation not in INTERPOLATIONS:
        raise ConfigError(f"interpolation must be one of {', '.join(INTERPOLATIONS)}, got {shown(interpolation)}")
    file: Any = path if hasattr(path, "read") else path_of(path, "load_img: path")
    try:
        with Image.open(file) as opened:
            image = opened.convert(mode)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"{path}: cannot be read as a picture ({error})") from error
    if target_size is None:
        return image
    height, width = (int(size) for size in target_size)
    if keep_aspect_ratio:
        image = image.crop(_middle(image.width, image.height, width / height))
    if image.size != (width, height):
        image = image.resize((width, height), getattr(Image.Resampling, interpolation.upper()))
    return image


def _middle(width: int, height: int, ratio: float) -> tuple[int, int, int, int]:
    """The largest box of this width over height, in the middle: left, upper, right, lower."""
    inner_w, inner_h = min(width, int(height * ratio)), min(height, int(width / ratio))
    left, upper = (width - inner_w) // 2, (height - inner_h) // 2
    return left, upper, left + inner_w, upper + inner_h


def img_to_array(img: Any, data_format: str | None = None, dtype: str | None = None) -> Array:
    """A picture as an array of levels, float32 unless said. Shapes: (H, W, C)."""
    _last(data_format)
    array = np.asarray(img, np.dtype(dtype or "float32"))
    if array.ndim not in (2, 3):
        raise DataError(f"img_to_array: a picture has two or three axes, got shape {array.shape}")
    return array[..., None] if array.ndim == 2 else array


def array_to_img(x: Any, data_format: str | None = None, scale: bool = True, dtype: str | None = None) -> Image:
    """An array as a picture; scale: its least value becomes black, its largest white. Shapes: (H, W, C)."""
    from PIL import Image

    _last(data_format)
    array = real_array(x, "array_to_img: x").astype(np.float32)
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4):
        raise DataError(f"array_to_img: x must be (H, W, 1), (H, W, 3) or (H, W, 4), got {array.shape}")
    if scale:
        array = array - array.min()
        most = array.max()
        array = array / most * 255 if most else array
    pixels = array.astype(np.uint8)
    return Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)


def save_img(
    path: Any, x: Any, data_format: str | None = None, file_format: str | None = None, scale: bool = True, **kwargs: Any
) -> None:
    """Write an array as a picture, in the format of the file's ending unless one is named."""
    from pellucid.files.atomic import replacing

    image = array_to_img(x, data_format, scale)
    target = path_of(path, "save_img: path")
    kind = (file_format or target.suffix.lstrip(".") or "png").lower().replace("jpg", "jpeg")
    if kind == "jpeg" and image.mode == "RGBA":
        image = image.convert("RGB")
    save: Callable[[IO[bytes]], None] = lambda file: image.save(file, kind.upper(), **kwargs)  # noqa: E731
    with replacing(target) as file:
        save(file)


def read(path: str | os.PathLike[str], color_mode: str) -> Array:
    """A file's picture as levels. Shapes: (H, W, C) uint8."""
    array = np.asarray(load_img(path, color_mode))
    return array[..., None] if array.ndim == 2 else array


def resized(image: Array, size: tuple[int, int], interpolation: str = "bilinear") -> Array:
    """A picture of another size, by the pixels next to each new pixel's middle alone, as TensorFlow resizes.

    Shapes: (H, W, C), size (height, width) -> (height, width, C) float32.
    Errors: ConfigError for another interpolation than "bilinear" and "nearest".
    """
    if interpolation not in ("bilinear", "nearest"):
        raise ConfigError(f'interpolation must be "bilinear" or "nearest", got {shown(interpolation)}')
    if image.shape[:2] == size:
        return image.astype(np.float32)
    places = [(np.arange(new) + 0.5) * (old / new) for new, old in zip(size, image.shape[:2], strict=True)]
    if interpolation == "nearest":
        rows, columns = (np.floor(place).astype(np.int64) for place in places)
        return np.asarray(image[rows][:, columns], np.float32)
    made = image.astype(np.float32)
    for axis, place in enumerate(places):
        before = np.floor(place - 0.5).astype(np.int64)
        share = (place - 0.5 - before).astype(np.float32).reshape(-1, *(1,) * (2 - axis))
        last = image.shape[axis] - 1
        low, high = made.take(before.clip(0, last), axis), made.take((before + 1).clip(0, last), axis)
        made = low + (high - low) * share
    return made


def _last(data_format: str | None) -> None:
    if data_format not in (None, "channels_last"):
        raise ConfigError(f'data_format must be "channels_last", got {shown(data_format)}')
