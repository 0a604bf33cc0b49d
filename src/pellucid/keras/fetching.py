"""Files that programs fetch: `get_file`, checked and unpacked with care."""

from __future__ import annotations

import hashlib
import os
import tarfile
import zipfile
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from pellucid._arguments import path_of
from pellucid.datasets.download import arriving, offline
from pellucid.errors import ConfigError, DataError, shown

MAX_BYTES = 20 * 2**30
"""Of a file that is fetched, and of all that comes out of an archive."""
MAX_MEMBERS = 1_000_000
WAIT_S = 30


def get_file(
    fname: Any = None,
    origin: str | None = None,
    untar: bool = False,
    md5_hash: str | None = None,
    file_hash: str | None = None,
    cache_subdir: str = "datasets",
    hash_algorithm: str = "auto",
    extract: bool = False,
    archive_format: str | None = "auto",
    cache_dir: Any = None,
    force_download: bool = False,
) -> str:
    """The place of a file that lies under ~/.keras, fetched from `origin` where it does not yet; checked by its hash.

    extract (untar): unpack it beside; of an archive only files and folders are taken, no links, nothing outside. Gives
    the folder with what came out then, as Keras 3 does.
    Errors: DataError for an address that gives no such file, another hash, or an archive that is refused.
    """
    if not isinstance(origin, str):
        raise ConfigError(f'get_file: give origin="https://...", got {shown(origin)}')
    home = Path.home() / ".keras" if cache_dir is None else path_of(cache_dir, "get_file: cache_dir")
    folder = home / cache_subdir
    name = os.path.basename(str(fname or urlsplit(origin).path)) or "file"
    folder.mkdir(parents=True, exist_ok=True)
    stem = name.removesuffix(".gz").removesuffix(".tar").removesuffix(".tgz").removesuffix(".zip")
    target = folder / (f"{stem}.tar.gz" if untar and name == stem else name)
    digest = file_hash or md5_hash
    if force_download or not target.is_file() or not fits(target, digest):
        _fetch(origin, target)
        if not fits(target, digest):
            target.unlink()
            raise DataError(f"{origin}: gives another file than was asked for: its hash is not {digest}")
    if not (untar or extract):
        return str(target)
    place = folder / f"{stem}_extracted" if extract and not untar else folder
    _unpack(target, place)
    return str(folder / stem if untar else place)


def fits(file: Path, digest: str | None) -> bool:
    """Whether a file has this hash, MD5 or SHA-256; None: any."""
    if digest is None:
        return True
    found = hashlib.new("md5" if len(digest) == 32 else "sha256", usedforsecurity=False)
    with file.open("rb") as opened:
        while block := opened.read(1 << 20):
            found.update(block)
    return found.hexdigest() == digest.lower()


def _fetch(origin: str, target: Path) -> None:
    scheme = urlsplit(origin).scheme
    if scheme not in ("http", "https"):
        raise ConfigError(f"get_file: origin must be an http address, got {shown(origin)}")
    if offline():
        raise DataError(f"{origin}: PELLUCID_OFFLINE forbids the network; put the file at {target} by hand")
    import requests

    try:
        with requests.get(origin, stream=True, timeout=WAIT_S) as answer, arriving(target) as partial:
            answer.raise_for_status()
            size = 0
            with partial.open("wb") as file:
                for block in answer.iter_content(1 << 20):
                    size += len(block)
                    if size > MAX_BYTES:
                        raise DataError(f"{origin}: more than {MAX_BYTES / 2**30:g} GiB")
                    file.write(block)
    except (requests.RequestException, OSError) as error:
        raise DataError(f"{origin}: cannot be fetched ({error}); put the file at {target} by hand") from error


def _unpack(archive: Path, folder: Path) -> None:
    """Files and folders of a zip or tar, none of them outside `folder`."""
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as packed:
                links = [one for one in packed.infolist() if (one.external_attr >> 16) & 0o170000 == 0o120000]
                _check(archive, [(one.filename, one.file_size) for one in packed.infolist()], bool(links))
                packed.extractall(folder)
        else:
            with tarfile.open(archive) as tar:
                members = tar.getmembers()
                links_ = [one for one in members if not (one.isreg() or one.isdir())]
                _check(archive, [(one.name, one.size) for one in members], bool(links_))
                for member in members:
                    member.mode = 0o755 if member.isdir() else 0o644
                tar.extractall(folder, members, filter="data")
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, OSError, NotImplementedError, RuntimeError) as error:
        raise DataError(f"{archive}: cannot be unpacked ({error})") from error


def _check(archive: Path, members: list[tuple[str, int]], links: bool) -> None:
    if len(members) > MAX_MEMBERS or sum(size for _, size in members) > MAX_BYTES:
        raise DataError(f"{archive}: too much in it, at most {MAX_BYTES / 2**30:g} GiB are unpacked")
    if links:
        raise DataError(f"{archive}: has links or devices in it; unpack it by hand where you trust it")
    for name, _ in members:
        parts = PurePosixPath(name.replace("\\", "/"))
        if parts.is_absolute() or ".." in parts.parts or (parts.parts and ":" in parts.parts[0]):
            raise DataError(f"{archive}: {shown(name)} in it lies outside; unpack it by hand where you trust it")
