"""Locks of models: made afresh in a forked child, where the thread that held one is not there.

Order, where more than one is held: a model's turns, then `building`.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager

from pellucid.errors import ConfigError


class ForkLock:
    """A lock for with-statements, which its holder may take again."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        _locks.add(self)

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    @property
    def mine(self) -> bool:
        """Whether this thread holds it."""
        return self._lock._is_owned()  # type: ignore[attr-defined, no-any-return]

    def _renew(self) -> None:
        if not self.mine:
            self._lock = threading.RLock()


_locks: weakref.WeakSet[ForkLock] = weakref.WeakSet()


def _renew_all() -> None:
    for lock in tuple(_locks):
        lock._renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_all)

importing = ForkLock()
"""Held while a package is imported at its first use. A fork waits for the end: what is imported by half, no child can
import, and waits for it for ever."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=importing.__enter__, after_in_parent=importing.__exit__, after_in_child=importing.__exit__
    )

building = ForkLock()
"""Held while weights are made, laid out in one vector or written from outside: only ever by one thread."""


class Turns:
    """Who trains a model, and when others may look at its weights or change them: between two steps."""

    def __init__(self) -> None:
        self._next, self._weights = ForkLock(), ForkLock()
        self._trainer: threading.Thread | None = None

    @contextmanager
    def taken(self) -> Iterator[None]:
        """The weights are this thread's. Whoever waits comes before a training's next step, however quick that is."""
        if self._weights.mine:  # a turn within one: whoever has the next waits for this thread
            self._weights.__enter__()
        else:
            with self._next:
                self._weights.__enter__()
        try:
            yield
        finally:
            self._weights.__exit__()

    @contextmanager
    def training(self, name: str) -> Iterator[None]:
        """This thread trains. Errors: ConfigError where another one does."""
        self.expect_own(name, "trained")
        before, self._trainer = self._trainer, threading.current_thread()
        try:
            yield
        finally:
            self._trainer = before

    @property
    def busy(self) -> bool:
        """Whether any thread trains."""
        return self._trainer is not None and self._trainer.is_alive()

    @property
    def elsewhere(self) -> bool:
        """Whether another thread trains."""
        trainer = self._trainer
        return trainer is not None and trainer is not threading.current_thread() and trainer.is_alive()

    def expect_own(self, name: str, what: str) -> None:
        """Errors: ConfigError where another thread trains the model."""
        if self.elsewhere:
            raise ConfigError(
                f"{name} is being trained by another thread and cannot be {what} now; wait until that fit has ended, "
                "or take a copy: copy.deepcopy(model)"
            )

    def __deepcopy__(self, memo: dict[int, object]) -> Turns:
        return Turns()
