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
    @property
    def far(self) -> bool:
        """Whether some of them are on other machines."""

    def reduce(self, array: Array) -> None:
        """Add up the arrays of all processes, in a binary tree over the ranks; each then holds the sum."""

    def gather(self, text: str) -> list[str]:
        """Every process's text, by rank."""

    def share(self, data: bytes) -> bytes:
        """What rank 0 gave."""

    def together(self, work: Callable[[], object]) -> None:
        """Do work in which PyTorch sums over the processes."""


@dataclass(frozen=True)
class Alone:
    """One process, which needs nobody."""

    rank: int = 0
    world: int = 1
    far: bool = False

    def reduce(self, array: Array) -> None:
        """It is the sum."""

    def gather(self, text: str) -> list[str]:
        """Its own."""
        return [text]

    def share(self, data: bytes) -> bytes:
        """Its own."""
        return data

    def together(self, work: Callable[[], object]) -> None:
        """Do it."""
        work()


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
    def of(cls, count: int, processes: Processes, *, in_tree: bool = True) -> Shards:
        """Those of one process. As many as the largest power of two take some; others wait. Where they need not be
        added in a tree, all take some.

        Errors: ConfigError for more processes than shards.
        """
        if processes.world > count:
            raise ConfigError(
                f"shards={count}: {processes.world} processes train together, and each takes a shard of every batch at "
                f"least; give shards={1 << (processes.world - 1).bit_length()}"
            )
        active = num_active(processes.world) if in_tree else processes.world
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
        self._sums: list[Array | None] = []
        """At each level the sum that waits for another one."""
        self._free: list[Array] = []

    def add(self, array: Array, factor: float = 1.0) -> None:
        """The next one, times a factor."""
        total = self._free.pop() if self._free else np.empty(self._size, self._dtype)
        np.multiply(array, self._dtype(factor), out=total)
        level = 0
        while level < len(self._sums) and (waiting := self._sums[level]) is not None:
            self._free.append(total)
            total = np.add(waiting, total, out=waiting)
            self._sums[level], level = None, level + 1
        self._sums[level : level + 1] = [total]

    def finish(self, array: Array, factor: float = 1.0) -> None:
        """The last of a power of two of them, times a factor: it becomes the sum. The next `add` begins anew."""
        np.multiply(array, self._dtype(factor), out=array)
        for waiting in self._sums:
            if waiting is not None:  # they all wait, for a power of two
                np.add(waiting, array, out=array)
                self._free.append(waiting)
        self._sums.clear()


def num_active(world: int) -> int:
    """How many of so many processes take shards: the largest power of two.

    >>> [num_active(world) for world in (1, 2, 3, 4, 7, 8)]
    [1, 2, 2, 4, 4, 8]
    """
    return 1 << (world.bit_length() - 1)


Swap = Callable[[Array | None, Array | None, int, bool], object]
"""(own, into, rank, adds): send `own` to a process, and let what it sends fill `into`, or be added to it; None: only
one of the two. `own` may be `into` where it is added."""

HALVED = 1 << 14
"""From so many numbers on it takes less time to send parts twice as often."""


def add_up(own: Array, rank: int, world: int, swap: Swap) -> None:
    """Recursive doubling: after round i, the first 2^k processes hold the sums of groups of 2^(i + 1) of them.

    Of a large array each process adds up half of what it added the round before, and then the sums are handed back:
    the same tree, and of the array each sends 2 (1 - 1/2^k) in all, not k times all of it. Each of the processes behind
    the first 2^k hands its own to one of those before, and is given the sum.
    Shapes: own (size,), which becomes the sum.
    Source: Thakur, Rabenseifner and Gropp 2005, section 4.4.
    """
    active = num_active(world)
    if rank >= active:
        swap(own, None, rank - active, False)
        swap(None, own, rank - active, False)
        return
    partner, distance = rank + active, 1
    if partner < world:
        swap(None, own, partner, True)
    sums, sent = own, []
    while distance < active:
        if len(own) < HALVED:
            swap(own, own, rank ^ distance, True)
        else:
            halves = sums[: len(sums) // 2], sums[len(sums) // 2 :]
            mine, other = halves if not rank & distance else halves[::-1]
            swap(other, mine, rank ^ distance, True)
            sent.append((rank ^ distance, sums, other))
            sums = mine
        distance *= 2
    for other_rank, whole, other in reversed(sent):
        swap(sums, other, other_rank, False)
        sums = whole
    if partner < world:
        swap(own, None, partner, False)


def merge(processes: Processes, array: Array) -> None:
    """Let all have an array of which each has written some rows, and the others are zero.

    Shapes: float32, contiguous. They are added as whole numbers, which keep each bit: as floats, -0 + 0 is 0.
    """
    processes.reduce(array.reshape(-1).view(np.int32))


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
