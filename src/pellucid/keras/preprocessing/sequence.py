"""Keras's rows of numbers of one length, old names."""

from __future__ import annotations

from pellucid.keras.words import pad_sequences

__all__ = ["pad_sequences"]
