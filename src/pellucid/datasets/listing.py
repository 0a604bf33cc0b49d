"""What a folder of pictures means: its parts, its classes, its files, and what is passed over."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from pellucid._text import few
from pellucid.datasets.formats import known_types
from pellucid.datasets.parts import are_pieces, only_holds, part_and_rest, part_of, says_no_class
from pellucid.datasets.tree import A_RUN, Folder, normalised, read_tree
from pellucid.errors import DataError

_TEXTS = "txt csv tsv json jsonl xml yaml yml md mat npy npz html pdf log ini py"
ANNOTATIONS = frozenset(f".{kind}" for kind in _TEXTS.split())
"""Files that describe pictures: a folder of nothing else is no class whose pictures are missing."""

PARTS = ("train", "validation", "test", "unlabelled")
NO_CLASS = "lies in no class's folder"


@dataclass(frozen=True)
class Entry:
    """One picture file: the part whose folder it lies in ("" where there are none), its class, its name from the root.

    Names are NFC-normalised, so that Hangul reads the same whichever system wrote it; `path` is as the disk has it.
    """

    split: str
    class_name: str
    name: str
    path: Path


@dataclass
class Listing:
    """A folder's pictures sorted by name; `classes` holds the sub-folders of each part, empty ones included.

    taken: the folders that were taken for each part. unlabelled: those of pictures without a class, and how many.
    """

    root: Path
    entries: list[Entry] = field(default_factory=list)
    classes: dict[str, list[str]] = field(default_factory=dict)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    taken: dict[str, list[str]] = field(default_factory=dict)
    unlabelled: list[tuple[Path, int]] = field(default_factory=list)

    def name(self, path: Path) -> str:
        """A file's name from the root."""
        return normalised(path.relative_to(self.root).as_posix())

    def pass_over(self, folder: Folder, reason: str) -> None:
        """List a folder's own files, without those below it, as skipped."""
        self.skipped += [(self.name(path), reason) for path in folder.pictures]
        self.skipped += [(self.name(path), own if "link" in own else reason) for path, own in folder.others]


def list_folder(root: Path) -> Listing:
    """The classes of a folder that has one sub-folder a class, or such folders under train/, val/ and test/.

    Parts are known by the words in their names (`part_of`). A folder around all the others is looked through. What
    systems leave behind is passed over in silence; everything else that is no picture of a class is listed as skipped.
    Errors: DataError where the sub-folders cannot be classes: several hold the same sub-folders again, or the pictures
    of train/ lie in no class's folder.
    """
    listing = Listing(root)
    level = _unwrapped(listing, read_tree(root))
    listing.pass_over(level, NO_CLASS)
    parts, classes = _parts_of(listing, level)
    filled = [folder for folder in classes if folder.count]
    if not filled and not parts and level.pictures:
        raise no_classes(level, level)
    if len(filled) == 1 and only_holds(filled[0].name):
        raise no_classes(filled[0], level)
    if classes:
        _list_classes(listing, "train" if {"validation", "test"} & set(parts) else "", level, classes)
    for part in (part for part in PARTS if part in parts):
        for folder in parts[part]:
            _list_part(listing, part, folder)
    listing.entries.sort(key=lambda entry: entry.name)
    return listing


def list_pictures(paths: Iterable[str | Path]) -> tuple[list[Path], list[tuple[str, str]]]:
    """These files, whatever their type, and the pictures under these folders, sorted; then what is none, and why.

    Errors: DataError for a path that does not exist, or if no picture is found.
    """
    found: list[Path] = []
    skipped: list[tuple[str, str]] = []
    given = [Path(path).expanduser() for path in paths]
    for path in given:
        if path.is_dir():
            for folder in read_tree(path).walk():
                found += folder.pictures
                skipped += [(str(other), reason) for other, reason in folder.others]
        elif path.exists():
            found.append(path)
        else:
            raise missing(path, "file or folder")
    if not found:
        raise DataError(f"no pictures in {', '.join(map(str, given)) or 'nothing'}; known types: {known_types()}")
    return found, skipped


def missing(path: Path, what: str = "folder", hint: str = "") -> DataError:
    """The error for a path that is not there; names what lies beside it and reads like it."""
    place = path
    while not place.parent.is_dir():
        place = place.parent
    try:
        shown = [child for child in place.parent.iterdir() if not child.name.startswith(".")]
        beside = sorted(child.name for child in shown if what != "folder" or child.is_dir())
    except OSError:
        beside = []
    close = difflib.get_close_matches(place.name.lower(), [name.lower() for name in beside], n=3, cutoff=0.6)
    near = [str(place.parent / name) for name in beside if name.lower() in close]
    meant = f"; did you mean {' or '.join(near)}?" if near else ""
    return DataError(f"{path}: no such {what}{meant}{f'; {hint}' if hint else ''}")


