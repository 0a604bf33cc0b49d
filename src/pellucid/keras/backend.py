"""Keras's backend: what programs ask of it."""

from __future__ import annotations

__all__ = ["backend", "clear_session", "epsilon", "floatx", "image_data_format"]


def backend() -> str:
    """The name of what computes."""
    return "pellucid"


def clear_session(free_memory: bool = True) -> None:
    """Nothing: models are independent of each other, and go when nobody holds them."""


def epsilon() -> float:
    """The small number that keeps logarithms finite, 1e-7."""
    return 1e-7


def floatx() -> str:
    """The type of all numbers, "float32"."""
    return "float32"


def image_data_format() -> str:
    """Where a picture's channels stand, "channels_last"."""
    return "channels_last"
