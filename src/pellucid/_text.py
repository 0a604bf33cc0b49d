"""Text that may come from a stranger's file or folder, made fit for a terminal, a figure, JSON and spreadsheets."""

from __future__ import annotations

import contextlib
import html
import json
import os
import re
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from typing import IO, Any

_FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")
_NUMBER = re.compile(r"[+-]?[0-9]+([.,][0-9]+)?")
_QUOTED = re.compile(r'[",;|\t\r\n]|^\s|\s$')


def printable(text: object) -> str:
    r"""What would steer a terminal or a page spelled out: control characters, line ends, turned directions, lone bytes.

    >>> printable("cat\x1b[2J.png"), printable("고양이 1.png")
    ('cat\\x1b[2J.png', '고양이 1.png')
    """
    given = str(text)
    return given if given.isprintable() else "".join(c if _shows(c) else _spelled(c) for c in given)


def _shows(character: str) -> bool:
    # Joiners are part of emoji and of Persian; spaces of other widths are no danger.
    return character.isprintable() or character in "\u200c\u200d" or unicodedata.category(character) == "Zs"


def _spelled(character: str) -> str:
    return character.encode("unicode_escape").decode()


def text_columns(text: str) -> int:
    """How many columns a text takes where letters of East Asia take two.

    >>> text_columns("cat"), text_columns("고양이")
    (3, 6)
    """
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "FW" else 1 for c in text)


def clip(text: str, width: int) -> str:
    """Text of at most `width` columns; a longer one loses its middle, since numbers stand at the end.

    >>> clip("block3_convolution_12", 12), clip("고양이와 강아지", 8)
    ('block3…on_12', '고양…지')
    """
    if text_columns(text) <= width:
        return text
    tail = (width - 1) // 2
    head, end = _start(text, width - 1 - tail), _start(text[::-1], tail)[::-1]
    return f"{head}…{end}"


def _start(text: str, width: int) -> str:
    used = 0
    for end, letter in enumerate(text):
        used += text_columns(letter)
        if used > width:
            return text[:end]
    return text


def few(words: Sequence[str], most: int = 3, more: str = " ...") -> str:
    """The first of some words, and a sign of it where there are more.

    >>> few(["a", "b", "c", "d"]), few(["a", "b"])
    ('a, b, c ...', 'a, b')
    """
    return ", ".join(words[:most]) + (more if len(words) > most else "")


def in_lines(text: str, width: int, *, whole: bool = False) -> str:
    """Text in lines of at most `width` columns, broken between words; a longer word loses its middle, or stays whole.

    >>> in_lines("said automobile (99 %), is truck", 24).split(chr(10))
    ['said automobile (99 %),', 'is truck']
    """
    lines: list[str] = []
    for word in (word if whole else clip(word, width) for word in text.split(" ")):
        if lines and text_columns(lines[-1]) + 1 + text_columns(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return "\n".join(lines)


def wrapped(text: str, width: int) -> list[str]:
    """The whole text in lines of at most `width` columns, broken behind a sign between words where there is one.

    >>> wrapped("block_one_conv_one_a", 12), wrapped("고양이와", 5)
    (['block_one_', 'conv_one_a'], ['고양', '이와'])
    """
    lines, done = [], 0
    while (line := _start(text[done:], width)) != text[done:]:
        line = line[: max(map(line.rfind, "_-./ ")) + 1] or line or text[done]
        lines.append(line)
        done += len(line)
    return [*lines, line]


def _room(file: IO[str]) -> int | None:
    """The columns of the terminal that a stream writes to; a pipe or a file has no width of its own."""
    with contextlib.suppress(AttributeError, OSError, ValueError):
        if file.isatty():
            return int(os.environ.get("COLUMNS", "0")) or os.get_terminal_size(file.fileno()).columns
    return None


def say(text: str, file: IO[str] | None = None, *, prose: bool = False) -> None:
    """Print lines, what the console's encoding lacks spelled out. file: None for standard output.

    prose: sentences, which a terminal would break amid a word: they are broken between words.
    A console that is full, gone or closed is no reason to lose the work that speaks.
    """
    file = sys.stdout if file is None else file
    if file is None:  # a program without a console
        return
    room = _room(file) if prose else None
    shown = (printable(line) for line in text.split("\n"))
    lines = "\n".join(in_lines(line, room, whole=True) if room else line for line in shown)
    encoding = getattr(file, "encoding", None) or "utf-8"
    with contextlib.suppress(OSError, ValueError):  # ValueError: a closed file
        print(lines.encode(encoding, "backslashreplace").decode(encoding), file=file, flush=True)


def note(text: str) -> None:
    """A remark for the person at the terminal; programs that read standard output do not see it."""
    say(text, sys.stderr, prose=True)


def json_text(value: Any, *, indent: int = 1) -> str:
    r"""One JSON document; what `printable` spells out stands as \uXXXX, from which every reader has it back.

    >>> json_text(["caf\xe9\x9b"], indent=0).split()
    ['[', '"caf\xe9\\u009b"', ']']
    """
    lines = json.dumps(value, ensure_ascii=False, indent=indent).split("\n")  # a line end within a text is escaped
    shown = [
        line if line.isprintable() else "".join(c if _shows(c) else json.dumps(c)[1:-1] for c in line) for line in lines
    ]
    return "\n".join(shown) + "\n"


def json_line(value: Any) -> str:
    """JSON on one line that UTF-8 can say: the lone bytes of a file's name are escaped.

    Errors: as `json.dumps`; ValueError for NaN and infinity, which JSON lacks.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value)
    return text


def markup(text: object) -> str:
    """Text for HTML and XML, line by line."""
    return html.escape("\n".join(printable(line) for line in str(text).split("\n")))


def csv_text(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table as CSV, one line a row. No cell is a formula to a spreadsheet: a text that would be one begins with '.

    Where the table is more than ASCII it begins with the mark by which Excel knows UTF-8.
    """
    lines = [",".join(map(_cell, row)) for row in (header, *rows)]
    text = "\n".join(lines) + "\n"
    return text if text.isascii() else "\ufeff" + text


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, int | float):
        return str(value)
    text = str(value)
    if _FORMULA.match(text) and not _NUMBER.fullmatch(text):
        text = "'" + text
    text = printable(text)
    return '"' + text.replace('"', '""') + '"' if _QUOTED.search(text) else text
