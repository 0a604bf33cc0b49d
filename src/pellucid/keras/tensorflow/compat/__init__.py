"""TensorFlow of before, by its number."""

from __future__ import annotations

from pellucid.keras.tensorflow.compat import v1

__all__ = ["as_bytes", "as_str", "v1"]


def as_bytes(text: str | bytes, encoding: str = "utf-8") -> bytes:
    """The text as bytes."""
    return text.encode(encoding) if isinstance(text, str) else text


def as_str(text: str | bytes, encoding: str = "utf-8") -> str:
    """The bytes as text."""
    return text if isinstance(text, str) else text.decode(encoding)
