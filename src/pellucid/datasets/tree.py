"""A folder of files as it lies on the disk: each directory once, links followed, rubbish passed over."""

from __future__ import annotations

import os
import stat
import unicodedata
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pellucid._text import printable
from pellucid.datasets.formats import is_picture, unsupported
from pellucid.errors import DataError

_IGNORED = frozenset(
    {
        "__macosx",
        "thumbs.db",
        "ehthumbs.db",
        "desktop.ini",
        "@eadir",
        "#recycle",
        "$recycle.bin",
        "system volume information",
        "lost+found",
        "__pycache__",
        "node_modules",
        "icon\r",
    }
)
"""What systems leave in folders, in lower case, beside everything whose name begins with a dot."""

_RUN_FILES = ("run.json", "log.jsonl")
A_RUN = "is a run of `pellucid train`"


@dataclass
class Folder:
    """One directory: its picture files, its other files with the reason why they are none, and its sub-folders."""

    path: Path
    pictures: list[Path] = field(default_factory=list)
    others: list[tuple[Path, str]] = field(default_factory=list)
    folders: list[Folder] = field(default_factory=list)

    @property
    def name(self) -> str:
        return normalised(self.path.name)

    @property
    def filled(self) -> list[Folder]:
        """The sub-folders that have pictures, at any depth."""
        return [folder for folder in self.folders if folder.count]

    @property
    def count(self) -> int:
        """Pictures, at any depth."""
        return sum(len(folder.pictures) for folder in self.walk())

    def walk(self) -> Iterator[Folder]:
        """This folder and all below it, by name."""
        yield self
        for folder in self.folders:
            yield from folder.walk()


def normalised(name: str) -> str:
    """NFC form: a Hangul syllable is one character, not its two or three parts; what cannot be printed spelled out."""
    return printable(unicodedata.normalize("NFC", name))


def read_tree(root: Path) -> Folder:
    """All that lies below a folder.

    Real directories come first, then those that links lead to, so that a directory which both reach is read where it
    lies; such a link, a broken one, and one that leads above the root are among `others`.
    Errors: DataError if the root itself cannot be read.
    """
    top = Folder(root)
    try:
        seen = {_identity(place) for place in (root, *root.resolve().parents)}
        links = deque(_read(top, seen))
    except (OSError, RuntimeError) as error:
        raise DataError(f"{root}: cannot be read ({getattr(error, 'strerror', None) or error})") from error
    while links:
        parent, path = links.popleft()
        try:
            reached = _identity(path)
            if reached in seen:
                parent.others.append((path, f"is a link to {path.resolve()}, which is read where it lies"))
                continue
            seen.add(reached)
            child = Folder(path)
            links += _read(child, seen)
            parent.folders = sorted([*parent.folders, child], key=lambda folder: folder.path)
        except OSError as error:
            parent.others.append((path, f"cannot be read ({error.strerror or error})"))
    return top


def _read(folder: Folder, seen: set[tuple[int, int]]) -> list[tuple[Folder, Path]]:
    """Fill a folder from the disk, without its links to directories, which are returned with their folder."""
    links: list[tuple[Folder, Path]] = []
    for path in sorted(folder.path.iterdir()):
        if path.name.startswith(".") or path.name.lower() in _IGNORED:
            continue
        try:
            mode = path.stat().st_mode
        except (OSError, RuntimeError) as error:  # a link to itself is a RuntimeError in some versions
            broken = f"is a broken link, to {os.readlink(path)}" if path.is_symlink() else f"cannot be read ({error})"
            folder.others.append((path, broken))
            continue
        if not stat.S_ISDIR(mode):
            if not stat.S_ISREG(mode):
                folder.others.append((path, "is no ordinary file"))
            elif is_picture(path):
                folder.pictures.append(path)
            else:
                folder.others.append((path, unsupported(path)))
        elif path.is_symlink():
            links.append((folder, path))
        else:
            if all((path / name).is_file() for name in _RUN_FILES):
                folder.others.append((path, A_RUN))
                continue
            child = Folder(path)
            seen.add(_identity(path))
            try:
                links += _read(child, seen)
                folder.folders.append(child)
            except OSError as error:
                folder.others.append((path, f"cannot be read ({error.strerror or error})"))
    return links


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino
