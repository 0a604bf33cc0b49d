"""Keras 3's operations of pictures, `keras.ops.image`: TensorFlow's, by Keras's arguments."""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pellucid import _modules
from pellucid.errors import ConfigError, expect_known, shown
from pellucid.keras.operation import of_values
from pellucid.keras.tensor import tensor
from pellucid.keras.tensorflow import image
from pellucid.keras.tensorflow.convolution import depthwise_conv2d, expect_last
from pellucid.keras.tensorflow.image import hsv_to_rgb as hsv_to_rgb
from pellucid.keras.tensorflow.image import rgb_to_grayscale as rgb_to_grayscale
from pellucid.keras.tensorflow.image import rgb_to_hsv as rgb_to_hsv
from pellucid.keras.tensorflow.likeness import ssim as _ssim
from pellucid.ops.geometry import output_size, pair, resolve_padding


def resize(
    images: Any,
    size: Any,
    interpolation: str = "bilinear",
    antialias: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    fill_mode: str = "constant",
    fill_value: float = 0.0,
    data_format: Any = None,
) -> Any:
    """Pictures brought to (height, width), see `tf.image.resize`; crop or pad: first to the ratio of these sides.

    Shapes: (H,W,C) or (N,H,W,C).
    Errors: ConfigError for both, another fill_mode, and channels first.
    """
    expect_last(data_format, "resize")
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        raise ConfigError("resize: crop_to_aspect_ratio and pad_to_aspect_ratio exclude each other; give one")
    if crop_to_aspect_ratio or pad_to_aspect_ratio:
        expect_known("resize: fill_mode", fill_mode, ("constant",))
        *_, height, width, _ = images.shape
        if height is None or width is None:
            raise ConfigError("resize: crop_to_aspect_ratio and pad_to_aspect_ratio need pictures of known sides")
        wanted = int(width * size[0] / size[1]), int(height * size[1] / size[0])
        choose = min if crop_to_aspect_ratio else max
        rows, columns = max(choose(height, wanted[0]), 1), max(choose(width, wanted[1]), 1)
        top, left = abs(rows - height) // 2, abs(columns - width) // 2
        if crop_to_aspect_ratio:
            images = images[..., top : top + rows, left : left + columns, :]
        else:
            border = [(top, top), (left, left), (0, 0)]  # of an odd number Keras leaves out one
            images = np.pad(images, [(0, 0)] * (len(images.shape) - 3) + border, constant_values=fill_value)
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


def sobel_edges(images: Any, data_format: Any = None) -> Any:
    """As `tf.image.sobel_edges`, with zeros beyond the border."""
    return image.sobel_edges(images, border="constant")


def ssim(image1: Any, image2: Any, max_val: float = 1.0, filter_size: int = 11, filter_sigma: float = 1.5,
         k1: float = 0.01, k2: float = 0.03, data_format: Any = None) -> Any:  # fmt: skip
    """How alike pictures are, see `tf.image.ssim`."""
    return _ssim(image1, image2, max_val, filter_size, filter_sigma, k1, k2)


def _sides(
    before: int | None, after: int | None, change: int | None, target: int | None, where: str
) -> tuple[int, int]:
    """What is added, or cut off, at both ends, of which two numbers of three are given; change: of size to target."""
    if (before is None) + (after is None) + (target is None) != 1:
        raise ConfigError(f"{where}: give two of what goes at the first end, at the last, and the size that is left")
    total = 0 if change is None else change
    first = total - int(after or 0) if before is None else int(before)
    return first, total - first if after is None else int(after)


def _borders(where: str, images: Any, ends: Sequence[Any], targets: Sequence[Any], sign: int) -> Any:
    sizes = images.shape[-3:-1]
    return [
        _sides(first, last, None if target is None else sign * (target - size), target, where)
        for (first, last), target, size in zip(ends, targets, sizes, strict=True)
    ]


@of_values
def crop_images(images: Any, top_cropping: int | None = None, left_cropping: int | None = None,
                bottom_cropping: int | None = None, right_cropping: int | None = None,
                target_height: int | None = None, target_width: int | None = None,
                data_format: Any = None) -> Any:  # fmt: skip
    """Pictures without their borders, which two numbers of three say along each axis.

    Errors: ConfigError for one or three of them.
    """
    x = tensor(images)
    ends = ((top_cropping, bottom_cropping), (left_cropping, right_cropping))
    (top, bottom), (left, right) = _borders("crop_images", x, ends, (target_height, target_width), -1)
    return x[..., top : x.shape[-3] - bottom, left : x.shape[-2] - right, :]


