"""The programs of seed 000's page, run with other imports than their own and nothing else changed.

`seeds/seed_000_*.txt` hold them as the page has them, with the commas, brackets and signs that it lost. They are the
programs of its book (K. Saitoh, Deep Learning from Scratch, 2016; code under MIT).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PROGRAMS = Path(__file__).parent / "seeds"
BOOK_MODULES = ("common.layers", "common.gradient", "common.trainer", "dataset.mnist", "simple_convnet")


def program(name: str, homes: str | Mapping[str, str]) -> str:
    """The program with `from X import ...`, X one of the book's modules, become `from homes[X] import ...`.

    homes: one module for all, or one for each that the program names.
    """

    def replaced(found: re.Match[str]) -> str:
        return f"from {homes if isinstance(homes, str) else homes[found[1]]} import"

    text = (PROGRAMS / f"seed_000_{name}.txt").read_text(encoding="utf-8")
    modules = "|".join(map(re.escape, BOOK_MODULES))
    return re.sub(rf"^from ({modules}) import", replaced, text, flags=re.MULTILINE)


def run_program(name: str, homes: str | Mapping[str, str]) -> dict[str, Any]:
    """Runs it; the names it leaves."""
    names: dict[str, Any] = {"__name__": f"seed_000_{name}"}
    exec(compile(program(name, homes), f"seed_000_{name}.txt", "exec"), names)
    return names


def page_network(home: str) -> Any:
    """The page's own SimpleConvNet, on the layers of a module."""
    return run_program("simple_convnet", home)["SimpleConvNet"]
