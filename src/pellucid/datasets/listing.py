"""What lies in a folder of pictures: its splits, its classes, its files, and what was passed over."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pellucid.datasets.pictures import SUFFIXES
from pellucid.errors import DataError
from pellucid.text import printable

SPLIT_FOLDERS = {
    "train": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
}

_IGNORED = frozenset({"__macosx", "thumbs.db", "desktop.ini"})


@dataclass(frozen=True)
class Entry:
    """One picture file: the split whose folder it lies in ("" where there are none), its class, its name from the root.

    Names are NFC-normalised, so that Hangul reads the same whichever system wrote it; `path` is as the disk has it.
    """

    split: str
    class_name: str
    name: str
    path: Path


@dataclass
class Listing:
    """A folder's pictures sorted by name; `classes` holds the sub-folders of each split, empty ones included."""

    root: Path
    entries: list[Entry] = field(default_factory=list)
    classes: dict[str, list[str]] = field(default_factory=dict)
    skipped: list[tuple[str, str]] = field(default_factory=list)


def list_folder(root: Path) -> Listing:
    """Walk a folder that has one sub-folder a class, or such folders under train/, val/ and test/.

    Hidden files, __MACOSX, .ipynb_checkpoints and the like are passed over in silence; everything else that is no
    picture of a class is listed as skipped, with the reason.
    """
    listing = Listing(root)
    folders = _visible(root, folders=True)
    splits = [folder for folder in folders if folder.name.lower() in SPLIT_FOLDERS]
    has_train = any(folder.name.lower() == "train" for folder in splits)
    _skip_files(listing, root, "lies in no class's folder")
    for folder in splits:
        _list_classes(listing, SPLIT_FOLDERS[folder.name.lower()], folder, _visible(folder, folders=True))
        _skip_files(listing, folder, "lies in no class's folder")
    others = [folder for folder in folders if folder not in splits]
    if has_train:
        listing.skipped += [(_name(folder, root), "a folder beside train/ is no class") for folder in others]
    elif others:
        _list_classes(listing, "train" if splits else "", root, others)
    listing.entries.sort(key=lambda entry: entry.name)
    return listing


def list_pictures(paths: Iterable[str | Path]) -> list[Path]:
    """These files, whatever their type, and the picture files under these folders, sorted.

    Errors: DataError for a path that does not exist, or if no picture is found.
    """
    found: list[Path] = []
    given = [Path(path).expanduser() for path in paths]
    for path in given:
        if path.is_dir():
            found += sorted(file for file in _walk(path) if file.suffix.lower() in SUFFIXES)
        elif path.is_file():
            found.append(path)
        else:
            raise DataError(f"{path}: no such file or folder")
    if not found:
        raise DataError(f"no pictures in {', '.join(map(str, given)) or 'nothing'}; known types: {known_types()}")
    return found


def known_types() -> str:
    """The types that are read, for messages."""
    return " ".join(sorted(SUFFIXES))


def normalised(name: str) -> str:
    """NFC form: a Hangul syllable is one character, not its two or three parts; what cannot be printed spelled out."""
    return printable(unicodedata.normalize("NFC", name))


def _list_classes(listing: Listing, split: str, parent: Path, folders: list[Path]) -> None:
    names = [normalised(folder.name) for folder in folders]
    listing.classes[split] = sorted({*listing.classes.get(split, []), *names})
    for folder, class_name in zip(folders, names, strict=True):
        for path in _walk(folder):
            name = _name(path, listing.root)
            if path.suffix.lower() in SUFFIXES:
                listing.entries.append(Entry(split, class_name, name, path))
            else:
                listing.skipped.append((name, f"type {path.suffix.lower() or 'without a suffix'} is not supported"))


def _skip_files(listing: Listing, folder: Path, reason: str) -> None:
    listing.skipped += [(_name(path, listing.root), reason) for path in _visible(folder, folders=False)]


def _walk(folder: Path) -> Iterator[Path]:
    for path, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not _ignored(name))
        for name in sorted(files):
            if not _ignored(name):
                yield Path(path, name)


def _visible(folder: Path, *, folders: bool) -> list[Path]:
    try:
        children = sorted(folder.iterdir())
    except OSError as error:
        raise DataError(f"{folder}: cannot be read ({error.strerror or error})") from error
    return [child for child in children if child.is_dir() == folders and not _ignored(child.name)]


def _ignored(name: str) -> bool:
    return name.startswith(".") or name.lower() in _IGNORED


def _name(path: Path, root: Path) -> str:
    return normalised(path.relative_to(root).as_posix())
