"""What the commands say of a data set: its classes, its parts, what was left out, and what is likely a mistake."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pellucid.cli.output import note
from pellucid.text import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pellucid.datasets import Dataset

FEW = 3
"""Files left out for one reason that are named; more are counted."""


def tell_data(dataset: Dataset, *, facts: bool = True) -> None:
    """The facts on standard output, if they are wanted, and the warnings on standard error, always."""
    from pellucid.datasets.remarks import class_line

    for line in (dataset.facts or [class_line(dataset.class_names, dataset.train.labels)]) if facts else ():
        say(line)
    tell_left_out(dataset.skipped)
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
