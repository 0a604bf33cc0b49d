"""The door to all arithmetic: checks shapes, picks the backend, says which ran."""

from __future__ import annotations

from pellucid.ops.geometry import Array, Pads, Pair, Shape

__all__ = ["Array", "Pads", "Pair", "Shape"]
