"""Long work shows itself: a bar on standard error for what can be counted, a moving one for what cannot.

Where standard error is no terminal, a plain line comes every LINE_S instead.
"""

from __future__ import annotations

import functools
import io
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, ClassVar

from pellucid._arguments import verbosity
from pellucid._locks import ForkLock, importing
from pellucid._text import printable, say

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

BUSY_S = 0.5
"""Work that nobody can count is shown when it takes longer than this; a flash would only disturb."""

LINE_S = 10.0

LONG_S = 1.0
"""What a program calls is shown when it takes longer than this; it may call it in a loop."""


@functools.cache
def load_bars() -> None:
    """Import what bars are drawn with, by drawing one to nowhere: a child that is forked amid an import waits for ever,
    and rich imports some of its parts only when it draws."""
    with importing:
        from rich import progress as bars
        from rich.console import Console

        columns = (bars.TextColumn("{task.description}"), bars.BarColumn(), bars.MofNCompleteColumn())
        more = (bars.TaskProgressColumn(), bars.TimeRemainingColumn())
        bar = bars.Progress(*columns, *more, console=Console(file=io.StringIO(), force_terminal=True))
        bar.add_task("", total=1)
        bar.console.print(bar)


class WorkBar:
    """Call it as bar(done, total, what); it appears with the first call and goes when the block ends.

    Inside the block of another bar it draws on that one. Nothing may be printed inside, where it would break the line.
    """

    _outermost: ClassVar[WorkBar | None] = None

    def __init__(self, *, quiet: bool = False, after_s: float = 0.0) -> None:
        """after_s: work that is done sooner shows nothing."""
        self._quiet, self._terminal = quiet, is_terminal(sys.stderr)
        self._bar: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._pulse: TaskID | None = None
        self._timer: threading.Timer | None = None
        self._lock = ForkLock()
        self._said_s = time.monotonic()
        self._from_s = self._said_s + after_s

    def __call__(self, done: int, total: int, what: str) -> None:
        """Draw that `done` of `total` are done of `what`."""
        if self._quiet:
            return
        if WorkBar._outermost not in (None, self):
            WorkBar._outermost(done, total, what)
            return
        self._rest()
        if self._terminal:
            if time.monotonic() >= self._from_s:
                with self._lock:
                    self._draw(what, done, total)
        elif time.monotonic() - self._said_s >= LINE_S:
            self._say(f"{what}: {done / max(total, 1):.0%}")

    def busy(self, what: str) -> None:
        """Say that `what` is going on, until something else is said or the block ends."""
        if self._quiet:
            return
        if WorkBar._outermost not in (None, self):
            WorkBar._outermost.busy(what)
            return
        self._rest()
        what = printable(what)
        timer = threading.Timer(BUSY_S if self._terminal else LINE_S, self._show_busy, [what])
        timer.daemon = True
        self._timer = timer
        timer.start()

    def __enter__(self) -> WorkBar:
        if WorkBar._outermost is None:
            WorkBar._outermost = self
        return self

    def __exit__(self, *error: object) -> None:
        if WorkBar._outermost is not self:
            return
        WorkBar._outermost = None
        self._rest()
        with self._lock:
            if self._bar is not None:
                self._bar.stop()
                self._bar = None

    def _rest(self) -> None:
        """End what `busy` began."""
        timer, self._timer = self._timer, None
        if timer is None:
            return
        timer.cancel()
        with self._lock:
            if self._bar is not None and self._pulse is not None:
                self._bar.remove_task(self._pulse)
            self._pulse = None

    def _show_busy(self, what: str) -> None:
        with self._lock:
            if self._timer is not threading.current_thread():
                return  # it ended in this moment
            if self._terminal:
                self._bar = self._bar or self._begin()
                self._pulse = self._bar.add_task(what, total=None)
            else:
                self._say(f"{what} ...")

    def _draw(self, what: str, done: int, total: int) -> None:
        what = printable(what)
        self._bar = self._bar or self._begin()
        if what not in self._tasks:
            self._tasks[what] = self._bar.add_task(what, total=total)
        self._bar.update(self._tasks[what], completed=done, total=total)

    def _say(self, text: str) -> None:
        self._said_s = time.monotonic()
        say(text, sys.stderr)

    @staticmethod
    def _begin() -> Progress:
        load_bars()
        from rich import progress as bars
        from rich.console import Console

        columns = (bars.TextColumn("{task.description}", markup=False), bars.BarColumn(), bars.TaskProgressColumn())
        left = bars.TimeRemainingColumn(compact=True, elapsed_when_finished=False)
        bar = bars.Progress(*columns, left, console=Console(file=sys.stderr), transient=True, redirect_stdout=False)
        bar.start()
        return bar


if hasattr(os, "register_at_fork"):  # the bar on the screen is the parent's
    os.register_at_fork(after_in_child=lambda: setattr(WorkBar, "_outermost", None))


def work_bar(verbose: int | str) -> WorkBar:
    """The bar of a call from Python, over LONG_S. verbose: 0 for none, "auto" for one on a terminal, 1 and 2 always.

    A thread beside the main one has none: two would write over each other.
    Errors: ConfigError for another verbose.
    """
    verbose = verbosity(verbose)
    alone = threading.current_thread() is threading.main_thread()
    shown = bool(verbose) and alone and (verbose != "auto" or is_terminal(sys.stderr))
    return WorkBar(quiet=not shown, after_s=LONG_S)


@contextmanager
def working(what: str, *, quiet: bool = False) -> Iterator[WorkBar]:
    """A block of work that nobody can count, shown if it takes long; the bar may be given on to what can be."""
    with WorkBar(quiet=quiet) as bar:
        bar.busy(what)
        yield bar


def is_terminal(file: IO[str] | None) -> bool:
    """Whether a bar can be drawn there; a program may have no console, or have closed it."""
    return file is not None and not file.closed and file.isatty()
