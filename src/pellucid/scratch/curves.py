"""What the book's experiments with training share: smoothed curves and shuffled data."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.errors import ShapeError
from pellucid.ops import Array

__all__ = ["shuffle_dataset", "smooth_curve"]

_WINDOW = 11


def smooth_curve(x: Any) -> Array:
    """A curve's weighted means over 11 points (a Kaiser window, beta 2), its ends mirrored.

    Differs from the book: fewer than 11 points give as many, where its slices give fewer or none.

    Shapes: x (N,) -> (N,).
    Errors: ShapeError unless x is a row of at least one number.
    """
    curve = np.asarray(x, np.float64)
    if curve.ndim != 1 or not curve.size:
        raise ShapeError(f"smooth_curve: x must be a row of numbers, at least one, got shape {curve.shape}")
    half = _WINDOW // 2
    # the book mirrors ten points at each end, the last one twice, and cuts five off again
    longer = np.append(np.pad(curve, (half, 0), "reflect"), np.pad(curve, (0, half), "symmetric")[len(curve) :])
    weights = np.kaiser(_WINDOW, 2)
    return np.convolve(weights / weights.sum(), longer, mode="valid")


def shuffle_dataset(x: Any, t: Any) -> tuple[Array, Array]:
    """x and t in one new order, drawn from np.random.

    Shapes: x (N,...), t (N,...).
    Errors: ShapeError unless there is a label for each example.
    """
    x, t = np.asarray(x), np.asarray(t)
    if not x.ndim or x.shape[:1] != t.shape[:1]:
        raise ShapeError(f"shuffle_dataset: x and t must be equally many, got shapes {x.shape} and {t.shape}")
    order = np.random.permutation(len(x))
    return x[order], t[order]
