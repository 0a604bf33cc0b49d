"""A folder of pictures as a data set: one sub-folder a class, read through a cache on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid._text import few
from pellucid.datasets import cache
from pellucid.datasets.cache import Built, StoredPictures
from pellucid.datasets.dataset import Dataset, Split
from pellucid.datasets.download import Progress
from pellucid.datasets.formats import known_types
from pellucid.datasets.labels import class_counts, matched_labels, stratified_split
from pellucid.datasets.listing import Entry, Listing, list_folder, list_pictures, missing
from pellucid.datasets.masks import MULTIPLE, Masks, find_masks
from pellucid.datasets.pictures import Fitting, Probe, fitting, probe, read_picture
from pellucid.datasets.remarks import class_line, class_warnings, copy_warnings
from pellucid.datasets.sizes import DEFAULT_SIZE, fitting_of, size_line
from pellucid.datasets.tables import Labelled, Table, label_folder
from pellucid.datasets.tree import normalised
from pellucid.errors import ConfigError, DataError, expect_known
from pellucid.files.reading import in_order

__all__ = ["list_pictures", "load_folder", "read_picture"]

HELD_OUT_FRACTION = 0.2
PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Request:
    """How a folder is to be read; `datasets.load` explains each."""

    size: int | tuple[int, int] | None = None
    resize: str = "crop"
    channels: int | None = None
    validation: float | Path | Table | None = None
    seed: int = 0
    class_names: Sequence[str] | None = None
    files: Mapping[str, Sequence[str]] | None = None
    whole: bool = False
    labels: Sequence[Table] = ()


def load_folder(root: Path, request: Request, progress: Progress | None = None) -> Dataset:
    """The pictures of a folder: of one sub-folder a class, with labels from tables, or images/ with masks/.

    Errors: DataError for a folder without classes, with one class, with a class or all of it empty, with a class that
    `class_names` has not, or without a file that `files` lists. A picture that cannot be decoded is skipped and listed.
    """
    validation, class_names, files, whole = request.validation, request.class_names, request.files, request.whole
    # Wrong arguments are found before any file is opened.
    size, channels = request.size, request.channels
    fitting(DEFAULT_SIZE if size is None else size, 3 if channels is None else channels, request.resize)
    other, fraction = (validation, None) if isinstance(validation, Path | Table) else (None, validation)
    labelled, masks, listing = _listing(root, request.labels, other)
    elsewhere = None if labelled and labelled.holds_out else other
    several = labelled is not None and labelled.several
    entries = _whole(listing) if whole else listing.entries if files is None else _listed(listing, files)
    if masks is None:
        own = labelled.names if labelled and not labelled.of_folders else None
        names = tuple(map(normalised, class_names)) if class_names is not None else own or _class_names(listing, whole)
        if len(names) < 2 and not whole:
            raise DataError(f"{root}: only one class, {names[0]!r}; there is nothing to tell apart, add a second")
        given = labelled.given(entries) if labelled else {entry.class_name for entry in entries}
        _check_known(root, given, names, own=class_names is None)
    if not entries:
        raise DataError(
            f"{root}: no pictures{_unread(listing)}; expected files of type {known_types()} {_wanted(masks)}"
        )
    built = _built(root, entries, request, progress, multiple=1 if masks is None else MULTIPLE)
    skipped = sorted([*listing.skipped, *((entries[row].name, reason) for row, reason in built.failures.items())])
    kept = [entries[row] for row in built.kept]
    if not kept:
        raise DataError(
            f"{root}: none of the {len(entries)} pictures can be decoded; the first: {': '.join(skipped[0])}"
        )
    said: list[str] = labelled.facts if labelled else []
    labels: NDArray[Any]
    if labelled is not None and labelled.several:
        labels = labelled.rows(kept, names)
    elif masks is None:
        labels = _class_numbers(kept, names)
    else:
        labels, names, said = masks.read(kept, built.rule, class_names, progress)
    everything = _split(built, kept, labels)
    if whole:
        parts = {"test": np.arange(len(kept), dtype=np.int64)}
    elif files is not None:
        parts = _stored_parts(kept, files)
    else:
        parts = _own_parts(listing, kept)
        if "train" not in parts and labelled is not None and labelled.holds_out:
            raise DataError(f"{root}: all pictures that have labels are held out, so none are left to learn from")
        if "train" not in parts:
            raise DataError(f"{root}: has {', '.join(parts)} but no train/ {_wanted(masks)}")
        if "validation" in parts and fraction is not None:
            raise ConfigError(f"{root} has its own validation part; leave validation={fraction} out")
        if "validation" not in parts and other is None and ("test" not in parts or fraction is not None):
            parts |= _held_out(root, parts["train"], everything.labels, fraction, request.seed)
    if class_names is None and not whole and masks is None:
        _check_classes(root, names, everything.labels[parts["train"]])
    splits = {part: everything.select(rows) for part, rows in parts.items()}
    test, held = splits.get("test"), splits.get("validation")
    if elsewhere is not None:
        held = _foreign(elsewhere, built.rule, names, several, progress)
    elif held is None and files is not None:
        held = test
    test = held if test is None else test
    empty = everything.select(np.arange(0, dtype=np.int64))
    learned = splits.get("train", empty)
    counted, facts = everything.labels if whole else learned.labels, [*built.facts, *said]
    groups = everything.labels if masks is None else np.zeros(len(kept), np.int64)
    if several:  # pictures are alike in their labels where they have all the same ones
        groups = np.unique(groups, axis=0, return_inverse=True)[1]
    warned = copy_warnings([entry.name for entry in kept], groups, built.hashes, parts)
    if not whole and files is None:  # the folder's own parts
        judged = [part.labels for part in (held, test) if part is not None]
        warned = class_warnings(names, learned.labels, np.concatenate(judged or [empty.labels])) + warned
        held_out = "validation" in parts and "validation" not in listing.classes
        facts = [_parts_line(listing, learned, held, test, held_out), *facts]
        if held_out and held is not None and masks is None:
            counted = np.concatenate([counted, held.labels])
    return Dataset(
        name=root.resolve().name,
        train=learned,
        test=test if test is not None else empty,
        class_names=names,
        source=f"folder {root.resolve()}, {len(kept)} pictures",
        validation=held,
        skipped=skipped,
        facts=[class_line(names, counted), *facts],
        warnings=warned,
        unlabelled=[(str(path), count) for path, count in listing.unlabelled],
    )


def _listing(
    root: Path, tables: Sequence[Table], held: Table | Path | None
) -> tuple[Labelled | None, Masks | None, Listing]:
    """The folder's pictures: by tables of labels, or else its images/ and masks/, or else its sub-folders."""
    if tables or isinstance(held, Table):
        labelled = label_folder(root, tables, held)
        return labelled, None, labelled.listing
    masks = find_masks(root)
    return None, masks, masks.listing if masks else list_folder(root)


