"""Keras 3's settings, which are what they are: see `backend.py`."""

from __future__ import annotations

from pellucid.keras.backend import (
    backend,
    epsilon,
    floatx,
    image_data_format,
    set_epsilon,
    set_floatx,
    set_image_data_format,
)

__all__ = [
    "backend", "disable_interactive_logging", "disable_traceback_filtering", "enable_interactive_logging",
    "enable_traceback_filtering", "epsilon", "floatx", "image_data_format", "set_epsilon", "set_floatx",
    "set_image_data_format",
]  # fmt: skip


def disable_traceback_filtering() -> None:
    """Nothing: tracebacks are whole."""


def enable_traceback_filtering() -> None:
    """Nothing: tracebacks are whole."""


def disable_interactive_logging() -> None:
    """Nothing: `fit(verbose=0)` is silent."""


def enable_interactive_logging() -> None:
    """Nothing: `fit(verbose=1)` shows a bar."""
