"""Keras's callbacks."""

from __future__ import annotations

from pellucid.train import EarlyStopping

__all__ = ["EarlyStopping"]
