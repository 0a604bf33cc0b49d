"""Keras's backend: what programs ask of it."""

from __future__ import annotations

from typing import Any

__all__ = ["backend", "clear_session", "epsilon", "floatx", "get_value", "image_data_format", "set_value"]


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


def get_value(x: Any) -> Any:
    """A variable's value, such as that of `optimizer.learning_rate`."""
    return x.numpy() if hasattr(x, "numpy") else x


def set_value(x: Any, value: Any) -> None:
    """Give a variable a value: `set_value(optimizer.learning_rate, 0.01)`."""
    x.assign(value)
