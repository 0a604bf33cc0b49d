"""A session of the lab that one can wait for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from pellucid.lab.prepare import Start
from pellucid.lab.session import Command, Session

WAIT_S = 60.0


class Watched(Session):
    """A session that one can wait for."""

    def __init__(self, start: Start, folder: Path | None = None) -> None:
        self._told = threading.Condition()
        super().__init__(start, folder=folder, changed=self._notify)

    def _notify(self) -> None:
        with self._told:
            self._told.notify_all()

    def do(self, what: str, until: Callable[[], bool], name: str = "", value: object = None) -> None:
        self.obey(Command(what, name, value))
        self.wait(until)

    def wait(self, until: Callable[[], bool]) -> None:
        with self._told:
            assert self._told.wait_for(until, WAIT_S), self.snapshot
