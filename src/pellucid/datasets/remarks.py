"""What is worth a line about a data set: its classes with their numbers, and what in them is likely a mistake."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pellucid._numbers import percent
from pellucid._text import few
from pellucid.datasets.labels import bare, class_counts

MOST_CLASSES_NAMED = 8


def class_line(names: Sequence[str], labels: NDArray[np.int64]) -> str:
    """How many pictures each class has, or which share of masks' pixels; of many classes the first ones', with the
    smallest and the largest.

    >>> class_line(["cat", "dog"], np.array([0, 1, 1]))
    '2 classes: cat (1), dog (2)'
    >>> class_line([str(number) for number in range(10)], np.arange(10).repeat(range(1, 11)))
    '10 classes: 0 (1), 1 (2), 2 (3), 3 (4), ..., 9 (10); smallest 0 (1), largest 9 (10)'
    """
    counts = class_counts(labels, len(names))
    pixels, total = labels.ndim > 2, max(int(counts.sum()), 1)
    said = [percent(int(count) / total) if pixels else f"{count:,}" for count in counts]
    named = [f"{name} ({how_many})" for name, how_many in zip(names, said, strict=True)]
    shown, ends = ", ".join(named), ""
    if len(named) > MOST_CLASSES_NAMED:
        shown = ", ".join([*named[: MOST_CLASSES_NAMED // 2], "...", named[-1]])
        ends = f"; smallest {named[int(counts.argmin())]}, largest {named[int(counts.argmax())]}"
    kind = " of pixels" if pixels else ", several a picture" if labels.ndim == 2 else ""
    return f"{len(names)} class{'es' if len(names) != 1 else ''}{kind}: {shown}{ends}"


def class_warnings(names: Sequence[str], labels: NDArray[np.int64], held: NDArray[np.int64]) -> list[str]:
    """Classes whose names differ in case or spaces alone, and classes that are never judged.

    labels: of the pictures to learn from; held: of those to judge by, perhaps none. Or masks, whose classes are named
    where no pixel is of them.
    """
    warnings = []
    alike: dict[str, list[str]] = {}
    for name in names:
        alike.setdefault(bare(name), []).append(name)
    for group in alike.values():
        if len(group) > 1:
            warnings.append(
                f"{len(group)} classes have almost the same name, {', '.join(map(repr, group))}: if they are one, put "
                "their pictures into one folder"
            )
    if labels.ndim > 2:
        absent = [name for name, own in zip(names, class_counts(labels, len(names)), strict=True) if not own]
        if absent:
            warnings.append(f"no pixel to learn from of {_few(absent)}: what they look like is never seen")
        return warnings
    counts, judged = (class_counts(rows, len(names)) for rows in (labels, held))
    single = [name for name, own, seen in zip(names, counts, judged, strict=True) if own == 1 and seen == 0]
    unjudged = [name for name, own, seen in zip(names, counts, judged, strict=True) if own > 1 and seen == 0]
    if single:
        warnings.append(f"one picture alone in {_few(single)}: it is learned and never judged; add some")
    if unjudged and len(held):
        warnings.append(f"no picture to judge by in {_few(unjudged)}: its result says nothing about it")
    return warnings


def copy_warnings(
    files: Sequence[str], labels: NDArray[np.int64], hashes: Sequence[str], parts: Mapping[str, NDArray[np.int64]]
) -> list[str]:
    """Pictures that are alike to the last bit though their classes differ, or that are learned from and judged by."""
    alike: dict[str, list[int]] = {}
    for row, one in enumerate(hashes):
        alike.setdefault(one, []).append(row)
    groups = [rows for rows in alike.values() if len(rows) > 1]
    warnings = []
    torn = [rows for rows in groups if len({int(labels[row]) for row in rows}) > 1]
    if torn:
        pairs = [(rows[0], next(row for row in rows if labels[row] != labels[rows[0]])) for rows in torn]
        warnings.append(
            f"{len(torn):,} picture{'s lie' if len(torn) > 1 else ' lies'} in two classes, {_pairs(files, pairs)}: "
            "keep the right one of each"
        )
    part_of = {int(row): part for part, rows in parts.items() for row in rows}
    for part in ("validation", "test"):
        leaks = [
            (row, learned[0])
            for rows in groups
            if (learned := [row for row in rows if part_of.get(row) == "train"])
            for row in rows
            if part_of.get(row) == part
        ]
        if leaks:
            warnings.append(
                f"{len(leaks):,} of {len(parts[part]):,} {part} pictures are learned from too, {_pairs(files, leaks)}: "
                "the result flatters; take the copies out"
            )
    return warnings


def _pairs(files: Sequence[str], pairs: Sequence[tuple[int, int]]) -> str:
    return few([f"{files[a]} = {files[b]}" for a, b in pairs])


def _few(names: Sequence[str]) -> str:
    return few([repr(name) for name in names], 5, f" and {len(names) - 5} more")
