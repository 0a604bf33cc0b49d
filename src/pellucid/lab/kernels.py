"""Kernels to begin with on the filter bench: edges, means, sharpening, Sobel's, Laplace's, Gabor's."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from pellucid.ops import Array, Pair

DECIMALS = 3
"""Of a weight that is made by a formula: it is edited by hand afterwards."""


def _mean(size: Pair) -> Array:
    return np.full(size, 1 / math.prod(size))


def _gauss(size: Pair) -> Array:
    """A bell that is down to a seventh at the edge; its weights sum to 1."""
    rows, columns = (np.exp(-2 * _offsets(count) ** 2) for count in size)
    bell = np.outer(rows, columns)
    return np.asarray(bell / bell.sum())


def _sharpen(size: Pair) -> Array:
    """The picture twice, less its mean."""
    kernel = -_mean(size)
    kernel[size[0] // 2, size[1] // 2] += 2
    return kernel


def _gabor(size: Pair) -> Array:
    """A wave within a bell, upright stripes two to three pixels wide; its weights sum to 0.

    Source: Gabor 1946; Daugman 1985, equation 4 without turning.
    """
    bell = _gauss(size)
    wave = bell * np.cos(2 * np.pi * _offsets(size[1]) * max(size[1] / 6, 0.75))
    wave = wave - bell * wave.sum()
    return np.asarray(wave / np.abs(wave).max())


def _offsets(count: int) -> Array:
    """How far each of so many places is from the middle. Units: 1 at the ends."""
    return np.linspace(-1, 1, count) if count > 1 else np.zeros(1)


FIXED: dict[str, list[list[float]]] = {
    "edge_columns": [[-1, 1], [-1, 1]],
    "edge_rows": [[1, 1], [-1, -1]],
    "sobel_columns": [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]],
    "sobel_rows": [[-1, -2, -1], [0, 0, 0], [1, 2, 1]],
    "laplace": [[0, 1, 0], [1, -4, 1], [0, 1, 0]],
    "identity": [[0, 0, 0], [0, 1, 0], [0, 0, 0]],
}
"""Kernels of one size. Source: Sobel & Feldman 1968; the others as every book has them."""

SIZED: dict[str, Callable[[Pair], Array]] = {"mean": _mean, "gauss": _gauss, "sharpen": _sharpen, "gabor": _gabor}
"""Kernels of any size."""

NAMES = (*FIXED, *SIZED)


def make(name: str, size: Pair) -> list[list[float]]:
    """A kernel by one of NAMES; those of one size have that. Shapes: (rows, columns)."""
    if name in FIXED:
        return FIXED[name]
    made: list[list[float]] = (np.round(SIZED[name](size), DECIMALS) + 0.0).tolist()
    return made
