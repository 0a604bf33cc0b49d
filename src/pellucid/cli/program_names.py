"""Which names of Keras and TensorFlow a program uses that are not here, found in its source before it runs."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from pellucid.cli.program_modules import ProgramModules

ROOTS = ("keras", "tensorflow", "tf_keras")


def missing_names(source: bytes, finder: ProgramModules) -> list[tuple[int, str]]:
    """(line, what is missing and what to write instead) for each such name, once, in order.

    What is imported and never used counts only where its module is not here. Where the program has a module of that
    name beside it, nothing is said of it.
    """
    tree = ast.parse(source)
    found: dict[str, tuple[int, str]] = {}
    known: dict[str, str] = {}
    for node in ast.walk(tree):
        for line, local, path, module in _imported(node):
            root = path.partition(".")[0]
            if root not in ROOTS or not finder.ours(root):
                continue
            known[local] = path
            if not _is_module(path if module else path.rpartition(".")[0], finder):
                place = path if module else path.rpartition(".")[0]
                found.setdefault(place, (line, f"{place} is no module here; see docs/keras.md for those there are"))
    for node in ast.walk(tree):
        used = _path(node, known)
        if used is not None and not any(used.startswith(f"{name}.") or used == name for name in found):
            wrong = _value(used, finder)[1]
            if wrong is not None:
                found.setdefault(wrong[0], (getattr(node, "lineno", 0), wrong[1]))
    return sorted(found.values())


def _imported(node: ast.AST) -> Iterator[tuple[int, str, str, bool]]:
    """(line, local name, dotted path, whether that must be a module) of what an import brings."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield node.lineno, alias.asname or alias.name.partition(".")[0], alias.name, True
            if alias.asname is None:
                yield node.lineno, alias.name.partition(".")[0], alias.name.partition(".")[0], True
    elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
        for alias in node.names:
            if alias.name != "*":
                yield node.lineno, alias.asname or alias.name, f"{node.module}.{alias.name}", False


def _path(node: ast.AST, known: dict[str, str]) -> str | None:
    """The dotted path of a name that is read, or None for anything else."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name) or not isinstance(node.ctx, ast.Load) or node.id not in known:
        return None
    return ".".join([known[node.id], *reversed(names)])


def _is_module(path: str, finder: ProgramModules) -> bool:
    return path in finder.names or isinstance(_value(path, finder)[0], ModuleType)


def _value(path: str, finder: ProgramModules) -> tuple[Any, tuple[str, str] | None]:
    """What a path leads to, as far as modules and classes go, and what is missing on the way."""
    names = path.split(".")
    length = next((end for end in range(len(names), 0, -1) if ".".join(names[:end]) in finder.names), 0)
    if not length:
        return None, None
    value: Any = finder.module(".".join(names[:length]))
    for end in range(length, len(names)):
        if not isinstance(value, ModuleType):
            break
        place = ".".join(names[: end + 1])
        try:
            value = getattr(value, names[end])
        except AttributeError as error:
            remedy = str(error).partition("; ")[2]
            return None, (place, f"{place} is not here" + (f": {remedy}" if remedy else ""))
        message = getattr(value, "message", None) if inspect.isclass(value) else None
        if isinstance(message, str):
            return None, (place, message)
    return value, None
