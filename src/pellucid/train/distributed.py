"""The processes that train one network together: what they tell each other, and which part of a batch each takes.

A batch is cut into logical shards. What is summed over a batch is summed over its shards in a binary tree, whose lower
part one process computes and whose upper part goes over the network: any number of processes gives the same bits.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from pellucid.datasets.batches import Piece
from pellucid.errors import ConfigError
from pellucid.ops.geometry import Array


class Processes(Protocol):
    """All processes of a training, seen from one of them. rank: its number, from 0; world: how many there are."""

    @property
    def rank(self) -> int: ...
    @property
    def world(self) -> int: ...

    def reduce(self, array: Array) -> None:
        """Add up the arrays of all processes, in a binary tree over the ranks; each then holds the sum."""

    def gather(self, text: str) -> list[str]:
        """Every process's text, by rank."""

    def share(self, data: bytes) -> bytes:
        """What rank 0 gave."""


@dataclass(frozen=True)
class Alone:
    """One process, which needs nobody."""

    rank: int = 0
    world: int = 1

    def reduce(self, array: Array) -> None:
        """It is the sum."""

    def gather(self, text: str) -> list[str]:
        """Its own."""
        return [text]

    def share(self, data: bytes) -> bytes:
        """Its own."""
        return data


class Parts(Protocol):
    """Which pictures of a batch a process takes."""

    def capacity(self, size: int) -> int:
        """The most at a time, of batches of so many."""

    def pieces(self, batch: int, start: int, stop: int) -> Sequence[Piece]:
        """Of batch number `batch`, which is the pictures from `start` to `stop` of the epoch's order."""


@dataclass(frozen=True)
class Shards:
    """Of each batch's `count` logical shards those from `first` to `last`, one after the other.

    Their sizes follow from the batch's size alone: those of 10 pictures in 4 shards are 2, 3, 2, 3.
    """

    count: int = 1
    first: int = 0
    last: int = 1

    @classmethod
    def of(cls, count: int, processes: Processes) -> Shards:
        """Those of one process. As many as the largest power of two take some; others wait.

        Errors: ConfigError for more processes than shards.
        """
        if processes.world > count:
            raise ConfigError(
                f"shards={count}: {processes.world} processes train together, and each takes a shard of every batch at "
                f"least; give shards={1 << (processes.world - 1).bit_length()}"
            )
        active = num_active(processes.world)
        rank = min(processes.rank, active)  # those behind have none
        return cls(count, rank * count // active, min(rank + 1, active) * count // active)

    def capacity(self, size: int) -> int:
        """Of the largest shard."""
        return -(-size // self.count)

    def pieces(self, batch: int, start: int, stop: int) -> list[Piece]:
        """One a shard, the empty ones of a small batch too."""
        ends = [start + (stop - start) * i // self.count for i in range(self.first, self.last + 1)]
        keys = [(batch,) if self.count == 1 else (batch, i) for i in range(self.first, self.last)]
        return [Piece(*place) for place in zip(ends, ends[1:], keys, strict=False)]


@dataclass(frozen=True)
class Turns:
    """Every batch whole, each by one process: they take turns."""

    rank: int
    world: int

    def capacity(self, size: int) -> int:
        """All."""
        return size

    def pieces(self, batch: int, start: int, stop: int) -> list[Piece]:
        """The batch, or nothing."""
        return [Piece(start, stop, (batch,))] if batch % self.world == self.rank else []


class Tree:
    """A sum in a binary tree of what comes one after the other: ((a + b) + (c + d)) + ...

    Shapes: (size,) each.
    """

    def __init__(self, size: int, dtype: type) -> None:
        self._size, self._dtype = size, dtype
        self._sums: list[Array] = []
        self._filled: list[bool] = []

    def add(self, array: Array) -> None:
        """The next one."""
        level = 0
        while level < len(self._sums) and self._filled[level]:
            array = np.add(self._sums[level], array, out=self._sums[level])
            self._filled[level], level = False, level + 1
        if level == len(self._sums):
            self._sums.append(np.empty(self._size, self._dtype))
            self._filled.append(False)
        self._sums[level][...] = array
        self._filled[level] = True

    def take(self) -> Array:
        """The sum of a power of two of them, zeros of none; the next `add` begins anew."""
        if True not in self._filled:
            self.add(np.zeros(self._size, self._dtype))
        level = self._filled.index(True)
        self._filled[level] = False
        return self._sums[level]


def num_active(world: int) -> int:
    """How many of so many processes take shards: the largest power of two.

    >>> [num_active(world) for world in (1, 2, 3, 4, 7, 8)]
    [1, 2, 2, 4, 4, 8]
    """
    return 1 << (world.bit_length() - 1)


Swap = Callable[[Array | None, Array | None, int], object]
"""(own, other, rank): send `own` to a process and receive from it what fills `other`; None: only one of the two."""


def add_up(own: Array, rank: int, world: int, swap: Swap) -> None:
    """Recursive doubling: after round i, the first 2^k processes hold the sums of groups of 2^(i + 1) of them.

    Each of the others hands its own to one of those before, and is given the sum.
    Shapes: own (size,), which becomes the sum.
    """
    active = num_active(world)
    if rank >= active:
        swap(own, None, rank - active)
        swap(None, own, rank - active)
        return
    other, partner, distance = np.empty_like(own), rank + active, 1
    if partner < world:
        swap(None, other, partner)
        own += other
    while distance < active:
        swap(own, other, rank ^ distance)
        own += other
        distance *= 2
    if partner < world:
        swap(own, None, partner)


def agree(processes: Processes, facts: Mapping[str, Any], remedies: Mapping[str, str] | None = None) -> None:
    """Compare what must be alike, as plain data by name. remedies: what helps besides, by name.

    Errors: ConfigError, in all of them, naming the first that differs from rank 0, and in what.
    """
    told = [json.loads(text) for text in processes.gather(json.dumps([platform.node(), facts]))]
    (first_host, first), *others = told
    for rank, (host, other) in enumerate(others, 1):
        for name in {**first, **other}:
            if first.get(name) != other.get(name):
                also = (remedies or {}).get(name, "")
                raise ConfigError(
                    f"process {rank} of {processes.world}, on {host}, has {name} {other.get(name)!r}, process 0, on "
                    f"{first_host}, {first.get(name)!r}; start all alike{also}"
                )
