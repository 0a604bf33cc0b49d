"""How like two pictures are, their patches, and their colours in other terms, by TensorFlow's names; a tape follows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from pellucid.errors import ConfigError, shown
from pellucid.keras.tensorflow.math import numbers
from pellucid.layers import DepthwiseConv2D
from pellucid.ops.geometry import output_size, resolve_padding

__all__ = ["extract_patches", "hsv_to_rgb", "psnr", "rgb_to_hsv", "rgb_to_yuv", "ssim", "yuv_to_rgb"]

TO_YUV = np.array(
    [[0.299, -0.14714119, 0.61497538], [0.587, -0.28886916, -0.51496512], [0.114, 0.43601035, -0.10001026]], np.float32
)
FROM_YUV = np.array([[1, 1, 1], [0, -0.394642334, 2.03206185], [1.13988303, -0.58062185, 0]], np.float32)


def rgb_to_yuv(images: Any) -> Any:
    """Brightness and two differences of colours, of red, green and blue from 0 to 1. Shapes: (..., 3)."""
    return np.matmul(numbers(images, "rgb_to_yuv"), TO_YUV)


def yuv_to_rgb(images: Any) -> Any:
    """The way back."""
    return np.matmul(numbers(images, "yuv_to_rgb"), FROM_YUV)


def rgb_to_hsv(images: Any, name: Any = None) -> Any:
    """Hue, saturation and value, each from 0 to 1. Shapes: (..., 3)."""
    x = numbers(images, "rgb_to_hsv")
    high = np.max(x, -1)
    spread = high - np.min(x, -1)
    red, green, blue = (x[..., i] for i in range(3))
    least = np.where(spread > 0, spread, 1)
    beyond = np.where(high == green, 2 + (blue - red) / least, 4 + (red - green) / least)
    hue = np.where(spread > 0, np.where(high == red, (green - blue) / least, beyond) / 6 % 1.0, 0)
    saturation = np.where(high > 0, spread / np.where(high > 0, high, 1), 0)
    return np.stack([hue, saturation, high], -1).astype(x.dtype)


def hsv_to_rgb(images: Any, name: Any = None) -> Any:
    """The way back."""
    x = numbers(images, "hsv_to_rgb")
    hue, saturation, value = (x[..., i] for i in range(3))
    far = [np.clip(np.abs(hue * 6 - 3) - 1, 0, 1), np.clip(2 - np.abs(hue * 6 - 2), 0, 1)]
    far.append(np.clip(2 - np.abs(hue * 6 - 4), 0, 1))
    return np.stack([((each - 1) * saturation + 1) * value for each in far], -1).astype(x.dtype)


def psnr(a: Any, b: Any, max_val: Any, name: Any = None) -> Any:
    """20 log10(max_val) - 10 log10(mean squared difference), of each picture. Shapes: (..., H, W, C) -> (...)."""
    off = _floats(a, max_val) - _floats(b, max_val)
    return -10 / math.log(10) * np.log(np.mean(np.square(off), (-3, -2, -1)))


def ssim(
    img1: Any, img2: Any, max_val: Any, filter_size: int = 11, filter_sigma: float = 1.5, k1: float = 0.01,
    k2: float = 0.03, return_index_map: bool = False,
) -> Any:  # fmt: skip
    """How alike the means, spreads and patterns of all windows are, 1 for the same; of each picture.

    Shapes: (N,H,W,C) or (H,W,C) -> (N,) or (); of each window (N,OH,OW) with return_index_map=True.
    Source: Wang, Bovik, Sheikh & Simoncelli 2004, equation 13.
    """
    x, y = _floats(img1, max_val), _floats(img2, max_val)
    alone = x.ndim == 3
    x, y = (x[None], y[None]) if alone else (x, y)
    if min(x.shape[1:3]) < filter_size:
        raise ConfigError(f"ssim: pictures must have {filter_size} rows and columns at least, got {x.shape[1:3]}")
    steps = np.arange(filter_size) - (filter_size - 1) / 2
    bell = np.exp(-0.5 * (steps / filter_sigma) ** 2)
    window = np.outer(bell, bell) / np.square(bell.sum())
    smooth = DepthwiseConv2D(filter_size, use_bias=False, trainable=False)
    smooth.ensure_built(x.shape[1:], np.random.default_rng(0))
    smooth.set_weights([np.broadcast_to(window[..., None, None], (*window.shape, x.shape[-1], 1))])
    mean_x, mean_y = smooth(x), smooth(y)
    both = mean_x * mean_y * 2.0
    squares = np.square(mean_x) + np.square(mean_y)
    c1, c2 = k1**2, k2**2
    luminance = (both + c1) / (squares + c1)
    pattern = (smooth(x * y) * 2.0 - both + c2) / (smooth(np.square(x) + np.square(y)) - squares + c2)
    found = np.mean(luminance * pattern, axis=3 if return_index_map else (1, 2, 3))
    return found[0] if alone else found


def extract_patches(images: Any, sizes: Sequence[int], strides: Sequence[int], rates: Sequence[int],
                    padding: str) -> Any:  # fmt: skip
    """The windows of pictures, the numbers of each in a row, in order of row, column, channel; zeros beyond the border.

    sizes, strides, rates: (1, rows, columns, 1). Shapes: (N,H,W,C) -> (N,OH,OW,rows*columns*C).
    """
    x = numbers(images, "extract_patches")
    for word, given in (("sizes", sizes), ("strides", strides), ("rates", rates)):
        if len(given) != 4 or given[0] != 1 or given[3] != 1:
            raise ConfigError(f"extract_patches: {word} must be (1, rows, columns, 1), got {shown(given)}")
    window, step, rate = ((int(each[1]), int(each[2])) for each in (sizes, strides, rates))
    height, width, channels = x.shape[1:]
    pads = resolve_padding(padding.lower(), (height, width), window, step, rate)
    padded = np.pad(x, ((0, 0), *pads, (0, 0)))
    size = output_size((height, width), window, step, pads, rate)
    rows, columns = (
        np.arange(count)[:, None] * each + np.arange(side) * apart
        for count, each, side, apart in zip(size, step, window, rate, strict=True)
    )
    found = np.transpose(padded[:, rows][:, :, :, columns], (0, 1, 3, 2, 4, 5))
    return np.reshape(found, (-1, *size, window[0] * window[1] * channels))


def _floats(x: Any, most: Any) -> Any:
    """As floats from 0 to 1."""
    array = numbers(x, "pictures")
    array = array if array.dtype.kind == "f" else array.astype(np.float32)
    return array / np.float32(most)
