"""Masks beside pictures, masks/ beside images/: files of class numbers, one for each pixel."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pellucid._text import few, printable
from pellucid.datasets import cache
from pellucid.datasets.download import Progress
from pellucid.datasets.labels import mask_counts, matched_labels
from pellucid.datasets.listing import Entry, Listing
from pellucid.datasets.parts import MASK_ENDINGS, part_of, side_of
from pellucid.datasets.pictures import WHITE, Fitting, probe
from pellucid.datasets.tree import Folder, normalised, read_tree
from pellucid.errors import DataError
from pellucid.files.reading import in_order
from pellucid.ops import IGNORED

NAMES_FILE = "classes.txt"
"""Names of the classes, a line each, in the order of their numbers; beside images/ and masks/."""
BINARY = ("background", "object")
MULTIPLE = 16
"""Where no size is asked for, sides are multiples of this: networks of pixels halve maps, and double them."""


@dataclass(frozen=True)
class Masks:
    """A folder's pictures as a listing, and of each the mask's file by the picture's name from the root."""

    listing: Listing
    files: dict[str, Path]

    def read(
        self, kept: Sequence[Entry], rule: Fitting, known: Sequence[str] | None, progress: Progress | None
    ) -> tuple[NDArray[np.uint8], tuple[str, ...], list[str]]:
        """Masks of these pictures, fitted as they are; the classes' names; and what is worth a line.

        What 255 means is seen from all masks of the folder: where there is no number but 0 and it, it is the second of
        two classes, else the label of pixels that are not counted. known: names the classes must have.
        Shapes: (N,H,W).
        Errors: DataError naming a mask that cannot be read, is of another size than its picture, or holds a number that
        is no class.
        """
        entries = self.listing.entries
        masks = self._decoded(entries, replace(rule, channels=1, mask=True), progress)
        counts = mask_counts(masks)
        used = np.flatnonzero(counts)
        binary, facts = WHITE in used and set(used.tolist()) <= {0, WHITE}, []
        masks[masks == WHITE] = 1 if binary else IGNORED
        if binary:
            facts.append("masks of 0 and 255: two classes, 255 is the second")
        elif WHITE in used:
            facts.append(f"pixels with the label {IGNORED} are not counted")
        own = self._names()
        highest = int(binary) if binary else int(max((number for number in used if number != WHITE), default=0))
        names = own or (tuple(known) if known else BINARY if binary else tuple(map(str, range(highest + 1))))
        if highest >= len(names):
            place = next(i for i, mask in enumerate(masks) if (mask[mask != IGNORED] >= len(names)).any())
            found = masks[place][masks[place] != IGNORED].max()
            said = NAMES_FILE if own else "the network"
            raise DataError(
                f"{self.files[entries[place].name]}: holds the class number {found}, and {said} knows {len(names)} "
                f"classes, 0 to {len(names) - 1}; {IGNORED} is for pixels that are not counted"
            )
        if len(names) < 2:
            raise DataError(f"{self.listing.root}: every pixel is of class 0; there is nothing to tell apart")
        if known and own and tuple(known) != own:
            table = np.full(IGNORED + 1, IGNORED, np.uint8)
            table[: len(own)] = matched_labels(np.arange(len(own)), own, known)
            masks, names = table[masks], tuple(known)
        row = {entry.name: number for number, entry in enumerate(entries)}
        return masks[[row[entry.name] for entry in kept]], names, facts

    def _decoded(self, entries: Sequence[Entry], rule: Fitting, progress: Progress | None) -> NDArray[np.uint8]:
        paths = [self.files[entry.name] for entry in entries]
        stats = [(path, path.stat()) for path in paths]
        marks = [(str(path), stat.st_size, stat.st_mtime_ns) for path, stat in stats]
        name = cache.key(marks, {"size": rule.size, "resize": rule.resize, "masks": WHITE})
        built = cache.find(name, len(paths))
        if built is None:
            both = [(entry.path, path) for entry, path in zip(entries, paths, strict=True)]
            for entry, path, sizes in zip(entries, paths, in_order(_sizes, both), strict=True):
                if sizes is not None and sizes[0] != sizes[1]:
                    own, mask = (f"{height} x {width}" for height, width in sizes)
                    raise DataError(f"{path}: the mask is {mask}, and its picture {entry.name} is {own}")
            built = cache.build(name, paths, {}, rule, [], progress)
        if built.failures:
            row, reason = next(iter(built.failures.items()))
            raise DataError(f"{paths[row]}: {reason}")
        return built.store.read(np.arange(len(paths), dtype=np.int64))[..., 0]

    def _names(self) -> tuple[str, ...]:
        """Those of the file beside the pictures; nothing without one."""
        path = self.listing.root / NAMES_FILE
        if not path.is_file():
            return ()
        try:
            lines = [printable(line.strip()) for line in path.read_text(encoding="utf-8-sig").splitlines()]
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{path}: cannot be read ({error}); it names a class a line, in UTF-8") from error
        names = tuple(line for line in lines if line)
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None or len(names) > WHITE:
            raise DataError(f"{path}: " + (f"names {twice!r} twice" if twice else f"names more than {WHITE} classes"))
        return names


