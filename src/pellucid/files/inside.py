"""Files inside a folder that may come from a stranger: nothing in it leads out of it, and nothing in it waits.

The folder itself is opened once, and may be reached by a link: somebody named it. From there every step is taken by
descriptor and follows no link, so that neither a link that lies there nor one that is put there meanwhile has another
file read, replaced or removed. What is opened is a regular file: a pipe would wait, a device would do anything.

Where the system has no such descriptors (Windows) each step is looked at before it is taken.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from pellucid.errors import CheckpointError

BY_DESCRIPTOR = os.open in os.supports_dir_fd and hasattr(os, "O_NOFOLLOW")
WINDOWS = os.name == "nt"
MAX_TEXT_BYTES = 64 << 20
"""What a run's text may take: a million names of files, or two hundred thousand epochs."""

_BINARY = getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
_CAREFUL = _BINARY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | _BINARY
_WORDS = {stat.S_IFLNK: "link", stat.S_IFDIR: "folder", stat.S_IFREG: "file"}


_NO_FILE = re.compile(r'(?i)[\x00-\x1f<>:"\\|?*]|[. ]$|^(con|prn|aux|nul|com\d|lpt\d|conin\$|conout\$) *(\.|$)')
"""What Windows takes for no name of a file: see its "Naming Files, Paths, and Namespaces"."""


class _Opened:
    """A folder's path, and its descriptor from the first use on."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def descriptor(self) -> int:
        if self._descriptor is None:
            self._descriptor = os.open(self.path, _FOLDER)
            weakref.finalize(self, os.close, self._descriptor)
        return self._descriptor


class Inside:
    """A folder that somebody named, or with `/` a place below it. Text is its path, for people.

    It is no `os.PathLike`: what opens it by its path would follow links.
    """

    def __init__(self, folder: Path | Inside, *parts: str) -> None:
        self._root: _Opened = folder._root if isinstance(folder, Inside) else _Opened(folder)
        self._parts: tuple[str, ...] = (*folder._parts, *parts) if isinstance(folder, Inside) else parts
        if any(part in ("", ".", "..") or "/" in part or os.sep in part or _reserved(part) for part in parts):
            raise CheckpointError(f"{folder}: {parts!r} is no name of a file in a folder")

    def __truediv__(self, name: str) -> Inside:
        return Inside(self, name)

    def __str__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return f"Inside({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Inside) and self.path == other.path

    def __hash__(self) -> int:
        return hash(self.path)

    @property
    def path(self) -> Path:
        """Where it lies, in words; not to be opened."""
        return self._root.path.joinpath(*self._parts)

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def suffix(self) -> str:
        return self.path.suffix

    @property
    def parent(self) -> Inside:
        """The folder it lies in; of the folder that was named, that folder."""
        above = Inside(self._root.path)
        above._root, above._parts = self._root, self._parts[:-1]
        return above

    def kind(self) -> str | None:
        """What is there: "file", "folder", "link", "device or pipe", or None."""
        try:
            with self.place() as (name, folder):
                mode = os.stat(name, dir_fd=folder, follow_symlinks=not self._parts).st_mode
        except (FileNotFoundError, NotADirectoryError):
            return None
        return _WORDS.get(stat.S_IFMT(mode), "device or pipe")

    def is_file(self) -> bool:
        return self.kind() == "file"

    def is_dir(self) -> bool:
        return self.kind() == "folder"

    def check(self, kind: str = "file") -> Inside:
        """Itself, if such a thing or nothing is there. Errors: CheckpointError, naming it."""
        found = self.kind()
        if found not in (None, kind):
            raise refusal(self, found or "", kind)
        return self

    @contextlib.contextmanager
    def place(self) -> Iterator[tuple[str, int | None]]:
        """What `os` takes: a name and `dir_fd`. Errors: OSError; CheckpointError if a step before it is a link."""
        if not BY_DESCRIPTOR or not self._parts:
            for count in range(1, len(self._parts)):
                Inside(self._root.path, *self._parts[:count]).check("folder")
            yield str(self.path), None
            return
        with contextlib.ExitStack() as opened:
            folder = self._root.descriptor()
            for count, name in enumerate(self._parts[:-1], 1):
                try:
                    folder = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=folder)
                except OSError as error:
                    if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.EMLINK):
                        raise refusal(self.path.parents[len(self._parts) - count - 1], "link", "folder") from error
                    raise
                opened.callback(os.close, folder)
            yield self._parts[-1], folder

    def open(self, flags: int, mode: int = 0o666) -> int:
        """A descriptor of a regular file. Errors: OSError; CheckpointError for anything else that is there."""
        self.check()
        with self.place() as (name, folder):
            try:
                handle = os.open(name, flags | (_CAREFUL if self._parts else _BINARY), mode, dir_fd=folder)
            except OSError as error:
                if error.errno in (errno.ELOOP, errno.EMLINK):
                    raise refusal(self, "link", "file") from error
                raise
        return _regular(handle, self)

    def names(self) -> list[str]:
        """What lies in it. Errors: OSError; CheckpointError if it is a link."""
        self.check("folder")
        with (self / "_").place() as (name, folder):
            return os.listdir(Path(name).parent if folder is None else folder)

    def unlink(self) -> None:
        """Remove the name, and nothing it leads to."""
        with self.place() as (name, folder):
            os.unlink(name, dir_fd=folder)

    def mkdir(self) -> None:
        """Make the folder, unless it is there; below the one that was named, in a folder that is there."""
        if not self._parts:
            self.path.mkdir(parents=True, exist_ok=True)
            return
        with self.place() as (name, folder), contextlib.suppress(FileExistsError):
            os.mkdir(name, dir_fd=folder)
        self.check("folder")


Place = Path | Inside
"""A file that somebody named, whose links are followed, or one inside a folder."""


def _reserved(name: str) -> bool:
    """Whether the name is another thing than a file's on Windows: a device, a stream of a file, a place on a drive."""
    return WINDOWS and _NO_FILE.search(name) is not None


