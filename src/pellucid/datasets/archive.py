"""Taking files out of an archive, member by member, with a limit on what comes out of it."""

from __future__ import annotations

import gzip
import tarfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pellucid.datasets.download import Progress, arriving
from pellucid.errors import DataError

MAX_MEMBERS = 10_000
"""The library remembers each."""


def unpack(
    archive: Path, names: Sequence[str], folder: Path, *, max_bytes: int, progress: Progress | None = None
) -> None:
    """Take the files of these names, and nothing else, out of a gzipped tar archive into `folder`.

    Only contents are read: paths, links, devices and permissions in the archive have no effect. Each file is written
    beside and renamed. max_bytes: what all of the archive may unpack to, members that are passed over included.
    progress: called as progress(done, total, what), in bytes of the archive.
    Errors: DataError if the archive is damaged, unpacks to more, or lacks one of them; or if the disk refuses.
    """
    missing = set(names)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with archive.open("rb") as packed, gzip.open(packed) as unpacked:
            size = archive.stat().st_size

            def tell() -> None:
                if progress is not None:
                    progress(packed.tell(), size, f"unpacking {archive.name}")

            stream: Any = _Limited(unpacked, max_bytes, tell)  # of which tarfile asks no more than to read
            with tarfile.open(fileobj=stream, mode="r|") as tar:
                for count, member in enumerate(tar):
                    if count >= MAX_MEMBERS:
                        raise tarfile.ReadError(f"more than {MAX_MEMBERS} members")
                    name = member.name.rpartition("/")[2]
                    if name in missing and member.isreg():
                        _take(tar, member, folder / name)
                        missing.discard(name)
    except _TooLong as error:
        raise DataError(
            f"{archive}: unpacks to more than {max_bytes} bytes, and no such data set does; delete it"
        ) from error
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{archive}: damaged archive ({error}); delete it and fetch it again") from error
    except OSError as error:
        raise DataError(f"{archive}: cannot be unpacked into {folder} ({error.strerror or error})") from error
    if missing:
        raise DataError(f"{archive}: expected {', '.join(sorted(missing))} inside, not found")


def _take(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    source = tar.extractfile(member)
    assert source is not None  # a regular file has contents
    with arriving(target) as partial, partial.open("wb") as file:
        while piece := source.read(1 << 20):
            file.write(piece)
        if file.tell() != member.size:
            raise tarfile.ReadError(f"{target.name} is cut short")


class _TooLong(Exception):
    """More came out of an archive than it may hold."""


class _Limited:
    """A file that can be read up to a number of bytes, and tells after each piece. The library reads headers of any
    length whole: this stops it."""

    def __init__(self, file: gzip.GzipFile, max_bytes: int, tell: Callable[[], None]) -> None:
        self._file, self._tell = file, tell
        self._left = max_bytes

    def read(self, size: int) -> bytes:
        if size > self._left:
            size = self._left + 1
        data = self._file.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise _TooLong
        self._tell()
        return data
