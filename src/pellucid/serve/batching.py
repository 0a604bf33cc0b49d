"""Pictures that wait are computed together: those that came while the ones before were in work."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from pellucid.ops import Array

MAX_WAITING = 1024
"""Pictures; more are refused, since they would wait longer than anybody does."""


class Busy(Exception):
    """Too many pictures wait."""


class Batches:
    """Hands pictures to `compute`, up to `most` at a time, in a thread: nobody waits for a batch to fill.

    compute: pictures -> a row for each. tell: hears how many each batch had.
    """

    def __init__(
        self, compute: Callable[[Sequence[Array]], Any], most: int, tell: Callable[[int], object] = lambda count: None
    ) -> None:
        self._compute, self._most, self._tell = compute, most, tell
        self._waiting: deque[tuple[Array, asyncio.Future[Array]]] = deque()
        self._work: asyncio.Task[None] | None = None

    @property
    def num_waiting(self) -> int:
        """Pictures that nobody has begun with."""
        return len(self._waiting)

    async def answer(self, picture: Array) -> Array:
        """Its row. Errors: Busy; what `compute` raised for its batch."""
        if len(self._waiting) >= MAX_WAITING:
            raise Busy
        answer: asyncio.Future[Array] = asyncio.get_running_loop().create_future()
        self._waiting.append((picture, answer))
        if self._work is None or self._work.done():
            self._work = asyncio.create_task(self._compute_all())
        return await answer

    async def _compute_all(self) -> None:
        while self._waiting:
            taken = [self._waiting.popleft() for _ in range(min(len(self._waiting), self._most))]
            taken = [(picture, answer) for picture, answer in taken if not answer.done()]  # who waited may have gone
            if not taken:
                continue
            self._tell(len(taken))
            try:
                rows = await asyncio.to_thread(self._compute, [picture for picture, _ in taken])
            except Exception as error:
                for _, answer in taken:
                    if not answer.done():
                        answer.set_exception(error)
                continue
            for (_, answer), row in zip(taken, rows, strict=True):
                if not answer.done():
                    answer.set_result(row)
