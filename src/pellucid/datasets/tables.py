"""Labels in a table: a row a picture, with its file, its label or labels, and perhaps its part."""

from __future__ import annotations

import csv
import difflib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid._text import few
from pellucid.datasets.formats import is_picture
from pellucid.datasets.labels import bare
from pellucid.datasets.listing import PARTS, Entry, Listing, list_folder
from pellucid.datasets.parts import part_of
from pellucid.datasets.tree import normalised, read_tree
from pellucid.errors import ConfigError, DataError, expect_known, shown
from pellucid.files.reading import opened

NAMES = {
    "file": "file filename filepath picture image imagefile imagefilename imagename imageid imagepath img imgname path "
    "photo name id 파일 파일명 이미지 사진",
    "label": "label labels is class classes classname category categories target targets tag tags truth species breed "
    "diagnosis y 라벨 레이블 클래스 분류 정답",
    "split": "split set subset part partition dataset usage 구분 분할",
}
"""What each column is called, without case and marks, the surest first."""

CORRECTED = "said"
"""A column of this name is of `pellucid show mistakes --csv`: the table corrects what is known without it."""

BETWEEN, ALSO_BETWEEN = "|", ";"
"""What stands between several labels in one cell."""

MOST_BYTES = 1 << 28


@dataclass(frozen=True)
class Row:
    """One picture's: number, as a spreadsheet counts rows; the file as it stands there; its labels; its part or ""."""

    number: int
    file: str
    labels: tuple[str, ...]
    split: str


@dataclass(frozen=True)
class Table:
    """A table, read. source: what errors call it. names: of the classes. several: whether a picture may have several.

    corrects: its rows replace labels that are known without it. said: which columns were read, in a line. folder: where
    it lies, None for a DataFrame.
    """

    source: str
    rows: list[Row]
    names: tuple[str, ...]
    several: bool
    corrects: bool
    said: str
    folder: Path | None = None


@dataclass
class Labelled:
    """A folder's pictures with labels from tables. labels: of each picture, by its name from the root.

    of_folders: the classes are the folder's sub-folders; tables only correct which picture is of which. holds_out: what
    was given for validation lies in this folder, and is its part of that name.
    """

    listing: Listing
    names: tuple[str, ...]
    several: bool
    of_folders: bool
    holds_out: bool = False
    facts: list[str] = field(default_factory=list)
    labels: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def given(self, entries: Sequence[Entry]) -> set[str]:
        """The labels that these have."""
        return {label for entry in entries for label in self.labels[entry.name]}

    def rows(self, kept: Sequence[Entry], names: Sequence[str]) -> NDArray[np.uint8]:
        """1 for each label that a picture has, else 0. Shapes: (N, classes)."""
        places = {name: place for place, name in enumerate(names)}
        table = np.zeros((len(kept), len(names)), np.uint8)
        for row, entry in enumerate(kept):
            table[row, [places[label] for label in self.labels[entry.name]]] = 1
        return table


def read_table(given: Any, columns: Mapping[str, Any] | None = None) -> Table:
    """A table of labels: a CSV file by its path, or a DataFrame.

    columns: {"file": NAME, "label": NAME or several names, "split": NAME}, of those that are not to be guessed. Several
    labels stand in one cell, with | or ; between them, or have a column each of 0 and 1.
    Errors: ConfigError for columns that there are not; DataError for a file that is no table, naming the row.
    """
    source, header, cells = _read(given)
    chosen = {expect_known("column of labels: ", role, NAMES): name for role, name in (columns or {}).items()}
    file, label, split = _columns(source, header, cells, chosen)
    numbered = [(number, row) for number, row in enumerate(cells, 2) if any(row)]
    several, labels = _labels_of(source, header, numbered, label)
    rows = []
    for (number, row), own in zip(numbered, labels, strict=True):
        part = "" if split is None else row[split]
        known = part_of(part) if part else ""
        if known is None or not row[file]:
            what = f"{part!r} is none of {', '.join(PARTS[:3])}" if row[file] else "names no file"
            raise DataError(f"{source}: row {number}: {what}; correct it, or take the row out")
        rows.append(Row(number, row[file], own, known))
    ordered = [header[place] for place in label] if len(label) > 1 else sorted({name for own in labels for name in own})
    named = ", ".join(repr(header[place]) for place in label[:3]) + (" ..." if len(label) > 3 else "")
    said = f"{source}: {len(rows):,} rows; file from {header[file]!r}, label from {named}"
    said += "" if split is None else f", part from {header[split]!r}"
    folder = Path(given).expanduser().resolve().parent if isinstance(given, str | Path) else None
    return Table(source, rows, tuple(ordered), several, CORRECTED in header, said, folder)


