"""Writes docs/programs.md and docs/programs.ko.md: which of Keras's names each program of tests/programs uses.

python scripts/make_programs_table.py
"""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = ROOT / "tests" / "programs"

HEADS = {
    "programs.md": (
        "# Programs that run",
        "Programs in the style of Keras's and scikit-learn's tutorials, each run whole by `tests/test_programs.py`, "
        "and the names of `pellucid.keras` and `pellucid.sklearn` that each uses. This page is written by "
        "`scripts/make_programs_table.py`.",
        ("Program", "What it does", "Names"),
    ),
    "programs.ko.md": (
        "# 실행되는 프로그램",
        "Keras와 scikit-learn의 튜토리얼처럼 쓴 프로그램으로, `tests/test_programs.py`가 모두 처음부터 끝까지 "
        "실행합니다. 표에는 프로그램마다 쓰이는 `pellucid.keras`와 `pellucid.sklearn`의 이름이 있습니다. 이 문서는 "
        "`scripts/make_programs_table.py`가 씁니다.",
        ("프로그램", "하는 일", "이름"),
    ),
}


def names_of(source: str) -> list[str]:
    """The names below `keras`, and of `pellucid.sklearn`, that a program uses, sorted."""
    tree = ast.parse(source)
    places = {"keras": "keras"}
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pellucid"):
            place = (node.module or "").removeprefix("pellucid").removeprefix(".")
            for name in node.names:
                full = f"{place}.{name.name}" if place else name.name
                places[name.asname or name.name] = full
                if name.name[0].isupper() or (place.count(".") and full != "keras"):
                    found.add(full)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            dotted = _dotted(node)
            root, _, rest = dotted.partition(".")
            if rest and root in places and places[root].startswith("keras"):
                found.add(f"{places[root]}.{rest}")
    longest = {name for name in found if not any(other.startswith(f"{name}.") for other in found)}
    return sorted(name.removeprefix("keras.") for name in longest if name != "keras")


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        before = _dotted(node.value)
        return f"{before}.{node.attr}" if before else ""
    return node.id if isinstance(node, ast.Name) else ""


def page(name: str) -> str:
    """The page of this name."""
    title, text, heads = HEADS[name]
    rows = [f"| {' | '.join(heads)} |", "| --- | --- | --- |"]
    for program in sorted(PROGRAMS.glob("*.py")):
        source = program.read_text(encoding="utf-8")
        told = (ast.get_docstring(ast.parse(source)) or "").replace("\n", " ")
        names = ", ".join(f"`{each}`" for each in names_of(source))
        rows.append(f"| [{program.stem}](../tests/programs/{program.name}) | {told} | {names} |")
    return "\n".join([title, "", text, "", *rows, ""])


if __name__ == "__main__":
    for each in HEADS:
        (ROOT / "docs" / each).write_text(page(each), encoding="utf-8")
