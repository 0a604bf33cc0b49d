"""Writing that leaves no half-written file: whatever comes between, the old file or the new one stands there whole.

A file is written beside its final name, flushed, and renamed; then the folder is flushed too, so that the name outlasts
a power cut. All that a training leaves on the disk is written here.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from pellucid.errors import CheckpointError


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """A binary file that takes the name `path` when the block ends well, and vanishes when it does not.

    Errors: CheckpointError if it cannot be written; whatever stood at `path` is then still there.
    """
    target = Path(os.path.realpath(path))
    beside = target.parent / f".pellucid-{secrets.token_hex(8)}.tmp"
    try:
        try:  # before the file is there, so that no interrupt comes between
            handle = os.open(beside, os.O_CREAT | os.O_EXCL | os.O_RDWR | getattr(os, "O_BINARY", 0), 0o666)
            with os.fdopen(handle, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(beside, target)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(beside)
            raise
        _flush_folder(target.parent)
    except OSError as error:
        reason = error.strerror or str(error)
        raise CheckpointError(
            f"{path}: cannot be written: {reason}; choose a folder that exists and has room"
        ) from error


def make_folder(path: str | os.PathLike[str]) -> None:
    """Make a folder, and those above it, where they are missing.

    Errors: CheckpointError if it cannot be made.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _flush_folder(folder.parent)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be made: {error.strerror or error}; choose another place") from error


def remove_leftovers(folder: str | os.PathLike[str]) -> None:
    """Remove what a killed process has left beside the names it was about to take; only with nobody else writing."""
    for path in Path(folder).glob(".pellucid-*.tmp"):
        with contextlib.suppress(OSError):
            path.unlink()


def _flush_folder(folder: Path) -> None:
    if os.name == "nt":  # Windows can't open a folder, and journals renames itself
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
