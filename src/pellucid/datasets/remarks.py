"""What is worth a line about a data set: its classes with their numbers, and what in them is likely a mistake."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

MOST_CLASSES_NAMED = 8


def class_line(names: Sequence[str], labels: NDArray[np.int64]) -> str:
    """How many pictures each class has; of many classes the first ones', with the smallest and the largest.

    >>> class_line(["cat", "dog"], np.array([0, 1, 1]))
    '2 classes: cat (1), dog (2)'
    >>> class_line([str(number) for number in range(10)], np.arange(10).repeat(range(1, 11)))
    '10 classes: 0 (1), 1 (2), 2 (3), 3 (4), ..., 9 (10); smallest 0 (1), largest 9 (10)'
    """
    counts = np.bincount(labels, minlength=len(names))
    told = [f"{name} ({count:,})" for name, count in zip(names, counts, strict=True)]
    shown, ends = ", ".join(told), ""
    if len(told) > MOST_CLASSES_NAMED:
        shown = ", ".join([*told[: MOST_CLASSES_NAMED // 2], "...", told[-1]])
        ends = f"; smallest {told[int(counts.argmin())]}, largest {told[int(counts.argmax())]}"
    return f"{len(names)} class{'es' if len(names) != 1 else ''}: {shown}{ends}"


def class_warnings(names: Sequence[str], labels: NDArray[np.int64], held: NDArray[np.int64]) -> list[str]:
    """Classes whose names differ in case or spaces alone, and classes that are never judged.

    labels: of the pictures to learn from; held: of those to judge by, perhaps none.
    """
    told = []
    alike: dict[str, list[str]] = {}
    for name in names:
        alike.setdefault("".join(c for c in name.casefold() if c.isalnum()) or name, []).append(name)
    for group in alike.values():
        if len(group) > 1:
            told.append(
                f"{len(group)} classes have almost the same name, {', '.join(map(repr, group))}: if they are one, put "
                "their pictures into one folder"
            )
    counts, judged = (np.bincount(rows, minlength=len(names)) for rows in (labels, held))
    single = [name for name, many, few in zip(names, counts, judged, strict=True) if many == 1 and few == 0]
    unjudged = [name for name, many, few in zip(names, counts, judged, strict=True) if many > 1 and few == 0]
    if single:
        told.append(f"one picture alone in {_few(single)}: it is learned and never judged; add some")
    if unjudged and len(held):
        told.append(f"no picture to judge by in {_few(unjudged)}: its result says nothing about it")
    return told


def _few(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:5])) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
