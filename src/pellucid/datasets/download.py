"""Where data files are looked for, and how they are fetched: several mirrors, checked by hash, whole or not at all."""

from __future__ import annotations

import gzip
import os
import tarfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pellucid.errors import DataError

Progress = Callable[[int, int, str], None]
"""Called as progress(done, total, what)."""

TIMEOUT_S = 30


@dataclass(frozen=True)
class Remote:
    """A file to fetch: its name, what it must hash to, and the addresses of folders that have it, best first."""

    name: str
    sha256: str
    num_bytes: int
    mirrors: tuple[str, ...]


def offline() -> bool:
    """Whether PELLUCID_OFFLINE forbids the network."""
    return os.environ.get("PELLUCID_OFFLINE", "").strip().lower() not in ("", "0", "false", "no")


def cache_folder() -> Path:
    """This user's cache of data: ~/.cache/pellucid on Linux, and where other systems keep such things."""
    import pooch  # type: ignore[import-untyped]

    return Path(str(pooch.os_cache("pellucid")))


def data_folders() -> list[Path]:
    """The folders that are searched, in order: PELLUCID_DATA, then the user's cache."""
    given = os.environ.get("PELLUCID_DATA")
    return [*([Path(given).expanduser()] if given else []), cache_folder()]


def fetch(remote: Remote, folder: Path, *, progress: Progress | None = None) -> Path:
    """Download one file into `folder` from the first mirror that gives the right bytes, unless it is there already.

    Units: progress counts bytes.
    Errors: DataError naming each mirror and what went wrong there.
    """
    import pooch

    pooch.get_logger().setLevel("WARNING")  # it would announce each mirror on stderr
    failures: list[str] = []
    for mirror in remote.mirrors:
        url = f"{mirror.rstrip('/')}/{remote.name}"
        meter = _Meter(remote, progress) if progress is not None else False
        downloader = pooch.HTTPDownloader(timeout=TIMEOUT_S, progressbar=meter)
        try:
            path = pooch.retrieve(
                url, known_hash=f"sha256:{remote.sha256}", fname=remote.name, path=folder, downloader=downloader
            )
        except (OSError, ValueError) as error:  # requests' errors are OSErrors; a wrong hash is a ValueError
            first_line = (str(error) or type(error).__name__).splitlines()[0]
            failures.append(f"{url} ({first_line[:160]})")
        else:
            return Path(path)
    raise DataError(
        f"{remote.name} could not be downloaded: {'; '.join(failures)}. Get it elsewhere and put it into {folder}"
    )


def unpack(archive: Path, names: Sequence[str], folder: Path) -> None:
    """Take the files of these names, and nothing else, out of a tar archive into `folder`.

    Only contents are read: paths, links and permissions in the archive have no effect. Each file is written beside and
    renamed.
    Errors: DataError if the archive is damaged or lacks one of them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    missing = set(names)
    try:
        with tarfile.open(archive, "r|gz") as tar:
            for member in tar:
                name = member.name.rpartition("/")[2]
                if name not in missing or not member.isfile():
                    continue
                source = tar.extractfile(member)
                if source is None:
                    continue
                partial = folder / f"{name}.{os.getpid()}.part"
                try:
                    with partial.open("wb") as target:
                        while piece := source.read(1 << 20):
                            target.write(piece)
                        if target.tell() != member.size:
                            raise tarfile.ReadError(f"{name} is cut short")
                    partial.replace(folder / name)
                finally:
                    partial.unlink(missing_ok=True)
                missing.discard(name)
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{archive}: damaged archive ({error}); delete it and fetch it again") from error
    if missing:
        raise DataError(f"{archive}: expected {', '.join(sorted(missing))} inside, not found")


class _Meter:
    """What pooch calls a progress bar, passing bytes on to a callback."""

    def __init__(self, remote: Remote, progress: Progress) -> None:
        self.total = remote.num_bytes
        self.done = 0
        self._what = f"downloading {remote.name}"
        self._progress = progress

    def update(self, num_bytes: int) -> None:
        self.done += num_bytes
        self._progress(min(self.done, self.total), self.total, self._what)

    def reset(self) -> None:
        self.done = 0

    def close(self) -> None:
        """Nothing is held open."""
