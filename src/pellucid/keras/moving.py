"""A picture turned, slanted, moved and enlarged in one step, as Keras's generator does it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from pellucid.ops import Array

FILL_MODES = ("constant", "nearest", "reflect", "wrap")


def moved(
    picture: Array, angle: float, shear: float, shift: tuple[float, float], zoom: Any, fill_mode: str, cval: float
) -> Array:
    """Each new pixel is taken from where it was, between four pixels.

    Shapes: (H, W, C). Units: angle and shear in radians, shift (down, right) in pixels, zoom (rows, columns) in parts
    of the old size that are seen.
    """
    height, width = picture.shape[:2]
    cos, sin = math.cos(angle), math.sin(angle)
    turn = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    move = np.array([[1, 0, shift[0]], [0, 1, shift[1]], [0, 0, 1]])
    slant = np.array([[1, -math.sin(shear), 0], [0, math.cos(shear), 0], [0, 0, 1]])
    middle = np.array([[1, 0, height / 2 - 0.5], [0, 1, width / 2 - 0.5], [0, 0, 1]])
    matrix = middle @ turn @ move @ slant @ np.diag([zoom[0], zoom[1], 1]) @ np.linalg.inv(middle)
    rows, columns = np.indices((height, width))
    places = matrix[:2, :2] @ np.stack([rows.ravel(), columns.ravel()]) + matrix[:2, 2:]
    return _between(picture, places, fill_mode, cval).reshape(picture.shape).astype(np.float32)


def _between(picture: Array, places: Array, fill_mode: str, cval: float) -> Array:
    """Values between pixels. Shapes: places (2, P) -> (P, C)."""
    low = np.floor(places).astype(np.int64)
    share = (places - low).astype(np.float32)
    found = np.zeros((places.shape[1], picture.shape[2]), np.float32)
    for down in (0, 1):
        for right in (0, 1):
            weight = (share[0] if down else 1 - share[0]) * (share[1] if right else 1 - share[1])
            found += weight[:, None] * _at(picture, low[0] + down, low[1] + right, fill_mode, cval)
    return found


def _at(picture: Array, rows: Array, columns: Array, fill_mode: str, cval: float) -> Array:
    height, width = picture.shape[:2]
    if fill_mode == "constant":
        inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        values = picture[rows.clip(0, height - 1), columns.clip(0, width - 1)]
        return np.where(inside[:, None], values, np.float32(cval))
    inner: dict[str, Callable[[Array, int], Array]] = {
        "nearest": lambda place, size: place.clip(0, size - 1),
        "wrap": lambda place, size: place % size,
        "reflect": lambda place, size: np.minimum(place % (2 * size), 2 * size - 1 - place % (2 * size)),
    }
    return np.asarray(picture[inner[fill_mode](rows, height), inner[fill_mode](columns, width)])