def has_validation(root: Path, tables: Sequence[Table] = ()) -> bool:
    """Whether a folder, or its table of labels, says itself which pictures are for validation. Errors: DataError."""
    return "validation" in _listing(root, tables, None)[2].classes


def _unread(listing: Listing) -> str:
    """What is there instead, the first file and how many."""
    there = [f"{file}: {reason}" for file, reason in listing.skipped if reason.startswith("type ")]
    return f"; {len(there):,} files are left out, {there[0]}" if there else ""


def _wanted(masks: Masks | None) -> str:
    return "with one sub-folder a class" if masks is None else "with images/ and masks/"


def _parts_line(listing: Listing, train: Split, validation: Split | None, test: Split | None, held_out: bool) -> str:
    """What was taken for what."""

    def source(part: str) -> str:
        folders = [name for name in listing.taken.get(part, []) if name != "."]
        return f" ({', '.join(folders)}/)" if folders else ""

    said = [f"training: {len(train):,} pictures{source('train')}"]
    if validation is not None and validation is not test:
        said.append(f"validation: {len(validation):,}{' held out of them' if held_out else source('validation')}")
    if test is not None and len(test):
        what = "validation and test" if validation is test else "test"
        own = held_out and validation is test
        said.append(f"{what}: {len(test):,}{' held out of them' if own else source('test') or source('validation')}")
    said += [f"no labels: {count:,} ({listing.name(path)}/)" for path, count in listing.unlabelled]
    return "; ".join(said)


