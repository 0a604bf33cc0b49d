"""The package onnx, which defines the message in these files."""

from __future__ import annotations

from typing import Any

from pellucid.errors import ConfigError


def needed() -> Any:
    """The package onnx. Errors: ConfigError where it is not installed."""
    try:
        import onnx
    except ImportError as error:
        raise ConfigError("ONNX files need the package onnx: pip install 'pellucid[onnx]'") from error
    return onnx
