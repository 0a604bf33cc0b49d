"""Work of a command that nobody can count."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pellucid._progress import WorkBar


@contextmanager
def working(what: str, *, quiet: bool = False) -> Iterator[WorkBar]:
    """A block of work that nobody can count, shown if it takes long; the bar may be given on to what can be."""
    with WorkBar(quiet=quiet) as bar:
        bar.busy(what)
        yield bar
