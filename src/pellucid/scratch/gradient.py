"""The gradient by its definition, to check the fast one with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pellucid.errors import ConfigError
from pellucid.ops import Array
from pellucid.scratch.layout import in_float64

__all__ = ["numerical_gradient", "numerical_gradient_2d"]

STEP = 1e-4
"""How far a number is moved to either side."""


def numerical_gradient(f: Callable[[Array], Any], x: Array) -> Array:
    """df/dx[i] = (f(x + h) - f(x - h)) / 2h with h = 1e-4 in one number after the other, x changed in place meanwhile.

    Layers of this package that f runs work in float64, whatever they are given: in float32 the difference of two losses
    would keep three digits.
    Differs from the book: where x is float32 it is divided by how far x really moved; of a function that gives several
    numbers, as one a row, it is the gradient of their sum.

    >>> import numpy as np
    >>> numerical_gradient(lambda x: float(np.sum(x**2)), np.array([3.0, 4.0])).round(6)
    array([6., 8.])

    Shapes: x any -> float64, like x.
    Errors: ConfigError unless x is an array of floats that may be written.
    """
    if not isinstance(x, np.ndarray) or x.dtype.kind != "f" or not x.flags.writeable:
        kind = f"one of {x.dtype}" if isinstance(x, np.ndarray) else type(x).__name__
        raise ConfigError(
            f"numerical_gradient: x must be a writable array of floats, since it is moved in place, got {kind}"
        )
    gradient = np.empty(x.shape, np.float64)
    with in_float64():
        for place in np.ndindex(x.shape):
            kept = x[place]
            try:
                x[place] = kept + STEP
                above, high = f(x), float(x[place])
                x[place] = kept - STEP
                below, low = f(x), float(x[place])
            finally:
                x[place] = kept
            gradient[place] = np.sum(np.subtract(above, below)) / (high - low)
    return gradient


def numerical_gradient_2d(f: Callable[[Array], Any], X: Array) -> Array:
    """numerical_gradient of f at every row of X, one after the other: f sees a row, not X. A single row is X itself.

    Shapes: X (K,) or (N,K) -> float64, like X.
    Errors: as numerical_gradient.
    """
    if np.ndim(X) < 2:
        return numerical_gradient(f, X)
    return np.stack([numerical_gradient(f, row) for row in X]) if len(X) else np.empty(X.shape)
