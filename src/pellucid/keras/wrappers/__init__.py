"""Keras's wrappers for other libraries, of which nothing is imported before it is asked for."""

from __future__ import annotations

import importlib
from typing import Any

from pellucid._modules import missing

__all__ = ["scikit_learn"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return importlib.import_module(f"{__name__}.{name}")
    raise missing(f"module {__name__!r}", name, importlib.import_module(__name__))
