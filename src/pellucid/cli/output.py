"""What the commands print: tables for people, JSON for programs, both on standard output; notes on standard error."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from pellucid._numbers import percent as percent  # where the commands look for it
from pellucid._progress import is_terminal
from pellucid._text import csv_text, json_text, printable, say, text_columns
from pellucid._text import note as note
from pellucid.errors import ConfigError
from pellucid.files.atomic import replacing
from pellucid.files.inside import Place
from pellucid.runs.folder import place_to_write

if TYPE_CHECKING:
    from rich.table import Table

TABLES = (".csv", ".json")

GAP = 3
"""Between two columns of a table."""

CsvFile = Annotated[
    Path | None, typer.Option("--csv", metavar="FILE", help="Write the table there too, a .csv or a .json.")
]
JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def print_json(value: Any) -> None:
    """One JSON document, indented; in ASCII where the console has no other letters."""
    text = json_text(value, indent=2).rstrip("\n")
    say(text if says(text) else json.dumps(value, indent=2))


def print_table(
    header: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = (), whole: Sequence[int] = ()
) -> None:
    """A table without lines; the columns numbered in `right` are set flush right. Wide cells fold between words.

    The columns numbered in `whole`, of names, numbers or paths, stay on one line. Nothing is cut and no word is broken:
    where that takes more room than the terminal has, lines are longer than it is, and can be copied.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for index, title in enumerate(header):
        justify: Literal["right", "left"] = "right" if index in right else "left"
        table.add_column(Text(printable(title)), justify=justify, overflow="fold", no_wrap=index in whole)
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))  # Text: brackets in a file's name are no markup
    room, drawn = columns_there(), io.StringIO()
    Console(file=drawn, highlight=False, width=max(room, _least_width(table, whole))).print(table)
    lines = [line.rstrip() for line in drawn.getvalue().splitlines()]  # what fills a line up would wrap
    text = "\n".join(line if line.strip(" ─") else line[:room] for line in lines)
    say(text if says("─") else text.replace("─", "-"))


def print_columns(
    columns: Mapping[str, Sequence[str]], spare: Sequence[str], *, right: Sequence[str] = (), more: str
) -> None:
    """A table of columns by their heads, without those of `spare` that a terminal has no room for, the last ones first.

    more: where these are, which is said.
    """
    widths = {name: GAP + max(map(text_columns, (name, *cells))) for name, cells in columns.items()}
    room, left = columns_there() - sum(width for name, width in widths.items() if name not in spare), []
    for name in spare:
        if widths[name] > room:
            left.append(name)
        else:
            room -= widths[name]
    heads = [name for name in columns if name not in left]
    rows = [list(row) for row in zip(*(columns[name] for name in heads), strict=True)]
    print_table(heads, rows, right=[heads.index(name) for name in right if name in heads], whole=range(len(heads)))
    if left:
        note(f"without room here: {', '.join(left)}; {more}")


def columns_there() -> int:
    """How long lines on standard output may be: a pipe or a file has no width of its own."""
    from rich.console import Console

    return Console(file=sys.stdout).width if is_terminal(sys.stdout) else 10_000


def write_to_output(data: bytes) -> None:
    """Bytes as they are to standard output. Errors: ConfigError where it is closed."""
    if sys.stdout is None:
        raise ConfigError("--out -: standard output is closed; name a file")
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def says(letters: str) -> bool:
    """Whether standard output's encoding has these letters."""
    try:
        letters.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _least_width(table: Table, whole: Sequence[int]) -> int:
    from rich.cells import cell_len

    least = 0
    for index, column in enumerate(table.columns):
        cells = [str(cell) for cell in (column.header, *column.cells)]
        least += GAP + max(
            cell_len(part) for cell in cells for part in ([cell] if index in whole else cell.split() or [""])
        )
    return least


def check_table_name(out: Place, option: str = "--out") -> None:
    """Errors: ConfigError if no table can be written under this name. Asked before the work is done."""
    if out.suffix.lower() not in TABLES:
        raise ConfigError(f"{option} {out}: expected a name that ends in {' or '.join(TABLES)}; rename it")


def write_table(out: Place, header: Sequence[str], rows: Iterable[Sequence[object]], records: Any = None) -> None:
    """Write a table as its name's ending says. records: what a .json holds; None for an object of each row.

    Every table that a command writes is written here: a text in it is no formula to a spreadsheet.
    Errors: ConfigError for another ending; CheckpointError if it cannot be written.
    """
    check_table_name(out)
    if out.suffix.lower() == ".csv":
        text = csv_text(header, rows)
    else:
        text = json_text([dict(zip(header, row, strict=True)) for row in rows] if records is None else records)
    with replacing(place_to_write(out)) as file:
        file.write(text.encode())
