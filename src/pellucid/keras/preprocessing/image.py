"""Keras's reading and changing of pictures, old names."""

from __future__ import annotations

__all__: list[str] = []