def _unwrapped(listing: Listing, folder: Folder) -> Folder:
    """The folder itself, or what lies in it where it is only wrapped around one that holds the classes or parts."""
    while len(folder.filled) == 1 and folder.filled[0].filled:
        inner = folder.filled[0]
        if folder.path == listing.root and part_of(inner.name) is not None:
            break
        listing.pass_over(folder, NO_CLASS)
        for beside in folder.folders:
            if beside is not inner:
                listing.skipped.append((listing.name(beside.path), "holds no pictures"))
        folder = inner
    return folder


def _parts_of(listing: Listing, level: Folder) -> tuple[dict[str, list[Folder]], list[Folder]]:
    """The folders of each part, and those that are classes themselves."""
    filled = level.filled
    roles = {folder.path: part_of(folder.name) for folder in filled}
    if not any(roles[folder.path] == "train" and _holds_classes(folder) for folder in filled):
        roles = _roles_by_one_word(filled) or roles
    if any(roles[folder.path] == "train" and _holds_classes(folder) for folder in filled):
        parts: dict[str, list[Folder]] = {}
        wanted = {child.name for folder in filled if roles[folder.path] == "train" for child in folder.filled}
        for folder in level.folders:
            role = roles.get(folder.path)
            if role is None and wanted.intersection(child.name for child in folder.filled):
                role = part_and_rest(folder.name)[0]  # PublicTest
                role = None if role == "train" else role
            if role is None or (role == "train" and not _holds_classes(folder)):
                reason = "a folder beside train/ is no class" if folder.count else "holds no pictures"
                listing.skipped.append((listing.name(folder.path), reason))
            else:
                parts.setdefault(role, []).append(folder)
        return parts, []
    others = [folder for folder in filled if roles[folder.path] is None]
    if not others and any(roles[folder.path] == "train" for folder in filled):
        train = next(folder for folder in filled if roles[folder.path] == "train")
        raise no_classes(train, level, "train/CLASS/")
    parts = {}
    for folder in filled:
        role = roles[folder.path]
        if role in ("validation", "test") and (_holds_classes(folder) or not others):
            parts.setdefault(role, []).append(folder)
        elif role in ("test", "unlabelled") and len(others) > 1:
            parts.setdefault("unlabelled", []).append(folder)
    taken = [folder for folders in parts.values() for folder in folders]
    return parts, [folder for folder in level.folders if folder not in taken]


def _holds_classes(folder: Folder) -> bool:
    """Whether a part's pictures lie in folders of classes, perhaps within others; if not they have no class."""
    while len(folder.filled) == 1 and folder.filled[0].filled:
        folder = folder.filled[0]
    return len(folder.filled) > 1 or any(not says_no_class(inner.name) for inner in folder.filled)


def _roles_by_one_word(filled: list[Folder]) -> dict[Path, str | None]:
    """Parts whose names share their other words, as in alphabet_train and alphabet_test; nothing where none do."""
    named = {folder.path: part_and_rest(folder.name) for folder in filled}
    parts_by_rest: dict[tuple[str, ...], set[str]] = {}
    for part, rest in named.values():
        if part is not None:
            parts_by_rest.setdefault(rest, set()).add(part)
    rests = {rest for rest, parts in parts_by_rest.items() if "train" in parts and len(parts) > 1}
    if not rests:
        return {}
    return {path: part if rest in rests else None for path, (part, rest) in named.items()}


def _list_part(listing: Listing, part: str, folder: Folder) -> None:
    inner = _unwrapped(listing, folder)
    if part == "unlabelled" or not _holds_classes(folder):
        listing.unlabelled.append((folder.path, folder.count))
        for below in folder.walk():
            listing.skipped += [(listing.name(path), reason) for path, reason in below.others]
        return
    listing.taken.setdefault(part, []).append(listing.name(folder.path))
    listing.pass_over(inner, NO_CLASS)
    _list_classes(listing, part, inner, inner.folders)