def _class_names(listing: Listing, whole: bool) -> tuple[str, ...]:
    """The classes to learn: the sub-folders of the training part."""
    part = "" if "" in listing.classes else "train"
    if whole and part not in listing.classes:
        return tuple(sorted({name for names in listing.classes.values() for name in names}))
    names = listing.classes.get(part, [])
    if not names and listing.classes:
        raise DataError(f"{listing.root}: has {', '.join(listing.classes)} but no train/ with one sub-folder a class")
    if not names:
        loose = sum(reason.startswith("lies in") for _, reason in listing.skipped)
        raise DataError(
            f"{listing.root}: no classes; expected one sub-folder a class with pictures in it, "
            f"got {loose} loose files and no sub-folder"
        )
    return tuple(names)


def _check_known(root: Path, given: set[str], names: tuple[str, ...], *, own: bool) -> None:
    known = "the training part has" if own else "the network knows"
    try:
        matched_labels(np.zeros(0, dtype=np.int64), sorted(given), names, known=known)
    except DataError as error:
        raise DataError(f"{root}: {error}") from None


def _check_classes(root: Path, names: tuple[str, ...], labels: NDArray[np.int64]) -> None:
    counts = class_counts(labels, len(names))
    empty = [name for name, count in zip(names, counts, strict=True) if count == 0]
    if empty:
        raise DataError(
            f"{root}: no pictures to learn from in {', '.join(map(repr, empty))}; add some, or leave the class out "
            f"(types that are read: {known_types()})"
        )


def _whole(listing: Listing) -> list[Entry]:
    """Everything to judge on: the test part where there is one, else validation, else all."""
    part = next((part for part in ("test", "validation") if part in listing.classes), None)
    return [entry for entry in listing.entries if part is None or entry.split == part]


def _listed(listing: Listing, files: Mapping[str, Sequence[str]]) -> list[Entry]:
    """The entries of stored lists, in the folder's order."""
    for part in files:
        expect_known("part of a data set", part, PARTS)
    wanted = {normalised(name) for names in files.values() for name in names}
    entries = [entry for entry in listing.entries if entry.name in wanted]
    missing = sorted(wanted - {entry.name for entry in entries})
    if missing:
        files_gone = f"{len(missing)} of {len(wanted)} files of the stored split are gone"
        raise DataError(f"{listing.root}: {files_gone}: {few(missing)}")
    return entries


def _built(root: Path, entries: list[Entry], request: Request, progress: Progress | None, *, multiple: int) -> Built:
    """The entries' pictures, from the cache or newly decoded. multiple: of what sides must be a multiple."""
    paths = [entry.path for entry in entries]
    marks = [(entry.name, *_size_and_time(entry.path)) for entry in entries]
    size, resize, channels = request.size, request.resize, request.channels
    rounded = {} if multiple == 1 else {"multiple": multiple}
    name = cache.key(marks, {"size": size, "resize": resize, "channels": channels, **rounded})
    found = cache.find(name, len(entries))
    if found is not None:
        return found
    probes: list[Probe] = []
    failures: dict[int, str] = {}
    for row, result in enumerate(in_order(_probed, paths)):
        if isinstance(result, Probe):
            probes.append(result)
        else:
            failures[row] = result
        if progress is not None:
            progress(row + 1, len(paths), "looking at pictures")
    try:
        rule = fitting_of(probes, size, resize, channels, multiple)
    except DataError as error:
        raise DataError(f"{root}: {error}") from None
    facts = [size_line(probes, rule)] if probes else []
    return cache.build(name, paths, failures, rule, facts, progress)


