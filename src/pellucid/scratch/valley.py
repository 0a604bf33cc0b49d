"""Chapter 6's long valley, on which optimizers are compared."""

from __future__ import annotations

from typing import Any

__all__ = ["df", "f"]


def f(x: Any, y: Any) -> Any:
    """x^2 / 20 + y^2."""
    return x**2 / 20.0 + y**2


def df(x: Any, y: Any) -> tuple[Any, Any]:
    """(df/dx, df/dy)."""
    return x / 10.0, 2.0 * y
