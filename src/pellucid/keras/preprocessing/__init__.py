"""Keras's reading and changing of pictures."""

from __future__ import annotations

from pellucid.keras.preprocessing import image

__all__ = ["image"]