def _size_and_time(path: Path) -> tuple[int, int]:
    """Zeros for a file that cannot be asked (a broken link); decoding then says so."""
    try:
        stat = path.stat()
    except OSError:
        return 0, 0
    return stat.st_size, stat.st_mtime_ns


def _probed(path: Path) -> Probe | str:
    try:
        return probe(path)
    except DataError as error:
        return str(error).removeprefix(f"{path}: ")


def _class_numbers(kept: list[Entry], names: tuple[str, ...]) -> NDArray[np.int64]:
    numbers = {name: number for number, name in enumerate(names)}
    return np.array([numbers[entry.class_name] for entry in kept], dtype=np.int64)


def _split(built: Built, kept: list[Entry], labels: NDArray[Any]) -> Split:
    images = StoredPictures(built.store, np.arange(len(kept), dtype=np.int64), [entry.name for entry in kept])
    return Split(images, labels, [entry.name for entry in kept])


def _stored_parts(kept: list[Entry], files: Mapping[str, Sequence[str]]) -> dict[str, NDArray[np.int64]]:
    """The rows of stored lists, in their order."""
    number = {entry.name: row for row, entry in enumerate(kept)}
    listed = {part: [number.get(normalised(name)) for name in names] for part, names in files.items()}
    return {part: np.array([row for row in rows if row is not None], dtype=np.int64) for part, rows in listed.items()}


def _own_parts(listing: Listing, kept: list[Entry]) -> dict[str, NDArray[np.int64]]:
    """The rows of the parts that the folder itself makes; all of them are for training where it makes none."""
    found = {split or "train" for split in listing.classes}
    return {
        part: np.array([row for row, entry in enumerate(kept) if (entry.split or "train") == part], dtype=np.int64)
        for part in PARTS
        if part in found
    }


def _held_out(
    root: Path, rows: NDArray[np.int64], labels: NDArray[np.int64], fraction: float | None, seed: int
) -> dict[str, NDArray[np.int64]]:
    """The training rows in two: a seeded, stratified fraction of them is for validation."""
    train, held = stratified_split(labels[rows], HELD_OUT_FRACTION if fraction is None else float(fraction), seed)
    if len(held) == 0:
        raise DataError(f"{root}: no class has two pictures, so none can be held out to judge by; add some")
    return {"train": rows[train], "validation": rows[held]}


def _foreign(
    given: Path | Table, rule: Fitting, names: tuple[str, ...], several: bool, progress: Progress | None
) -> Split:
    """Pictures from elsewhere as a validation part; their file names are absolute, to tell them from this folder's.

    given: a folder, or a table beside whose file they lie.
    """
    table = given if isinstance(given, Table) else None
    root = given if isinstance(given, Path) else given.folder or Path()
    if not root.is_dir():
        raise missing(root, hint="validation is a fraction, a table, or a folder with one sub-folder a class")
    if several and table is None:
        raise ConfigError(
            f"validation={str(root)!r}: sub-folders say one class a picture, and these pictures have several labels; "
            "give a table of them, validation=TABLE.csv"
        )
    if table is not None and table.several and not several:
        raise ConfigError(f"validation: {table.source} has several labels a picture, and the others have one")
    tables = () if table is None else (replace(table, several=several),)
    request = Request(rule.size, rule.resize, rule.channels, class_names=names, whole=True, labels=tables)
    other = load_folder(root, request, progress).test
    return replace(other, files=[(root.resolve() / name).as_posix() for name in other.files or []])
