"""What the commands print: tables for people, JSON for programs, both on standard output; notes on standard error."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from pellucid._numbers import percent as percent  # where the commands look for it
from pellucid.atomic import replacing
from pellucid.errors import ConfigError
from pellucid.text import csv_text, json_text, printable, say

TABLES = (".csv", ".json")

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def print_json(value: Any) -> None:
    """One JSON document, indented."""
    say(json_text(value, indent=2).rstrip("\n"))


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
    say(text, sys.stderr)


@contextmanager
def plain_warnings() -> Iterator[None]:
    """Every warning within, Python's and what libraries log, is one line, without the place where it arose."""
    handler = _Warned(logging.WARNING)
    logging.getLogger().addHandler(handler)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_, **__: _warn(str(message))
            yield
    finally:
        logging.getLogger().removeHandler(handler)


class _Warned(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        _warn(record.getMessage())


def _warn(text: str) -> None:
    note(f"warning: {' '.join(text.split())}")


def check_table_name(out: Path, option: str = "--out") -> None:
    """Errors: ConfigError if no table can be written under this name. Asked before the work is done."""
    if out.suffix.lower() not in TABLES:
        raise ConfigError(f"{option} {out}: expected a name that ends in {' or '.join(TABLES)}; rename it")


def write_table(out: Path, header: Sequence[str], rows: Iterable[Sequence[object]], records: Any = None) -> None:
    """Write a table as its name's ending says. records: what a .json holds; None for an object of each row.

    Every table that a command writes is written here: a text in it is no formula to a spreadsheet.
    Errors: ConfigError for another ending; CheckpointError if it cannot be written.
    """
    check_table_name(out)
    if out.suffix.lower() == ".csv":
        text = csv_text(header, rows)
    else:
        text = json_text([dict(zip(header, row, strict=True)) for row in rows] if records is None else records)
    with replacing(out) as file:
        file.write(text.encode())