@of_values
def pad_images(images: Any, top_padding: int | None = None, left_padding: int | None = None,
               bottom_padding: int | None = None, right_padding: int | None = None,
               target_height: int | None = None, target_width: int | None = None,
               data_format: Any = None) -> Any:  # fmt: skip
    """Pictures with a border of zeros, said as in `crop_images`."""
    x = tensor(images)
    ends = ((top_padding, bottom_padding), (left_padding, right_padding))
    borders = _borders("pad_images", x, ends, (target_height, target_width), 1)
    return np.pad(x, [(0, 0)] * (x.ndim - 3) + borders + [(0, 0)])


@of_values
def gaussian_blur(images: Any, kernel_size: Any = (3, 3), sigma: Any = (1.0, 1.0), data_format: Any = None) -> Any:
    """Each pixel the mean of those around it under a bell, zeros beyond the border."""
    x = tensor(images)
    bells = []
    for side, width in zip(pair(kernel_size, "kernel_size"), np.broadcast_to(np.asarray(sigma), 2), strict=True):
        bell = np.exp(-0.5 * ((np.arange(side) - (side - 1) / 2) / width) ** 2)
        bells.append(bell / bell.sum())
    kernel = np.outer(bells[1], bells[0]).astype(np.float32)
    kernel = np.broadcast_to(kernel[..., None, None], (*kernel.shape, x.shape[-1], 1))
    found = depthwise_conv2d(x if x.ndim == 4 else x[None], kernel, 1, "same")
    return found if x.ndim == 4 else found[0]


