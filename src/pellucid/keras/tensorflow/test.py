"""What programs ask of a graphics card."""

from __future__ import annotations

from typing import Any

__all__ = ["gpu_device_name", "is_built_with_cuda", "is_gpu_available"]


def gpu_device_name() -> str:
    """None: ""."""
    return ""


def is_built_with_cuda() -> bool:
    """False."""
    return False


def is_gpu_available(*args: Any, **kwargs: Any) -> bool:
    """False."""
    return False
