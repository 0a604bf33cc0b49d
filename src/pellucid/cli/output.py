"""What the commands print: tables for people, JSON for programs, both on standard output; notes on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def print_json(value: Any) -> None:
    """One JSON document, indented."""
    print(json.dumps(value, ensure_ascii=False, indent=2))


def print_table(
    header: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = (), whole: Sequence[int] = ()
) -> None:
    """A table without lines; the columns numbered in `right` are set flush right. Wide cells fold, none is cut.

    The columns numbered in `whole`, of short names or numbers, stay on one line while the others can give way.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for index, title in enumerate(header):
        table.add_column(title, justify="right" if index in right else "left", overflow="fold", no_wrap=index in whole)
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))  # Text: brackets in a file's name are no markup
    # A pipe or a file has no width of its own: there, lines are as long as they need to be.
    console = Console(file=sys.stdout, highlight=False, width=None if sys.stdout.isatty() else 10_000)
    console.print(table)


def note(text: str) -> None:
    """A remark for the person at the terminal; programs that read standard output do not see it."""
    print(printable(text), file=sys.stderr, flush=True)


def printable(text: str) -> str:
    r"""A text that may come from a stranger's file, with what would steer the terminal spelled out.

    >>> printable("cat\x1b[2J.png")
    'cat\\x1b[2J.png'
    """
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


def percent(value: float) -> str:
    """A share of one as a percentage with two digits.

    >>> percent(0.98912)
    '98.91 %'
    """
    return f"{100 * value:.2f} %"
