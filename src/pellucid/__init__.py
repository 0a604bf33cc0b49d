"""Pellucid: convolutional networks you can see through, and train faster on an ordinary computer than anywhere else.

The public names stand in __init__.pyi; each is loaded on first use, so that `import pellucid` costs next to nothing.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

from pellucid._modules import adopt, explained, missing

adopt(sys.modules[__name__])


def _homes() -> dict[str, str]:
    """Where each public name lives, layers apart: of lines "from HOME import NAME as NAME"."""
    with open(f"{__file__.removesuffix('c')}i", encoding="utf-8") as stub:
        lines = [line.split() for line in stub]
    return {line[3]: line[1] for line in lines if len(line) == 6 and line[0] == "from"}


_HOMES = _homes()


def _version() -> str:
    metadata = importlib.import_module("importlib.metadata")
    try:
        return str(metadata.version("pellucid"))
    except metadata.PackageNotFoundError:
        return "0+unknown"  # run from its source folder, not installed


def _found(name: str) -> Any:
    if name == "__version__":
        return _version()
    if name in _HOMES:
        home = importlib.import_module(_HOMES[name])
        return importlib.import_module(f"pellucid.{name}") if home is sys.modules[__name__] else getattr(home, name)
    layers = {} if name.startswith("_") and name != "__all__" else importlib.import_module("pellucid.layers").NAMES
    if name == "__all__":
        return sorted([*_HOMES, *layers, "__version__"])
    if name in layers:
        return layers[name]
    raise missing("module 'pellucid'", name, sys.modules[__name__])


def __getattr__(name: str) -> Any:
    value = globals()[name] = explained(_found(name))  # next time without a detour
    return value


def __dir__() -> list[str]:
    return list(__getattr__("__all__"))
