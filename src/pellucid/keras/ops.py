"""The few of Keras's operations on arrays that programs call on what a network answers."""

from __future__ import annotations

__all__: list[str] = []