def _sizes(both: tuple[Path, Path]) -> tuple[tuple[int, int], ...] | None:
    """Of a picture and of its mask; None where one cannot be read, which others say."""
    try:
        return tuple(probe(path).size for path in both)
    except DataError:
        return None


def find_masks(root: Path) -> Masks | None:
    """The pictures of a folder images/ beside masks/, or of such pairs in train/, val/ and test/; None without any.

    A mask has its picture's name, the ending aside, perhaps with "_mask" behind it. Folders in images/ named as parts
    are parts, too.
    Errors: DataError for a picture without a mask, or with two.
    """
    pairs = _pairs(root)
    if not pairs:
        return None
    listing, files = Listing(root), dict[str, Path]()
    for part, pictures, masks in pairs:
        found: dict[str, Path] = {}
        for path in _files(listing, masks):
            stem = _stem(path, masks.path, mask=True)
            if stem in found:
                raise DataError(f"{path}: a second mask for {stem!r} beside {found[stem].name}; leave one of them out")
            found[stem] = path
        lonely = []
        for path in _files(listing, pictures):
            stem = _stem(path, pictures.path)
            if stem not in found:
                lonely.append(str(path))
                continue
            own = part or (part_of(stem.split("/")[0]) if "/" in stem else None) or ""
            name = listing.name(path)
            listing.entries.append(Entry(own, "", name, path))
            listing.classes.setdefault(own, [])
            files[name] = found.pop(stem)
        if lonely:
            raise DataError(
                f"{few(lonely)}: no mask in {masks.path}; each picture needs a mask with its name, the ending aside"
            )
        listing.skipped += [(listing.name(path), "is the mask of no picture") for path in found.values()]
        if part:
            listing.taken.setdefault(part, []).append(listing.name(pictures.path.parent))
    listing.entries.sort(key=lambda entry: entry.name)
    if set(listing.classes) - {"", "train"} and "" in listing.classes:  # pictures beside test/ are for training
        listing.entries = [replace(entry, split=entry.split or "train") for entry in listing.entries]
        listing.classes["train"] = listing.classes.pop("")
    return Masks(listing, files)


def has_masks(root: Path) -> bool:
    """Whether a folder holds pictures with masks beside them."""
    return bool(_pairs(root))


def _pairs(root: Path) -> list[tuple[str, Folder, Folder]]:
    """Each part with its folder of pictures and that of masks."""
    own = _sides(root)
    if own is not None:
        return [("", *own)]
    below = _folders(root)
    if len(below) == 1:
        return _pairs(below[0])
    parted = [(part_of(path.name), _sides(path)) for path in below]
    return [(part, *sides) for part, sides in parted if part is not None and sides is not None]


def _folders(root: Path) -> list[Path]:
    try:
        with os.scandir(root) as entries:
            return sorted(Path(entry.path) for entry in entries if not entry.name.startswith(".") and entry.is_dir())
    except OSError:
        return []


def _sides(root: Path) -> tuple[Folder, Folder] | None:
    """The folder of pictures and that of masks in a folder, if there is one of each, with something in it."""
    named: dict[str, list[Path]] = {}
    for path in _folders(root):
        named.setdefault(side_of(path.name) or "", []).append(path)
    sides = [named.get(side, []) for side in ("images", "masks")]
    if any(len(paths) != 1 for paths in sides):
        return None
    pictures, masks = (read_tree(path) for (path,) in sides)
    return (pictures, masks) if pictures.count and masks.count else None


def _files(listing: Listing, folder: Folder) -> list[Path]:
    """Its pictures at any depth; what else lies there is listed as skipped."""
    for below in folder.walk():
        listing.skipped += [(listing.name(path), reason) for path, reason in below.others]
    return [path for below in folder.walk() for path in below.pictures]


def _stem(path: Path, folder: Path, *, mask: bool = False) -> str:
    """A file's name from its folder, without its ending; of a mask without a word that says so, either."""
    stem = normalised(path.relative_to(folder).with_suffix("").as_posix())
    return re.sub(MASK_ENDINGS, "", stem, flags=re.IGNORECASE) if mask else stem
