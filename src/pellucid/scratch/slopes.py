"""Chapter 4's slopes: of a function of one number, of a function of several and the way down along them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pellucid.ops import Array
from pellucid.scratch.gradient import STEP, numerical_gradient_2d

__all__ = [
    "function_1", "function_2", "gradient_descent", "numerical_diff", "sum_of_squares", "tangent_line",
    "tangent_of_curve",
]  # fmt: skip


def function_1(x: Any) -> Any:
    """y = 0.01 * x^2 + 0.1 * x."""
    return 0.01 * x**2 + 0.1 * x


def function_2(x: Any) -> Any:
    """The sum of squares, of each row where there are several.

    Shapes: x (K,) -> a number, (N,K) -> (N,).
    """
    return np.sum(np.square(x), axis=-1)


def sum_of_squares(x: Any) -> Any:
    """x[0]^2 + x[1]^2, where x[0] and x[1] may be grids: function_2 where chapter 4 descends."""
    return x[0] ** 2 + x[1] ** 2


def numerical_diff(f: Callable[[Any], Any], x: Any) -> Any:
    """(f(x + h) - f(x - h)) / 2h with h = 1e-4.

    Shapes: x a number, or an array where f takes each number of it by itself.
    """
    return (f(x + STEP) - f(x - STEP)) / (2 * STEP)


def tangent_line(f: Callable[[Any], Any], x: Array) -> Callable[[Any], Any]:
    """The line t -> d * t + f(x) - d * x, d the gradient at x, which is printed."""
    return _line(f, x, numerical_gradient_2d(f, x))


def tangent_of_curve(f: Callable[[Any], Any], x: Any) -> Callable[[Any], Any]:
    """tangent_line of a function of one number: d is its slope."""
    return _line(f, x, numerical_diff(f, x))


def _line(f: Callable[[Any], Any], x: Any, slope: Any) -> Callable[[Any], Any]:
    print(slope)
    height = f(x) - slope * x
    return lambda t: slope * t + height


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
        init_x -= lr * numerical_gradient_2d(f, init_x)
    return init_x, np.array(way)
