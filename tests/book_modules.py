"""The book's own published modules, where the environment variable PELLUCID_BOOK names a folder that holds them.

They are loaded to compare with, and are no part of this project (K. Saitoh, Deep Learning from Scratch, 2016).
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(os.environ.get("PELLUCID_BOOK", ""))
needs_book = pytest.mark.skipif(
    not (FOLDER / "common" / "layers.py").is_file(), reason="PELLUCID_BOOK names no folder with the book's code"
)


def load(name: str) -> ModuleType:
    """One of its modules by its dotted name, as "ch05.two_layer_net"; nothing of it stays importable."""
    path, before = list(sys.path), set(sys.modules)
    sys.path.insert(0, str(FOLDER))
    try:
        return importlib.import_module(name)
    finally:
        sys.path[:] = path
        for module in set(sys.modules) - before:
            if module.partition(".")[0] in ("common", "dataset", "ch02", "ch04", "ch05", "ch07", "ch08"):
                del sys.modules[module]
