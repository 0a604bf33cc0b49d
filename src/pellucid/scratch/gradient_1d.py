"""Chapter 4's slope of a function of one number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["function_1", "numerical_diff", "tangent_line"]

_STEP = 1e-4


def numerical_diff(f: Callable[[Any], Any], x: Any) -> Any:
    """(f(x + h) - f(x - h)) / 2h with h = 1e-4.

    Shapes: x a number, or an array where f takes each number of it by itself.
    """
    return (f(x + _STEP) - f(x - _STEP)) / (2 * _STEP)


def function_1(x: Any) -> Any:
    """y = 0.01 * x^2 + 0.1 * x."""
    return 0.01 * x**2 + 0.1 * x


def tangent_line(f: Callable[[Any], Any], x: Any) -> Callable[[Any], Any]:
    """The line t -> d * t + f(x) - d * x, d the slope at x, which is printed."""
    return line(f, x, numerical_diff(f, x))


def line(f: Callable[[Any], Any], x: Any, slope: Any) -> Callable[[Any], Any]:
    """The line through (x, f(x)) with this slope, which is printed."""
    print(slope)
    height = f(x) - slope * x
    return lambda t: slope * t + height