def held_table(given: Any, columns: Mapping[str, Any] | None = None) -> Table:
    """A table all of whose pictures are for one thing, whatever part it says. Errors: as `read_table`."""
    table = read_table(given, columns)
    return replace(table, rows=[replace(row, split="") for row in table.rows if row.split != PARTS[3]])


def label_folder(root: Path, tables: Sequence[Table], held: Table | Path | None = None) -> Labelled:
    """The pictures of a folder, labelled by a table, and corrected by those that correct.

    Without another table, those correct what the folder's sub-folders say; a row without a label takes its picture out.
    held: what is for validation, a table or a sub-folder; where it is of other pictures, nothing is done.
    Errors: DataError for a picture that is not there, for one that has two labels, and for a label that is no class.
    """
    first = next((table for table in tables if not table.corrects), None)
    others = [table for table in tables if table is not first]
    files = _Files(root)
    if first is None:
        listing = list_folder(root)
        names = tuple(sorted({name for part in listing.classes.values() for name in part}))
        made = Labelled(listing, names, several=False, of_folders=True)
        made.labels = {entry.name: (entry.class_name,) for entry in listing.entries}
    else:
        made = Labelled(Listing(root), first.names, several=first.several, of_folders=False)
        _fill(made, first, files)
    for table in others:
        _correct(made, table, files)
    if held is not None:
        _hold_out(made, held, files)
    made.facts += [table.said for table in tables]
    for part in {entry.split for entry in made.listing.entries} - set(made.listing.classes):
        made.listing.classes[part] = list(made.names)
    made.listing.entries = [
        Entry(entry.split, "" if made.several else made.labels[entry.name][0], entry.name, entry.path)
        for entry in sorted(made.listing.entries, key=lambda entry: entry.name)
        if entry.name in made.labels
    ]
    return made


def _fill(made: Labelled, table: Table, files: _Files) -> None:
    parted = any(row.split for row in table.rows)
    at: dict[str, Row] = {}
    for row in table.rows:
        path = files.find(table, row)
        name = made.listing.name(path)
        before = at.setdefault(name, row)
        if before is not row:
            if (set(before.labels), before.split) != (set(row.labels), row.split):
                raise DataError(
                    f"{table.source}: rows {before.number} and {row.number} say different things of {row.file!r}; "
                    "keep the right one"
                )
            made.listing.skipped.append((name, f"stands in rows {before.number} and {row.number} of {table.source}"))
        elif (not row.labels and not table.several) or row.split == PARTS[3]:
            made.listing.skipped.append((name, f"has no label in {table.source}"))
        else:
            split = row.split or ("train" if parted else "")
            made.listing.entries.append(Entry(split, "", name, path))
            made.labels[name] = row.labels
    made.listing.skipped += [(name, f"is not in {table.source}") for name in files.names if name not in at]


def _correct(made: Labelled, table: Table, files: _Files) -> None:
    changed = gone = 0
    for row in table.rows:
        name = made.listing.name(files.find(table, row))
        if name not in made.labels:
            raise DataError(f"{table.source}: row {row.number}: {row.file!r} has no label yet that could be corrected")
        _check_labels(made, table, row)
        if not row.labels and not made.several:
            del made.labels[name]
            made.listing.skipped.append((name, f"has no label in {table.source}"))
            gone += 1
        elif set(made.labels[name]) != set(row.labels):
            made.labels[name] = row.labels
            changed += 1
    made.facts.append(f"{table.source}: {changed:,} labels corrected, {gone:,} pictures taken out")


