"""The thread that paints what is watched: each frame once, for all who ask the same, and not too often."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from pellucid.errors import PellucidError
from pellucid.lab.looking import VIEWS, Look
from pellucid.lab.protocol import Request, to_frame
from pellucid.lab.wording import told

FRAMES_PER_S, SLOW_PER_S = 20.0, 2.0
"""At most; the second of views that are slow to make or to read."""

MESSAGES_PER_S = 500.0
"""To all viewers together: where there are many, each gets fewer frames."""

REST = 3.0
"""After painting for a while the painter rests so many times as long: training has the machine."""

IDLE_S = 0.5

HandOver = Callable[[dict[Request, bytes], dict[str, Any] | None], object]


class Painter:
    """Paints `look`, whose session's `looking` is held then. latest: the newest frame of everything that is watched."""

    def __init__(self, look: Look) -> None:
        self.latest: dict[Request, bytes] = {}
        self._look = look
        self._wanted: tuple[Request, ...] = ()
        self._num_viewers = 0
        self._closing, self._news = threading.Event(), threading.Event()
        self._painted_of: dict[Request, object] = {}
        self._slow_s = -1 / SLOW_PER_S
        self._thread: threading.Thread | None = None
        look.session.changed = self._news.set

    def begin(self, hand_over: HandOver) -> None:
        """Start the thread. hand_over: called in it with new frames, and with the session's snapshot if it is new."""
        work = threading.Thread(target=self._work, args=(hand_over,), name="pellucid lab: painter", daemon=True)
        self._thread = work
        work.start()

    def paint(self, wanted: tuple[Request, ...], num_viewers: int) -> None:
        """From now on these."""
        self._wanted, self._num_viewers = wanted, num_viewers
        self._news.set()

    def close(self) -> None:
        """End the thread."""
        self._closing.set()
        self._news.set()
        if self._thread is not None:
            self._thread.join(10)

    def _work(self, hand_over: HandOver) -> None:
        handed: dict[str, Any] | None = None
        while not self._closing.is_set():
            self._news.wait(IDLE_S)
            self._news.clear()
            start, snapshot = time.thread_time(), self._look.session.snapshot
            painted = self._round(self._wanted, time.perf_counter())
            if painted or snapshot is not handed:
                hand_over(painted, None if snapshot is handed else snapshot)
                handed = snapshot
            took_s = time.thread_time() - start  # not what it waited for its turn at the weights
            messages = self._num_viewers * (1 + len(painted))
            self._closing.wait(max(1 / FRAMES_PER_S, messages / MESSAGES_PER_S, REST * took_s))
            if self._unfinished():
                self._news.set()

    def _round(self, wanted: Sequence[Request], now_s: float) -> dict[Request, bytes]:
        """New frames of what has changed and is due."""
        for gone in self._painted_of.keys() - set(wanted):
            self._painted_of.pop(gone)
            self.latest.pop(gone, None)
        slow_due = now_s - self._slow_s >= 1 / SLOW_PER_S
        self._slow_s = now_s if slow_due else self._slow_s
        painted: dict[Request, bytes] = {}
        with self._look.session.looking:
            due = [each for each in wanted if self._is_due(each, slow_due)]
            problem = self._gather(due)
            for request in due:
                painted[request] = self.latest[request] = self._frame(request, problem)
                self._painted_of[request] = self._of(request, self._look.moment)
        return painted

    def _gather(self, due: Sequence[Request]) -> str:
        """What keeps these from being shown, in a sentence; else nothing."""
        try:
            if due:
                self._look.gather(due)
        except PellucidError as error:
            return str(error)
        return ""

    def _frame(self, request: Request, problem: str) -> bytes:
        """What is seen; where that cannot be shown, the sentence that says why, for nobody else can be told here."""
        head: dict[str, Any] = {**request.to_json(), "step": self._look.moment[1]}
        if not problem:
            try:
                seen = VIEWS[request.view].make(self._look, request)
                return to_frame({**head, **seen.data}, seen.parts)
            except PellucidError as error:
                problem = str(error)
        return to_frame({**head, **told("problem", problem)})

    def _is_due(self, request: Request, slow_due: bool) -> bool:
        if request not in self._painted_of:
            return True
        if VIEWS[request.view].slow and not slow_due:
            return False
        moment = self._look.session.moment
        if not all(rounds.is_done(moment) for rounds in self._look.rounds_of(VIEWS[request.view])):
            return True
        return self._painted_of[request] != self._of(request, moment)

    def _of(self, request: Request, moment: tuple[int, int]) -> object:
        """What a frame shows, by which an old one is known."""
        if VIEWS[request.view].still:
            return None
        return moment, tuple(rounds.turns for rounds in self._look.rounds_of(VIEWS[request.view]))

    def _unfinished(self) -> bool:
        """Whether something watched is behind what there is to see."""
        with self._look.session.looking:
            return any(self._is_due(request, True) for request in self._wanted)
