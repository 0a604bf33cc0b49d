"""Keras's reading and writing of models."""

from __future__ import annotations

from pellucid.keras.models import load_model

__all__ = ["load_model"]
