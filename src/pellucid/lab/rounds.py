"""Going through test pictures a few at a time while a network trains, so that training hardly waits."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from pellucid.ops import Array

LEAST, MOST = 1, 4096
"""Pictures of one turn."""

TURN_S, IDLE_TURN_S = 0.004, 0.1
"""What a turn should take: training waits meanwhile; the second where nothing trains."""

TIMED_PICTURES, TIMED_S = 32, 0.01
"""A turn of as many pictures or as long says what a picture takes; in a smaller one the call itself counts too much."""

Moment = tuple[int, int]


class Rounds:
    """Whose turn it is of so many pictures, round after round: what a round leaves is of steps close to each other.

    turns: how many were taken, another number after each change. done: which pictures had one since the last `clear`.
    each_s: what a picture took in the last turn that says so; None as long as there was none.
    """

    def __init__(self, count: int, work: Callable[[Array], object]) -> None:
        """work: called with the numbers of the next pictures, which follow each other."""
        self.turns, self.done = 0, np.zeros(count, bool)
        self.each_s: float | None = None
        self._work, self._next = work, 0
        self._last_each_s: float | None = None
        self._moments: Array = np.full((count, 2), -1)

    def clear(self) -> None:
        """All pictures wait for their turn: other weights altogether."""
        self.done[:] = False
        self.turns += 1

    def is_done(self, moment: Moment) -> bool:
        """Whether all pictures had their turn at this moment."""
        return not len(self.done) or bool((self._moments == moment).all())

    def steps(self) -> tuple[int, int]:
        """The first and the last step at which the pictures had their newest turn, of those that had one."""
        found = self._moments[self.done, 1]
        return (int(found.min()), int(found.max())) if found.size else (0, 0)

    def turn(self, moment: Moment, turn_s: float = IDLE_TURN_S) -> bool:
        """The next pictures, about as many as take so long, with the weights of now; False where all had their turn at
        this moment."""
        if self.is_done(moment):
            return False
        size = LEAST if self._last_each_s is None else int(np.clip(turn_s / self._last_each_s, LEAST, MOST))
        rows = np.arange(self._next, min(self._next + size, len(self.done)))
        start = time.perf_counter()
        self._work(rows)
        took_s = time.perf_counter() - start
        self._last_each_s = max(took_s / len(rows), 1e-7)
        if self.turns > 1 and (len(rows) >= TIMED_PICTURES or took_s >= TIMED_S):  # at first the network is made ready
            self.each_s = self._last_each_s
        self.done[rows], self._moments[rows] = True, moment
        self._next = (self._next + len(rows)) % len(self.done)
        self.turns += 1
        return True
