"""Ctrl-C and SIGTERM while training: the step in hand is finished and everything is saved, then the command leaves."""

from __future__ import annotations

import contextlib
import os
import signal
from types import FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pellucid.train.events import Event, Stop

STATUS = {signal.SIGINT: 130, signal.SIGTERM: 143}


class Interrupt:
    """A listener that asks training to stop after the first signal; the second one ends it at once.

    `status` is the exit status of the signal that came, None if none did.
    """

    every_batch = False

    def __init__(self) -> None:
        self.status: int | None = None
        self._previous: dict[signal.Signals, Any] = {}

    def __call__(self, event: Event) -> Stop | None:
        """Answer every event with `Stop` once a signal came; one that came to another process counts in the end."""
        from pellucid.train.events import Stop, TrainingEnded
        from pellucid.train.trainer import ELSEWHERE

        if isinstance(event, TrainingEnded) and event.reason == ELSEWHERE:
            self.status = self.status or STATUS[signal.SIGTERM]
        return Stop("interrupted") if self.status is not None else None

    def __enter__(self) -> Interrupt:
        self._previous = {number: signal.signal(number, self._came) for number in STATUS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _came(self, number: int, frame: FrameType | None) -> None:
        status = STATUS[signal.Signals(number)]
        if self.status is not None:
            _say(b"left at once; the last checkpoint stands")
            raise SystemExit(status)
        self.status = status
        _say(b"stopping after this step; once more to leave at once")


def _say(text: bytes) -> None:
    """Unbuffered: the signal may have come amid a print. A terminal that has gone is no reason not to save."""
    with contextlib.suppress(OSError):
        os.write(2, b"\n%s\n" % text)
