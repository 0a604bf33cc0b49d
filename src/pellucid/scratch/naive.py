"""Chapter 5's layers of a computational graph: one number forward, its derivatives back."""

from __future__ import annotations

from typing import Any

from pellucid.scratch.layout import no_forward_yet

__all__ = ["AddLayer", "MulLayer"]


class MulLayer:
    """x * y; back come dout * y and dout * x.

    Shapes: numbers, or arrays as NumPy multiplies them.
    """

    def __init__(self) -> None:
        self.x: Any = None
        self.y: Any = None

    def forward(self, x: Any, y: Any) -> Any:
        self.x, self.y = x, y
        return x * y

    def backward(self, dout: Any) -> tuple[Any, Any]:
        """(dx, dy)."""
        if self.x is None:
            raise no_forward_yet(self)
        return dout * self.y, dout * self.x


class AddLayer:
    """x + y; dout comes back on both sides.

    Shapes: numbers, or arrays as NumPy adds them.
    """

    def forward(self, x: Any, y: Any) -> Any:
        return x + y

    def backward(self, dout: Any) -> tuple[Any, Any]:
        """(dx, dy)."""
        return dout * 1, dout * 1
