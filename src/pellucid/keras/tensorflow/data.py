"""Data sets in batches, by TensorFlow's names."""

from __future__ import annotations

__all__ = ["AUTOTUNE"]

AUTOTUNE = -1
