"""The thread that paints what is watched: each frame once, for all who ask the same, and not too often."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pellucid.errors import PellucidError
from pellucid.lab.looking import VIEWS, Look
from pellucid.lab.protocol import Request, to_frame
from pellucid.lab.wording import told

FRAMES_PER_S, SLOW_PER_S = 20.0, 2.0
"""At most; the second of views that are slow to make or to read."""

MESSAGES_PER_S = 100.0
"""To all owners' pages, and to all viewers together, all frames of a page in one message: where there are many, each
gets fewer."""

REST, WAITED_REST = 3.0, 39.0
"""After painting for a while the painter rests so many times as long, and so many times as long as training waited for
it: training has the machine. Only what somebody asks for anew comes sooner, after as long a rest as training waited."""

IDLE_S = 0.5

HandOver = Callable[[dict[Request, bytes], dict[str, Any] | None, bool], object]


class Painter:
    """Paints `look`, whose session's `looking` is held then. latest: the newest frame of everything that is watched."""

    def __init__(self, look: Look) -> None:
        self.latest: dict[Request, bytes] = {}
        self._look = look
        self._wanted: Mapping[Request, bool] = {}
        self._every_s, self._shared_every_s = 1 / FRAMES_PER_S, 1 / FRAMES_PER_S
        self._closing, self._news, self._asked = threading.Event(), threading.Event(), threading.Event()
        self._painted_of: dict[Request, object] = {}
        self._slow_s = self._shared_painted_s = self._shared_s = self._ended_s = -math.inf
        """When the slow views were painted last, and those that viewers alone watch; when viewers were sent what there
        was; when the last round ended."""
        self._thread: threading.Thread | None = None
        look.session.changed = self._news.set

    def begin(self, hand_over: HandOver) -> None:
        """Start the thread. hand_over: called in it with new frames, with the session's snapshot if it is new, and
        whether viewers are to get theirs now; owners get them at once."""
        work = threading.Thread(target=self._work, args=(hand_over,), name="pellucid lab: painter", daemon=True)
        self._thread = work
        work.start()

    def paint(self, wanted: Mapping[Request, bool], num_owners: int, num_viewers: int) -> None:
        """From now on these; each with whether an owner watches it."""
        anew = not wanted.keys() <= self._wanted.keys()
        self._wanted = wanted
        self._every_s = max(1 / FRAMES_PER_S, num_owners / MESSAGES_PER_S)
        self._shared_every_s = max(1 / FRAMES_PER_S, num_viewers / MESSAGES_PER_S)
        self._news.set()
        if anew:
            self._asked.set()

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
            now_s = time.perf_counter()
            shared_due = now_s - self._shared_s >= self._shared_every_s
            self._shared_s = now_s if shared_due else self._shared_s
            painted = self._round(self._wanted, now_s) if self._may_paint(now_s, snapshot) else {}
            if painted or snapshot is not handed or shared_due:
                hand_over(painted, None if snapshot is handed else snapshot, shared_due)
                handed = snapshot
            took_s = time.thread_time() - start  # not what it waited for its turn at the weights
            self._closing.wait(max(self._every_s, REST * took_s))
            if self._unfinished():
                self._news.set()

    def _may_paint(self, now_s: float, snapshot: dict[str, Any]) -> bool:
        """Whether training has had its time since the last round, or nothing trains."""
        rest = 1 if self._asked.is_set() else WAITED_REST
        return not snapshot["running"] or now_s >= self._ended_s + rest * self._look.held_s

    def _round(self, wanted: Mapping[Request, bool], now_s: float) -> dict[Request, bytes]:
        """New frames of what has changed and is due."""
        for gone in self._painted_of.keys() - wanted.keys():
            self._painted_of.pop(gone)
            self.latest.pop(gone, None)
        slow_due = now_s - self._slow_s >= 1 / SLOW_PER_S
        shared_due = now_s - self._shared_painted_s >= self._shared_every_s
        self._shared_painted_s = now_s if shared_due else self._shared_painted_s
        painted: dict[Request, bytes] = {}
        self._asked.clear()
        self._look.held_s = 0.0
        with self._look.session.looking:
            due = [each for each, own in wanted.items() if self._is_due(each, slow_due, own or shared_due)]
            if any(VIEWS[each.view].slow for each in due):
                self._slow_s = now_s
            problem = self._gather(due)
            for request in due:
                painted[request] = self.latest[request] = self._frame(request, problem)
                self._painted_of[request] = self._of(request, self._look.moment)
        self._ended_s = time.perf_counter()
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

    def _is_due(self, request: Request, slow_due: bool, reader_due: bool) -> bool:
        if request not in self._painted_of:
            return True
        if not reader_due or (VIEWS[request.view].slow and not slow_due):
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
            return any(self._is_due(request, True, True) for request in self._wanted)