@of_values
def extract_patches_3d(volumes: Any, size: Any, strides: Any = None, dilation_rate: Any = 1, padding: str = "valid",
                       data_format: Any = None) -> Any:  # fmt: skip
    """The windows of volumes, the numbers of each in a row. Shapes: (N,D,H,W,C) -> (N,OD,OH,OW,windows*C)."""
    x = tensor(volumes)
    given = x if x.ndim == 5 else x[None]
    window, step, rate = (
        (each,) * 3 if isinstance(each, int) else tuple(each)
        for each in (size, size if strides is None else strides, dilation_rate)
    )
    places, borders = [], []
    for axis in range(3):
        one = (given.shape[axis + 1], 1), (window[axis], 1), (step[axis], 1)
        pads = resolve_padding(padding, *one, (rate[axis], 1))
        count = output_size(*one, pads, (rate[axis], 1))[0]
        borders.append(pads[0])
        places.append(np.arange(count)[:, None] * step[axis] + np.arange(window[axis]) * rate[axis])
    padded = np.pad(given, ((0, 0), *borders, (0, 0)))
    at = [
        each.reshape([each.shape[i // 3] if i % 3 == axis else 1 for i in range(6)]) for axis, each in enumerate(places)
    ]
    found = padded[(slice(None), *at)]
    found = found.reshape(*found.shape[:4], -1)
    return found if x.ndim == 5 else found[0]


# Pictures looked up at places between pixels


def _mirrored(index: Any, size: int) -> Any:
    return np.abs((index + size - 1) % (2 * (size - 1)) - (size - 1))


_FILLS: dict[str, Callable[[Any, int], Any]] = {
    "constant": lambda index, size: np.clip(index, 0, size - 1),
    "nearest": lambda index, size: np.clip(index, 0, size - 1),
    "wrap": lambda index, size: index % size,
    "mirror": _mirrored,
    "reflect": lambda index, size: (_mirrored(2 * index + 1, 2 * size + 1) - 1) // 2,
}
"""Which pixel stands for one beyond the border."""


@of_values
def map_coordinates(inputs: Any, coordinates: Any, order: int, fill_mode: str = "constant",
                    fill_value: float = 0.0) -> Any:  # fmt: skip
    """An array's numbers at places between its own: of the nearest with order 0, in proportion with order 1.

    Shapes: coordinates (axes, ...) -> (...).
    Errors: ConfigError for a higher order, and an unknown fill_mode.
    """
    if order not in (0, 1):
        raise ConfigError(f"map_coordinates: order must be 0 or 1, got {shown(order)}")
    expect_known("map_coordinates: fill_mode", fill_mode, _FILLS)
    x, places = tensor(inputs), tensor(coordinates)
    near: list[list[tuple[Any, Any, Any]]] = []
    for axis, size in enumerate(x.shape):
        place = places[axis]
        low = np.floor(np.asarray(place)) if order else np.rint(np.asarray(place))
        ends = [(low, 1 - (place - low)), (low + 1, place - low)] if order else [(low, 1)]
        near.append([
            (_FILLS[fill_mode](at.astype(np.int64), size), (at >= 0) & (at < size), share) for at, share in ends
        ])  # fmt: skip
    found: Any = 0
    for corner in itertools.product(*near):
        at, inside, shares = zip(*corner, strict=True)
        value = x[at]
        if fill_mode == "constant":
            value = np.where(functools.reduce(operator.and_, inside), value, x.dtype.type(fill_value))
        found = found + functools.reduce(operator.mul, shares) * value
    return (np.rint(found) if x.dtype.kind in "iu" else found).astype(x.dtype)


_ORDERS = {"nearest": 0, "bilinear": 1}


def _looked_up(images: Any, places: Callable[[int], tuple[Any, Any]], interpolation: str, fill_mode: str,
               fill_value: float) -> Any:  # fmt: skip
    """Pictures with the colours from other places: (rows, columns) of each picture by its number."""
    order = _ORDERS[expect_known("interpolation", interpolation, _ORDERS)]
    x = tensor(images)
    given = x if x.ndim == 4 else x[None]
    made = []
    for i in range(len(given)):
        rows, columns = (each[..., None] + np.zeros(x.shape[-1], np.float32) for each in places(i))
        channels = np.broadcast_to(np.arange(x.shape[-1], dtype=np.float32), rows.shape)
        made.append(map_coordinates(given[i], np.stack([rows, columns, channels]), order, fill_mode, fill_value))
    return np.stack(made) if x.ndim == 4 else made[0]


def _grid(images: Any) -> tuple[Any, Any]:
    rows, columns = (np.arange(size, dtype=np.float32) for size in images.shape[-3:-1])
    return rows[:, None], columns[None]


@of_values
def affine_transform(images: Any, transform: Any, interpolation: str = "bilinear", fill_mode: str = "constant",
                     fill_value: float = 0, data_format: Any = None) -> Any:  # fmt: skip
    """The colour of pixel (x, y) from (a0 x + a1 y + a2, b0 x + b1 y + b2).

    Shapes: transform (8,) or (N,8): a0 a1 a2 b0 b1 b2 0 0.
    """
    numbers, (y, x) = np.reshape(tensor(transform), (-1, 8)), _grid(images)

    def places(i: int) -> tuple[Any, Any]:
        n = numbers[i if len(numbers) > 1 else 0]
        return n[3] * x + n[4] * y + n[5], n[0] * x + n[1] * y + n[2]

    return _looked_up(images, places, interpolation, fill_mode, fill_value)


@of_values
def perspective_transform(images: Any, start_points: Any, end_points: Any, interpolation: str = "bilinear",
                          fill_value: float = 0, data_format: Any = None) -> Any:  # fmt: skip
    """Pictures with four points moved to others. Shapes: points (4,2) or (N,4,2), each (x, y)."""
    starts, ends = (np.reshape(np.asarray(each, np.float64), (-1, 4, 2)) for each in (start_points, end_points))
    numbers = [_homography(start, end) for start, end in zip(starts, ends, strict=True)]
    y, x = _grid(images)

    def places(i: int) -> tuple[Any, Any]:
        n = numbers[i if len(numbers) > 1 else 0]
        depth = n[6] * x + n[7] * y + 1
        return (n[3] * x + n[4] * y + n[5]) / depth, (n[0] * x + n[1] * y + n[2]) / depth

    return _looked_up(images, places, interpolation, "constant", fill_value)


def _homography(start: Any, end: Any) -> Any:
    """The eight numbers that take the end points back to the start points."""
    rows = []
    for (u, v), (x, y) in zip(start, end, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
    return np.linalg.solve(np.asarray(rows), start.ravel()).astype(np.float32)


__all__ = sorted([*_modules.written(globals()), "hsv_to_rgb", "rgb_to_grayscale", "rgb_to_hsv"])