def _list_classes(listing: Listing, split: str, level: Folder, folders: list[Folder]) -> None:
    filled = [folder for folder in folders if folder.count]
    _check_no_level_too_high(level, filled)
    for folder in filled:
        _check_no_set_of_its_own(folder, alone=len(filled) == 1)
    if are_pieces([folder.name for folder in filled]):
        names = few([repr(folder.name) for folder in filled])
        raise DataError(
            f"{level.path}: by their names {names} are pieces of one set, or pictures and their masks, and no classes; "
            "give a folder with one sub-folder a class, or rename these if they are the classes"
        )
    listing.classes.setdefault(split, [])
    for folder in folders:
        files = [other for below in folder.walk() for other in below.others]
        if not folder.count and files and all(_says_nothing(path, reason) for path, reason in files):
            listing.skipped.append((listing.name(folder.path), "holds no pictures"))
            continue
        if _holds_the_others(folder, filled):
            listing.skipped.append((listing.name(folder.path), "holds the other classes' folders again"))
            continue
        if folder.name not in listing.classes[split]:
            listing.classes[split].append(folder.name)
        for below in folder.walk():
            listing.entries += [Entry(split, folder.name, listing.name(path), path) for path in below.pictures]
            listing.skipped += [(listing.name(path), reason) for path, reason in below.others]
    listing.classes[split].sort()


def _check_no_set_of_its_own(folder: Folder, *, alone: bool) -> None:
    """Errors: DataError if a "class" holds a training part, or several folders under a name that says no class."""
    parted = any(part_of(child.name) == "train" and _holds_classes(child) for child in folder.filled)
    if parted or (not alone and len(folder.filled) > 1 and not folder.pictures and only_holds(folder.name)):
        held = few([child.name for child in folder.filled], more=", ...")
        raise DataError(
            f"{folder.path}: holds folders of its own ({held}), so it is no class among those beside it; give it alone "
            "as the data, or rename it if it is a class"
        )


def _says_nothing(path: Path, reason: str) -> bool:
    """Whether a file, or a run's folder, is no sign of a class whose pictures are missing."""
    return reason == A_RUN or path.suffix.lower() in ANNOTATIONS


def _holds_the_others(folder: Folder, beside: list[Folder]) -> bool:
    """Whether a folder holds no pictures of its own, but folders named as most of those beside it."""
    others = {other.name for other in beside if other is not folder}
    within = {child.name for child in folder.filled}
    return not folder.pictures and len(within & others) > max(1, len(within) // 2)


def no_classes(folder: Folder, level: Folder, wanted: str = "CLASS/") -> DataError:
    """The error for a folder whose pictures lie in no class's folder; says where the classes may be instead."""
    pictures = [path for below in folder.walk() for path in below.pictures]
    starts = Counter(_start_of(path) for path in pictures)
    tables = [
        path.name
        for path, _ in (*level.others, *folder.others)
        if path.suffix.lower() in (".csv", ".tsv", ".json", ".xlsx")
    ]
    hint = ""
    if "" not in starts and 1 < len(starts) <= len(pictures) // 2:
        begun = few([repr(start) for start in sorted(starts)], more=", ...")
        hint = f"; the file names begin with {begun}: if these are the classes, sort them by that"
    elif tables:
        hint = f"; if {tables[0]} beside them has their labels: --labels {level.path / tables[0]}"
    return DataError(
        f"{folder.path}: {len(pictures):,} loose pictures and no class's folder; put those of each class into a folder "
        f"of its own, {wanted}{hint}"
    )


def _start_of(path: Path) -> str:
    """A file's name up to its number: "cat" of cat.0.jpg and of cat_12.jpg."""
    return re.split(r"[\W_]*\d", path.stem)[0]


def _check_no_level_too_high(level: Folder, classes: list[Folder]) -> None:
    """Errors: DataError if most "classes" hold the same two sub-folders or more, and no pictures of their own."""
    deep = [folder for folder in classes if folder.filled and not folder.pictures]
    if len(deep) < 2 or 2 * len(deep) < len(classes):
        return
    held = [{child.name.casefold() for child in folder.filled} for folder in deep]
    common, every = set.intersection(*held), set.union(*held)
    if len(common) < 2 or 2 * len(common) < len(every):
        return
    both, names = few(sorted(common), 4, ", ..."), few([repr(folder.name) for folder in deep])
    if part := next((child.name for child in deep[0].filled if part_of(child.name) == "train"), None):
        raise DataError(
            f"{level.path}: {names} hold the parts ({both}), which belong above the classes: {part}/{deep[0].name}, "
            f"{part}/{deep[1].name}"
        )
    raise DataError(
        f"{level.path}: {names} hold the same sub-folders ({both}), so they are no classes; if they are parts of a "
        f"data set, name them train/, validation/ and test/, else give one folder of classes, such as {deep[0].path}"
    )
