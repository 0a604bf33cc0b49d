"""Chapter 4's descent along the gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pellucid.ops import Array
from pellucid.scratch.gradient_2d import numerical_gradient

__all__ = ["function_2", "gradient_descent", "numerical_gradient"]


def gradient_descent(
    f: Callable[[Array], Any], init_x: Array, lr: float = 0.01, step_num: int = 100
) -> tuple[Array, Array]:
    """(x, the places on the way) after step_num steps of -lr * gradient. init_x is moved in place, and is x.

    Shapes: init_x (K,) -> x (K,), the way (step_num,K), its first place where it began.
    Errors: ConfigError unless init_x is an array of floats that may be written.
    """
    way = []
    for _ in range(step_num):
        way.append(np.array(init_x))
        init_x -= lr * numerical_gradient(f, init_x)
    return init_x, np.array(way)


def function_2(x: Any) -> Any:
    """x[0]^2 + x[1]^2: x and y may be grids."""
    return x[0] ** 2 + x[1] ** 2
