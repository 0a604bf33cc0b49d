"""Models with Keras's habits."""

from __future__ import annotations

from pellucid.model import Model, Sequential
from pellucid.model.file import load as load_model

__all__ = ["Model", "Sequential", "load_model"]
