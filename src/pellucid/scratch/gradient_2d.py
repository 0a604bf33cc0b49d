"""Chapter 4's gradient of a function of two numbers, at many places at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pellucid.ops import Array
from pellucid.scratch.gradient import numerical_gradient_2d as numerical_gradient
from pellucid.scratch.gradient_1d import line

__all__ = ["function_2", "numerical_gradient", "tangent_line"]


def function_2(x: Any) -> Any:
    """The sum of squares, of each row where there are several.

    Shapes: x (K,) -> a number, (N,K) -> (N,).
    """
    return np.sum(np.square(x), axis=-1)


def tangent_line(f: Callable[[Any], Any], x: Array) -> Callable[[Any], Any]:
    """The line t -> d * t + f(x) - d * x, d the gradient at x, which is printed."""
    return line(f, x, numerical_gradient(f, x))
