"""Who speaks for a run: its results, its remarks, and how far it is; and what is said of a data set."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pellucid._arguments import verbosity
from pellucid._display import in_notebook, live_curve
from pellucid._language import language
from pellucid._progress import WorkBar, work_bar
from pellucid._text import note, say

if TYPE_CHECKING:
    from pellucid.datasets import Dataset
    from pellucid.train import Listener


FEW = 3
"""Files left out for one reason that are named; more are counted."""


class Console:
    """What a run called from Python has to say, as `verbose` wants it: 0 nothing, 1 and "auto" a bar, 2 plain lines.

    facts: what run.json holds besides. lang: of the pictures that are left. stopped: somebody asked to stop, so nothing
    is drawn or judged any more.
    """

    facts: Mapping[str, Any] = {}
    stopped = False

    def __init__(
        self,
        verbose: int | str = "auto",
        callbacks: Listener | Sequence[Listener] | None = None,
        lang: str | None = None,
    ) -> None:
        from pellucid.train import standardize_listeners

        self.verbose, self.lang = verbosity(verbose), language(lang)
        self._callbacks = standardize_listeners(callbacks)

    def hush(self) -> None:
        """Say nothing from here on: another process speaks for this one too."""
        self.verbose = 0

    def say(self, text: str) -> None:
        """A result, or what is being done."""
        if self.verbose:
            say(text, prose=True)

    def note(self, text: str) -> None:
        """A remark, in the words of Python: name=value."""
        if self.verbose:
            note(text)

    def option(self, name: str) -> str:
        """What an argument is called."""
        return name

    def data(self, dataset: Dataset, *, known: bool = False) -> None:
        """What a data set is; known: no more than how many files were left out of it."""
        if self.verbose and known:
            tell_left_out(dataset.skipped, known=True)
        elif self.verbose:
            tell_data(dataset)

    def bar(self) -> WorkBar:
        """For work of which can be said how far it is."""
        return work_bar(self.verbose)

    @contextmanager
    def watching(self) -> Iterator[list[Listener]]:
        """Who listens while the block trains."""
        from pellucid.train import Progress

        live = self.verbose not in (0, 2) and in_notebook()
        with live_curve() if live else Progress(sys.stdout, bar=self.verbose != 2) as progress:
            yield [*self._callbacks, *([progress] if self.verbose else [])]


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


def tell_left_out(skipped: Sequence[tuple[str, str]], *, known: bool = False) -> None:
    """A line for each reason: one file with all that is known of it, several by number, the first by name; of files
    that were listed when the network was trained, known, how many."""
    if known and skipped:
        files = "1 file" if len(skipped) == 1 else f"{len(skipped):,} files"
        note(f"left out {files}; pellucid data info FOLDER lists them")
        return
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
