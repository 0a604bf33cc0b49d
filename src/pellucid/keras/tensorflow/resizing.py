"""Pictures brought to another size by a kernel of one's choice, by TensorFlow's names; a tape follows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from pellucid.ops import Array


def _sinc(x: Array, lobes: int) -> Array:
    return np.where(x < lobes, np.sinc(x) * np.sinc(x / lobes), 0)


def _cubic(b: float, c: float) -> Callable[[Array], Array]:
    """The piecewise cubics of Mitchell & Netravali 1988, equation 8, of distances."""
    inner = (12 - 9 * b - 6 * c, -18 + 12 * b + 6 * c, 0, 6 - 2 * b)
    outer = (-b - 6 * c, 6 * b + 30 * c, -12 * b - 48 * c, 8 * b + 24 * c)
    return lambda x: np.where(x < 1, np.polyval(inner, x), np.where(x < 2, np.polyval(outer, x), 0)) / 6


_KERNELS: Mapping[str, tuple[float, Callable[[Array], Array]]] = {
    "bilinear": (1, lambda x: np.maximum(1 - x, 0)),
    "bicubic": (2, _cubic(0, 0.5)),
    "mitchellcubic": (2, _cubic(1 / 3, 1 / 3)),
    "gaussian": (1.5, lambda x: np.where(x < 1.5, np.exp(-2 * np.square(x)), 0)),
    "lanczos3": (3, lambda x: _sinc(x, 3)),
    "lanczos5": (5, lambda x: _sinc(x, 5)),
}
"""How far each reaches, and its weight at a distance."""
METHODS = ("bilinear", "nearest", "area", *list(_KERNELS)[1:])


def weights(method: str, given: int, wanted: int, antialias: bool) -> Array:
    """How much of each of so many pixels is in each of those that are wanted. Shapes: (wanted, given), rows sum to 1.

    antialias: where there are fewer, the kernel is as much wider. "area" takes the share that pixels overlap.
    """
    step = given / wanted
    place, pixels = np.arange(wanted)[:, None], np.arange(given)
    if method == "area":
        found = np.minimum((place + 1) * step, pixels + 1) - np.maximum(place * step, pixels)
        found = np.maximum(found, 0)
    else:
        wide = max(step, 1.0) if antialias else 1.0
        reach, kernel = _KERNELS[method]
        apart = np.abs((place + 0.5) * step - (pixels + 0.5)) / wide
        found = np.where(apart < reach, kernel(apart), 0)
    return np.asarray(found / found.sum(1, keepdims=True), np.float32)


def resampled(pictures: Any, height: int, width: int, method: str, antialias: bool) -> Any:
    """Shapes: (N,H,W,C) float32 -> (N,height,width,C)."""
    n, rows, columns, channels = pictures.shape
    down = weights(method, rows, height, antialias)
    across = weights(method, columns, width, antialias)
    lines = np.reshape(np.matmul(down, np.reshape(pictures, (n, rows, columns * channels))), (n, height, columns, -1))
    return np.matmul(across, lines)
