"""Reading data files: opened as what they are, and into memory that was taken beforehand."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from pellucid.errors import DataError

PIECE = 1 << 20
"""Bytes asked for at once: packed files unpack so much beside what they fill."""


@contextlib.contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """A file for reading. Errors: DataError if it cannot be read, or is no file: opening a pipe would wait."""
    try:
        if path.exists() and not path.is_file():
            raise DataError(f"{path}: is no file")
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error


def fill(file: Any, view: memoryview) -> int:
    """Read bytes until `view` is full or the file ends; how many they are.

    file: anything with `readinto`. view: of bytes.
    """
    done = 0
    while done < len(view):
        count = file.readinto(view[done : done + PIECE])
        if not count:
            break
        done += count
    return done