def _check_labels(made: Labelled, table: Table, row: Row) -> None:
    wrong = next((label for label in row.labels if label not in made.names), None)
    if wrong is not None or (len(row.labels) > 1 and not made.several):
        what = f"{wrong!r} is no class" if wrong is not None else "has several labels, and the others one"
        near = difflib.get_close_matches(wrong or "", made.names, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {few(made.names, 10, ', ...')}"
        raise DataError(f"{table.source}: row {row.number}: {what}; {hint}")


def _hold_out(made: Labelled, held: Table | Path, files: _Files) -> None:
    """Let the pictures of a table, with the labels it gives them, or of a sub-folder be for validation."""
    listing, source = made.listing, str(held) if isinstance(held, Path) else held.source
    at = {entry.name: entry.path for entry in listing.entries if entry.name in made.labels}
    if isinstance(held, Path):
        if made.of_folders or not held.resolve().is_relative_to(listing.root.resolve()):
            return
        names = {name for name, path in at.items() if path.resolve().is_relative_to(held.resolve())}
    else:
        if held.folder is not None and not any(files.candidates(row.file) for row in held.rows[:1]):
            return
        names = set()
        for row in held.rows:
            path = files.find(held, row)
            name = listing.name(path)
            if name in names and made.labels[name] != row.labels:
                raise DataError(f"{source}: row {row.number}: {row.file!r} has other labels in a row above")
            _check_labels(made, held, row)
            at[name], made.labels[name] = path, row.labels
            names.add(name)
        made.facts.append(held.said)
    if "validation" in listing.classes or any(entry.split == "validation" for entry in listing.entries):
        raise ConfigError(f"{listing.root} has its own validation part; leave validation={source} out")
    if not names:
        raise DataError(f"{source}: no picture in it has a label, so there is nothing to judge by")
    splits = {entry.name: entry.split for entry in listing.entries}
    empty = {name for name in names if not made.labels[name] and not made.several}
    listing.entries = [
        Entry("validation" if name in names else splits[name], "", name, path)
        for name, path in at.items()
        if name not in empty
    ]
    listing.skipped = [one for one in listing.skipped if one[0] not in names]
    listing.skipped += [(name, f"has no label in {source}") for name in sorted(empty)]
    made.holds_out = True


class _Files:
    """The pictures below a folder, found by what a table calls them."""

    def __init__(self, root: Path) -> None:
        self._root = root
        pictures = [path for folder in read_tree(root).walk() for path in folder.pictures]
        self.names = {normalised(path.relative_to(root).as_posix()): path for path in pictures}
        self._by: dict[str, list[Path]] = {}
        for path in pictures:
            for name in {normalised(path.name), normalised(path.stem)}:
                self._by.setdefault(name, []).append(path)

    def candidates(self, file: str) -> list[Path]:
        """The pictures it may be: by its path from the folder, else by its name, with or without the ending."""
        given = self._from_root(file)
        for name in (given, given.removeprefix("./"), given.removeprefix("'")):  # ': what our tables put before =
            if name in self.names:
                return [self.names[name]]
        found = self._by.get(Path(given).name, [])
        whole = [path for path in found if path.as_posix().endswith((f"/{given}", f"/{given}{path.suffix}"))]
        return whole or found

    def find(self, table: Table, row: Row) -> Path:
        """The picture of a row. Errors: DataError where it is none, or may be several."""
        found = self.candidates(row.file)
        if len(found) == 1:
            return found[0]
        where = f"{table.source}: row {row.number}"
        if found:
            both = few([str(path.relative_to(self._root)) for path in found], 2)
            raise DataError(f"{where}: {row.file!r} may be {both}; give the path from {self._root}")
        given = self._from_root(row.file)
        near = difflib.get_close_matches(given, list(self.names), n=1, cutoff=0.8) if len(self.names) < 10_000 else []
        hint = f"did you mean {near[0]!r}?" if near else "put it there, or take the row out"
        raise DataError(f"{where}: no picture {row.file!r} in {self._root}; {hint}")

    def _from_root(self, file: str) -> str:
        given = normalised(file.replace("\\", "/"))
        root = self._root.resolve()
        inside = Path(given).is_absolute() and Path(given).is_relative_to(root)
        return Path(given).relative_to(root).as_posix() if inside else given


# Reading


def _read(given: Any) -> tuple[str, list[str], list[list[str]]]:
    """What errors call it, the header, and the rows, all as text of one length."""
    if hasattr(given, "columns") and hasattr(given, "to_dict"):
        table = given.to_dict("split")
        header = [_text(name) for name in table["columns"]]
        return "labels", header, [[_text(cell) for cell in row] for row in table["data"]]
    if not isinstance(given, str | Path):
        raise ConfigError(f"labels are a CSV file or a DataFrame, got {shown(given)}")
    path = Path(given).expanduser()
    with opened(path) as file:
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise DataError(f"{path}: takes more than {MOST_BYTES:,} bytes; is it a table of labels?")
    try:
        text = data.decode("utf-8-sig")
        first = text.split("\n", 1)[0]
        between = max(",;\t", key=first.count)
        lines = list(csv.reader(io.StringIO(text, newline=""), delimiter=between))
    except (UnicodeDecodeError, csv.Error) as error:
        hint = "save it as 'CSV UTF-8'" if isinstance(error, UnicodeDecodeError) else "is it a table?"
        raise DataError(f"{path}: is no CSV file in UTF-8 ({error}); {hint}") from error
    rows = [[_text(cell) for cell in line] for line in lines]
    if not rows or len(rows[0]) < 2 or len(rows) < 2:
        raise DataError(f"{path}: expected a header such as file,label and a row a picture below it")
    header = rows[0]
    if is_picture(Path(header[0])):
        raise DataError(f"{path}: begins with a picture; a first line must name the columns, such as file,label")
    for number, row in enumerate(rows[1:], 2):
        if len(row) > len(header) or (any(row) and len(row) < len(header) - 1):
            raise DataError(f"{path}: row {number} has {len(row)} cells, the header {len(header)}; is a comma missing?")
    return path.name, header, [row + [""] * (len(header) - len(row)) for row in rows[1:]]


def _text(cell: Any) -> str:
    """A cell as text; what a DataFrame has for nothing (None, NaN) is empty, whole numbers have no point."""
    if cell is None or (isinstance(cell, float) and cell != cell):
        return ""
    if isinstance(cell, float | np.floating) and float(cell).is_integer():
        return str(int(cell))
    return normalised(str(cell).strip())


def _columns(
    source: str, header: list[str], cells: list[list[str]], chosen: Mapping[str, Any]
) -> tuple[int, list[int], int | None]:
    """The columns of the file, of the labels (several where each class has one) and of the part."""

    def given(role: str) -> list[int]:
        names = chosen.get(role) or []
        names = [names] if isinstance(names, str) else list(names)
        unknown = [name for name in names if name not in header]
        if unknown:
            raise ConfigError(f"{source}: has no column {unknown[0]!r} for {role}; it has {', '.join(header)}")
        return [header.index(name) for name in names]

    def guessed(role: str, taken: list[int]) -> list[int]:
        called = [bare(name) for name in header]
        places = [called.index(name) for name in NAMES[role].split() if name in called]
        return given(role) or [place for place in places if place not in taken][:1]

    file = guessed("file", [])
    if not file:
        file = [p for p, _ in enumerate(header) if all(is_picture(Path(row[p])) for row in cells[:20] if any(row))][:1]
    split = guessed("split", file)
    label = guessed("label", file + split)
    rest = [place for place, _ in enumerate(header) if place not in file + split]
    if not label and len(rest) == 1:
        label = rest
    if not label and len(rest) > 1 and all(row[place] in ("0", "1", "") for row in cells for place in rest):
        label = rest
    for role, found in (("file", file), ("label", label)):
        if not found:
            raise ConfigError(
                f"{source}: which column has the {role}? It has {', '.join(header)}; say so: "
                f'columns={{"{role}": "NAME"}} (--columns {role}=NAME)'
            )
    return file[0], label, split[0] if split else None


def _labels_of(
    source: str, header: list[str], numbered: list[tuple[int, list[str]]], label: list[int]
) -> tuple[bool, list[tuple[str, ...]]]:
    """Whether a picture may have several labels, and those of each row."""
    if len(label) == 1:
        texts = [row[label[0]] for _, row in numbered]
        several = any(mark in text for text in texts for mark in (BETWEEN, ALSO_BETWEEN))
        if not several:
            return False, [(text,) if text else () for text in texts]
        parts = [text.replace(ALSO_BETWEEN, BETWEEN).split(BETWEEN) for text in texts]
        return True, [tuple(dict.fromkeys(part.strip() for part in own if part.strip())) for own in parts]
    for number, row in numbered:
        wrong = next((place for place in label if row[place] not in ("0", "1", "")), None)
        if wrong is not None:
            raise DataError(f"{source}: row {number}: {header[wrong]!r} is {row[wrong]!r}, expected 0 or 1")
    found = [tuple(header[place] for place in label if row[place] == "1") for _, row in numbered]
    return any(len(own) != 1 for own in found), found
