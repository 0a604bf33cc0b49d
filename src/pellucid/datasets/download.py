"""Where data files are looked for, and how they are fetched: several mirrors, resumed, checked by hash, whole or not
at all.

A file grows as .NAME.part beside its place, and takes its name once it has the right length and the right SHA-256. What
was cut off stays there, and the next attempt, at any mirror, asks for the rest.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from pellucid.errors import DataError
from pellucid.files import sharing
from pellucid.files.sharing import rename

Progress = Callable[[int, int, str], None]
"""Called as progress(done, total, what)."""

TIMEOUT_S = 30
ATTEMPTS = 5
"""How often one mirror is asked for the rest, as long as each time something comes."""
MAX_REDIRECTS = 5
_PIECE = 1 << 16


@dataclass(frozen=True)
class Remote:
    """A file to fetch: its name, what it must hash to, and the addresses of folders that have it, best first.

    digest: in hexadecimal, of this `kind`; its first digits where no more was published. num_bytes: None where nobody
    has published that: then the mirror says it.
    """

    name: str
    digest: str
    num_bytes: int | None
    mirrors: tuple[str, ...]
    kind: str = "sha256"

    @property
    def hash_name(self) -> str:
        return {"sha256": "SHA-256", "md5": "MD5"}[self.kind]

    def fits(self, path: Path) -> bool:
        """Whether a file has this hash."""
        with path.open("rb") as file:
            return hashlib.file_digest(file, self.kind).hexdigest().startswith(self.digest)


class _Failed(Exception):
    """What was wrong with a mirror's answer; `gained`: whether some bytes of the file came before."""

    def __init__(self, what: str, *, gained: bool = False) -> None:
        super().__init__(what)
        self.gained = gained


def offline() -> bool:
    """Whether PELLUCID_OFFLINE forbids the network."""
    return os.environ.get("PELLUCID_OFFLINE", "").strip().lower() not in ("", "0", "false", "no")


def cache_folder() -> Path:
    """This user's cache of data: ~/.cache/pellucid on Linux, and where other systems keep such things."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("pellucid"))


def data_folders() -> list[Path]:
    """The folders that are searched, in order: PELLUCID_DATA, then the user's cache."""
    given = os.environ.get("PELLUCID_DATA")
    return [*([Path(given).expanduser()] if given else []), cache_folder()]


def fetch(remote: Remote, folder: Path, *, progress: Progress | None = None) -> Path:
    """Download one file into `folder` from the first mirror that gives the right bytes, unless it is there already.

    Only one process may do this in a folder at a time: see `alone`.
    Units: progress counts bytes.
    Errors: DataError naming each mirror, what went wrong there, and where to put the file by hand; DataError if the
    disk refuses, or PELLUCID_OFFLINE forbids the network.
    """
    target, part = folder / remote.name, folder / f".{remote.name}.part"
    failures: list[str] = []
    try:
        if target.is_file() and remote.fits(target):
            return target
        if offline():
            raise DataError(f"{remote.name} is not in {folder}, and PELLUCID_OFFLINE forbids a download; put it there")
        folder.mkdir(parents=True, exist_ok=True)
        if remote.num_bytes is not None:
            _make_sure_of_room(remote, folder, remote.num_bytes, part)
        for mirror in remote.mirrors:
            url = f"{mirror.rstrip('/')}/{remote.name}"
            try:
                _download(url, remote, part, progress)
            except _Failed as error:
                failures.append(f"{url} ({error})")
            else:
                rename(part, target)
                return target
        if _size(part) == 0:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise DataError(f"{target}: cannot be written ({error.strerror or error})") from error
    raise DataError(
        f"{remote.name} could not be downloaded: {'; '.join(failures)}. Get it elsewhere "
        f"({remote.hash_name} {remote.digest}) and put it into {folder}"
    )


@contextlib.contextmanager
def alone(lock: Path, waiting: Callable[[], None] | None = None) -> Iterator[None]:
    """Keep other processes out until the block ends; waits for one that is in, and says so by `waiting`.

    The lock goes with the process that holds it, however that ends.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    while True:
        handle = os.open(lock, os.O_CREAT | os.O_RDWR, 0o666)
        try:
            held = sharing.lock(handle)
            # the one before has removed what it held: a file of this name is another by now, or none. Asked of the
            # handle: under its name the file may go between two questions.
            if held and os.fstat(handle).st_nlink > 0:
                try:
                    yield
                finally:
                    with contextlib.suppress(PermissionError):  # Windows removes no open file: there it stays, empty
                        lock.unlink(missing_ok=True)
                return
        finally:
            os.close(handle)
        if not held:
            if waiting is not None:
                waiting()
                waiting = None
            time.sleep(sharing.PAUSE_S)


def copy(files: Sequence[Path], folder: Path, what: str, progress: Progress | None = None) -> Path:
    """Copy files into a folder, each written beside and renamed. Errors: DataError if the disk refuses."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for done, file in enumerate(files, 1):
            with arriving(folder / file.name) as partial:
                shutil.copyfile(file, partial)
            if progress is not None:
                progress(done, len(files), f"copying {what}")
    except OSError as error:
        raise DataError(f"{folder}: cannot be written ({error.strerror or error})") from error
    return folder