def refusal(where: object, found: str, expected: str) -> CheckpointError:
    """The error for a link or another thing that stands where a file or a folder was expected."""
    if found == "link":
        return CheckpointError(f"{where}: is a link, and nothing in a run may lead out of it; put the {expected} there")
    return CheckpointError(f"{where}: expected a {expected}, got a {found}; move it away")


@contextlib.contextmanager
def reading(place: Place) -> Iterator[IO[bytes]]:
    """A regular file for reading; nothing else is waited for. Errors: CheckpointError if it cannot be read."""
    try:
        handle = place.open(os.O_RDONLY) if isinstance(place, Inside) else _open_named(place)
    except CheckpointError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or str(error)
        raise CheckpointError(f"{place}: cannot be read: {reason}") from error
    with open(handle, "rb") as file:
        try:
            yield file
        except OSError as error:
            raise CheckpointError(f"{place}: cannot be read: {error.strerror or error}") from error


def _open_named(path: Path) -> int:
    found = stat.S_IFMT(os.stat(path).st_mode)  # asked before: opening a pipe would wait for its other end
    if found != stat.S_IFREG:
        raise refusal(path, _WORDS.get(found, "device or pipe"), "file")
    return _regular(os.open(path, os.O_RDONLY | _BINARY | getattr(os, "O_NONBLOCK", 0)), path)


def read_bytes(place: Place, limit: int = MAX_TEXT_BYTES) -> bytes:
    """A file's bytes. Errors: CheckpointError if it cannot be read or takes more than `limit` bytes."""
    with reading(place) as file:
        size = os.fstat(file.fileno()).st_size
        data = file.read(min(size, limit) + 1) if size <= limit else b""  # as much memory is taken at once
        size = max(os.fstat(file.fileno()).st_size, len(data))
    if size > limit:
        raise CheckpointError(f"{place}: takes {size} bytes, at most {limit} are read; it was changed or damaged")
    return data


def _regular(handle: int, where: object) -> int:
    """A descriptor, if it is of a regular file; else it is closed, and said."""
    found = stat.S_IFMT(os.fstat(handle).st_mode)
    if found != stat.S_IFREG:
        os.close(handle)
        raise refusal(where, _WORDS.get(found, "device or pipe"), "file")
    return handle


def inside(path: Place) -> Inside:
    """A file as one of its folder, so that a link in its place is not followed."""
    return path if isinstance(path, Inside) else Inside(path.parent) / path.name


def place_of(path: str | os.PathLike[str] | Inside) -> Place:
    """A place as it was named."""
    return path if isinstance(path, Inside) else Path(path)
