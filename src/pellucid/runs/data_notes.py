"""What is said of a data set: its classes, its parts, what was left out, and what is likely a mistake."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pellucid._text import note, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pellucid.datasets import Dataset

FEW = 3
"""Files left out for one reason that are named; more are counted."""


def tell_data(dataset: Dataset, *, quiet: bool = False) -> None:
    """The classes and, unless it is to be quiet, the other facts on standard output; warnings on standard error."""
    from pellucid.datasets.remarks import class_line

    lines = dataset.facts or [class_line(dataset.class_names, dataset.train.labels)]
    for line in lines[:1] if quiet else lines:
        say(line, prose=True)
    tell_left_out(dataset.skipped)
    tell_warnings(dataset)


def tell_warnings(dataset: Dataset) -> None:
    """What is likely a mistake, on standard error."""
    for line in dataset.warnings:
        note(f"warning: {line}")


def tell_left_out(skipped: Sequence[tuple[str, str]]) -> None:
    """A line for each reason: one file with all that is known of it, several by number, the first by name."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for file, reason in skipped:
        groups.setdefault(reason.partition(" (")[0].partition(", ")[0], []).append((file, reason))
    for reason, group in groups.items():
        if len(group) <= FEW:
            for file, full in group:
                note(f"left out {file}: {full}")
        else:
            named = ", ".join(file for file, _ in group[:FEW])
            note(f"left out {len(group):,} files, {named} ...: {reason}")
