"""Memory that the processes of one machine share: what they send each other goes through no network.

Each process has two slots for each other one, and a pipe from it. It fills a slot, tells, and reads the other's slot
once told: by then the other has read the slot before, which may be filled again.
"""

from __future__ import annotations

import json
import mmap
import os
import secrets
from collections.abc import Callable
from pathlib import Path

import numpy as np

from pellucid.ops.geometry import Array

SLOT_BYTES = 4 << 20
TOKEN_BYTES = 64
"""By which a process knows that it has opened what another has made; a cache line, so that slots begin on one."""


class Shared:
    """The slots of one of several processes, and those of the others on its machine that it can reach.

    gather: gives every process's text, by rank. Where the system has no memory without a name, nobody is reached.
    """

    def __init__(self, rank: int, world: int, gather: Callable[[str], list[str]]) -> None:
        self._rank, self._bytes = rank, TOKEN_BYTES + 2 * world * SLOT_BYTES
        self._others: dict[int, Array] = {}
        self._tells: dict[int, int] = {}
        self._turns = [0] * world
        if not hasattr(os, "memfd_create"):
            gather("[]"), gather("[]")
            return
        file, token = os.memfd_create("pellucid"), secrets.token_bytes(TOKEN_BYTES)
        os.ftruncate(file, self._bytes)  # takes room only where it is filled
        self._own = self._mapped(file)
        self._own[:TOKEN_BYTES] = np.frombuffer(token, np.uint8)
        pipes = [os.pipe() for _ in range(world)]
        self._hears = [hears for hears, _ in pipes]
        made = [os.getpid(), token.hex(), file, *(tells for _, tells in pipes)]
        for other, text in enumerate(gather(json.dumps(made))):
            if other != rank and text != "[]":
                self._open(other, *json.loads(text))
        reach = [json.loads(text) for text in gather(json.dumps(list(self._others)))]
        self._others = {other: slots for other, slots in self._others.items() if rank in reach[other]}
        for _, tells in pipes:  # so that a pipe ends with the process that writes into it
            os.close(tells)
        os.close(file)

    def _mapped(self, file: int) -> Array:
        return np.frombuffer(mmap.mmap(file, self._bytes), np.uint8)

    def _open(self, other: int, process: int, token: str, file: int, *tells: int) -> None:
        """Reach another process, if it is on this machine: there may be one of the same number."""

        def opened(number: int, how: int) -> int:
            return os.open(Path("/proc", str(process), "fd", str(number)), how)

        try:
            slots = opened(file, os.O_RDWR)
            if os.fstat(slots).st_size == self._bytes:
                memory = self._mapped(slots)
                if memory[:TOKEN_BYTES].tobytes().hex() == token:
                    self._tells[other] = opened(tells[self._rank], os.O_WRONLY)
                    self._others[other] = memory
            os.close(slots)
        except OSError:
            return

    def reaches(self, rank: int) -> bool:
        """Whether that process is on this machine, and each of the two has opened what the other has made."""
        return rank in self._others

    def swap(self, own: Array | None, into: Array | None, rank: int, adds: bool) -> None:
        """Send an array, and let what comes fill another, or be added to it.

        Shapes: own, into (size,), which may differ in size, of one type; None where nothing is sent, or comes.
        Errors: RuntimeError where that process has ended.
        """
        given = [one for one in (own, into) if one is not None]
        size = SLOT_BYTES // given[0].itemsize
        for start in range(0, max(map(len, given)), size):
            turn = self._turns[rank] = 1 - self._turns[rank]
            if own is not None:
                part = own[start : start + size]
                self._slot(self._own, rank, turn, part)[...] = part
            self._meet(rank)
            if into is not None:
                part = into[start : start + size]
                came = self._slot(self._others[rank], self._rank, turn, part)
                np.add(part, came, out=part) if adds else np.copyto(part, came)

    def _slot(self, slots: Array, rank: int, turn: int, like: Array) -> Array:
        """What a process writes for that one."""
        start = TOKEN_BYTES + (2 * rank + turn) * SLOT_BYTES
        return slots[start : start + like.nbytes].view(like.dtype)

    def _meet(self, rank: int) -> None:
        """Wait until that process has come as far as this one."""
        try:
            os.write(self._tells[rank], b".")
        except BrokenPipeError:
            raise RuntimeError(f"process {rank} of this machine is gone") from None
        if not os.read(self._hears[rank], 1):
            raise RuntimeError(f"process {rank} of this machine is gone")
