"""The book's own published modules, where the environment variable PELLUCID_BOOK names a folder that holds them.

They are loaded to compare with, and are no part of this project (K. Saitoh, Deep Learning from Scratch, 2016).
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
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


def chapters_names() -> dict[str, list[str]]:
    """For each file of the book by its dotted name: the functions and classes it defines, and the data's constants."""
    found = {}
    for path in sorted(FOLDER.glob("*/*.py")):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        names = [node.name for node in body if isinstance(node, (ast.FunctionDef, ast.ClassDef))]
        if path.parent.name == "dataset":
            names += [target.id for node in body if isinstance(node, ast.Assign) for target in node.targets]
        found[f"{path.parent.name}.{path.stem}"] = names
    return found


def defined(name: str, **given: Any) -> dict[str, Any]:
    """The functions and classes of a program of the book, whose other lines do not run; `given` is what it imports."""
    body = ast.parse((FOLDER / f"{name.replace('.', '/')}.py").read_text(encoding="utf-8")).body
    kept = [node for node in body if isinstance(node, (ast.FunctionDef, ast.ClassDef))]
    namespace: dict[str, Any] = {"np": np, **given}
    exec(compile(ast.Module(kept, []), name, "exec"), namespace)
    return namespace
