"""Writing that leaves no half-written file: whatever comes between, the old file or the new one stands there whole.

A file is written beside its final name, flushed, and renamed; then the folder is flushed too, so that the name outlasts
a power cut. All that a training leaves on the disk is written here. An existing file keeps its mode and its owner.
What is no regular file (a device, a pipe, the output of this process) is written into: it has no name to take.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from pellucid.errors import CheckpointError
from pellucid.files.inside import Inside
from pellucid.files.sharing import rename

_BESIDE = (".pellucid-", ".tmp")
_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}
"""What a full disk says, or one of which nobody may have more; Windows has no second."""


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str] | Inside) -> Iterator[IO[bytes]]:
    """A binary file that takes the name `path` when the block ends well, and vanishes when it does not.

    A link that somebody named stays, and what it leads to is replaced; a link inside a folder is replaced itself.
    Errors: CheckpointError if it cannot be written; whatever stood at `path` is then still there.
    """
    try:
        stream, target = (None, path) if isinstance(path, Inside) else _resolved(path)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise _failed(path, error) from error
    try:
        if stream is None:
            with _renamed(target) as file:
                yield file
        else:
            with stream, io.BytesIO() as whole:
                yield whole
                stream.write(whole.getbuffer())
    except OSError as error:
        raise _failed(path, error) from error


def make_folder(path: str | os.PathLike[str] | Inside) -> None:
    """Make a folder, and those above it, where they are missing.

    Errors: CheckpointError if it cannot be made.
    """
    try:
        folder = path if isinstance(path, Inside) else Inside(Path(path))
        folder.mkdir()
        with folder.place() as (name, above):
            _flush(above, Path(name).parent)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be made: {error.strerror or error}; choose another place") from error


def remove_leftovers(folder: Inside) -> None:
    """Remove what a killed process has left beside the names it was about to take; only with nobody else writing."""
    for name in folder.names():
        if name.startswith(_BESIDE[0]) and name.endswith(_BESIDE[1]):
            with contextlib.suppress(OSError):
                (folder / name).unlink()


def _failed(path: object, error: Exception) -> CheckpointError:
    if isinstance(error, CheckpointError):
        return error
    reason = getattr(error, "strerror", None) or str(error)
    remedy = "make room there" if getattr(error, "errno", None) in _FULL else "choose a folder that exists and has room"
    return CheckpointError(f"{path}: cannot be written: {reason}; {remedy}")


def _resolved(path: str | os.PathLike[str]) -> tuple[IO[bytes] | None, Inside]:
    """A stream for what is no regular file, and the file that the path leads to."""
    target = Path(os.path.realpath(path))
    file = Inside(target.parent) / (target.name or "_")
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None, file
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    for own in (1, 2):  # /dev/stdout, which may lead to a file that the shell goes on writing to
        with contextlib.suppress(OSError):
            if os.path.samestat(found, os.fstat(own)):
                return os.fdopen(os.dup(own), "wb"), file
    return (None if stat.S_ISREG(found.st_mode) else os.fdopen(os.open(path, os.O_WRONLY), "wb")), file


@contextlib.contextmanager
def _renamed(target: Inside) -> Iterator[IO[bytes]]:
    """A file beside the target, which takes its name at the end, and has its mode and owner."""
    with target.place() as (name, folder):
        beside = str(Path(name).with_name(secrets.token_hex(8).join(_BESIDE)))
        old = _existing(name, folder)
        try:  # before the file is there, so that no interrupt comes between
            flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | getattr(os, "O_BINARY", 0)
            handle = os.open(beside, flags, 0o666 if old is None else 0o600, dir_fd=folder)
            with os.fdopen(handle, "wb") as file:
                if old is not None:
                    _keep_owner_and_mode(handle, old)
                yield file
                file.flush()
                os.fsync(handle)
            rename(beside, name, folder)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(beside, dir_fd=folder)
            raise
        _flush(folder, Path(name).parent)


def _existing(name: str, folder: int | None) -> os.stat_result | None:
    """What a regular file of this name is like."""
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return found if stat.S_ISREG(found.st_mode) else None


def _keep_owner_and_mode(handle: int, old: os.stat_result) -> None:
    if not hasattr(os, "fchown"):
        return
    new = os.fstat(handle)
    with contextlib.suppress(OSError):  # the group alone may be allowed
        if old.st_gid != new.st_gid:
            os.fchown(handle, -1, old.st_gid)
        if old.st_uid != new.st_uid:
            os.fchown(handle, old.st_uid, -1)
    os.fchmod(handle, stat.S_IMODE(old.st_mode))  # after the owner, whose change takes bits away


def _flush(folder: int | None, path: Path) -> None:
    """Flush an open folder, or the one at `path`."""
    if folder is not None:
        os.fsync(folder)
    elif os.name != "nt":  # Windows can't open a folder, and journals renames itself
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