@contextlib.contextmanager
def arriving(target: Path) -> Iterator[Path]:
    """A place beside a file that takes the file's name when the block ends well, and vanishes when it does not."""
    partial = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        yield partial
        rename(partial, target)
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()


def _download(url: str, remote: Remote, part: Path, progress: Progress | None) -> None:
    """Make `part` the whole file. Errors: _Failed, after which `part` holds only what may be continued."""
    total = remote.num_bytes
    for attempt in range(ATTEMPTS):
        start = _size(part)
        if total is None or start < total:
            try:
                total = _transfer(url, remote, part, start, progress)
            except _Failed as error:
                if error.gained and attempt + 1 < ATTEMPTS:
                    continue
                raise
        if _size(part) == total and remote.fits(part):
            return
        part.unlink()
        if start == 0:
            break  # what was left over from another time is not to blame
    raise _Failed(f"its {remote.hash_name} hash is another: it is not the same file")


def _transfer(url: str, remote: Remote, part: Path, start: int, progress: Progress | None) -> int:
    """Write the bytes from `start` to the end of the file behind those that `part` has; how many the file has."""
    with contextlib.closing(_answer(url, start)) as response:
        if response.status_code == 416 and remote.num_bytes is None:
            return start  # there is nothing behind
        start = _first_byte(response, start)
        if "html" in response.headers.get("Content-Type", ""):
            raise _Failed("it gives a web page instead of the file")
        length = response.headers.get("Content-Length", "")
        stated = start + int(length) if length.isdecimal() else None
        total = stated if remote.num_bytes is None else remote.num_bytes
        if total is None:
            raise _Failed("it does not say how long the file is")
        if stated not in (None, total):
            raise _Failed(f"its file has {stated} bytes, expected {total}")
        if remote.num_bytes is None:
            _make_sure_of_room(remote, part.parent, total, part)
        done = start
        with part.open("r+b" if part.exists() else "wb") as file:
            file.truncate(start)
            file.seek(start)
            for piece in _pieces(response):
                if isinstance(piece, _Failed):
                    raise _Failed(f"{piece} after {done} of {total} bytes", gained=done > start)
                if done + len(piece) > total:
                    file.truncate(0)
                    raise _Failed(f"it sends more than {total} bytes")
                file.write(piece)
                done += len(piece)
                if progress is not None:
                    progress(done, total, f"downloading {remote.name}")
            file.flush()
            os.fsync(file.fileno())
        if done < total:
            raise _Failed(f"the connection ended after {done} of {total} bytes", gained=done > start)
    return total


def _answer(url: str, start: int) -> Any:
    """The answer to a request for a file from a byte on. A redirect is followed within http and https, never back."""
    import requests

    headers = {"User-Agent": "pellucid", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    try:
        for _ in range(MAX_REDIRECTS):
            response = requests.get(url, headers=headers, stream=True, allow_redirects=False, timeout=TIMEOUT_S)
            if not response.is_redirect:
                return response
            response.close()
            new = urljoin(url, response.headers["Location"])
            if urlsplit(new).scheme not in ("https", urlsplit(url).scheme):
                raise _Failed(f"it redirects from {urlsplit(url).scheme} to {urlsplit(new).scheme or 'nowhere'}")
            url = new
    except (requests.RequestException, ValueError) as error:
        raise _Failed(_reason(error)) from error
    raise _Failed(f"it redirects more than {MAX_REDIRECTS} times")


def _first_byte(response: Any, asked: int) -> int:
    """The place in the file of the first byte that an answer brings."""
    if response.status_code == 200:
        return 0
    if response.status_code == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {asked}-"):
        return asked
    raise _Failed(f"it answers {response.status_code} {response.reason}")


def _pieces(response: Any) -> Iterator[bytes | _Failed]:
    """The body as it was sent; where the network fails, that, so that it is not taken for the disk's failure."""
    from urllib3.exceptions import HTTPError

    try:
        yield from response.raw.stream(_PIECE, decode_content=False)
    except (HTTPError, OSError) as error:
        yield _Failed(f"the connection broke ({_reason(error)})")


def _reason(error: BaseException) -> str:
    """The innermost cause in one line: "Connection refused" and not the six errors wrapped around it."""
    cause: BaseException = error
    while (inner := getattr(cause, "reason", None) or cause.__cause__ or cause.__context__) and inner is not cause:
        if not isinstance(inner, BaseException):
            break
        cause = inner
    text = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
    return str(text).splitlines()[0][:160]


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _make_sure_of_room(remote: Remote, folder: Path, num_bytes: int, part: Path) -> None:
    """Errors: DataError where the disk has no room for what of so many bytes is not there yet."""
    if shutil.disk_usage(folder).free < num_bytes - _size(part):
        raise DataError(f"{folder}: has no room for the {num_bytes >> 20} MB of {remote.name}; make room")
