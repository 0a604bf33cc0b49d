"""The processes that torchrun starts, joined by `torch.distributed` with gloo: PyTorch is imported here alone."""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import math
import os
import re
import secrets
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np

from pellucid import ops
from pellucid._modules import optional
from pellucid.errors import BackendError
from pellucid.ops.geometry import Array
from pellucid.train.distributed import Alone, Processes, add_up
from pellucid.train.shared import Shared

STARTED_BY = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""What torchrun sets in the environment of a process."""

PATIENCE = timedelta(days=1)
"""How long others are waited for where one of them reads all pictures. One that ends is noticed at once."""

GRACE_S = 10.0
"""How long after SIGTERM a process waits for another one."""

MEET_S = 30.0
"""How long a start waits for all to come, where torchrun would start again: a machine may have been lost meanwhile."""

POLL_S = 0.02


def started_together() -> bool:
    """Whether torchrun has started this process, perhaps as the only one."""
    return all(name in os.environ for name in STARTED_BY)


_by_itself = 0
"""Blocks in hand in which each process answers by itself."""


@contextlib.contextmanager
def each_by_itself() -> Iterator[None]:
    """Within the block `sharing` gives this process alone: a callback may judge or answer in one process only."""
    global _by_itself
    _by_itself += 1
    try:
        yield
    finally:
        _by_itself -= 1


def sharing() -> Processes:
    """The processes that judge and answer together."""
    return Alone() if _by_itself else join()


@functools.cache
def join() -> Processes:
    """This process among those that torchrun started; alone where it has not.

    The processes of a machine share its cores, unless PELLUCID_NUM_THREADS says how many each has.
    Errors: ConfigError where PyTorch is missing; BackendError where the others are not found.
    """
    if not started_together():
        return Alone()
    distributed = optional("torch.distributed", "torch", "training under torchrun")
    if "PELLUCID_NUM_THREADS" not in os.environ:
        local = int(os.environ.get("LOCAL_WORLD_SIZE", 1))
        ops.set_num_threads(max(1, ops.backend().threads // local))
    return Gloo(distributed)


def _launcher() -> int:
    """The process number of torchrun, which started this process; 0 where it had gone before."""
    parent = os.getppid()
    if parent != 1 or "TORCHELASTIC_RUN_ID" not in os.environ:
        return parent
    try:  # in a container torchrun itself may be the first process
        return 1 if b"torch" in Path("/proc/1/cmdline").read_bytes() else 0
    except OSError:
        return 1


class Gloo:
    """Joined by gloo: over TCP, and on one machine through shared memory."""

    def __init__(self, distributed: Any) -> None:
        self._distributed = distributed
        self.rank, self.world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
        self._num_begun = self._num_ended = 0
        self._watch()
        self._exchange(self._join)
        atexit.register(self._leave)
        self._room = np.empty(0, np.uint8)
        self._shared = Shared(self.rank, self.world, self.gather)
        self.far = not all(self._shared.reaches(rank) for rank in range(self.world) if rank != self.rank)

    def _join(self) -> None:
        place = {"rank": self.rank, "world_size": self.world, "timeout": PATIENCE}
        store = next(
            optional("torch.distributed.rendezvous", "torch", "torchrun").rendezvous("env://", timeout=PATIENCE)
        )[0]
        own = self._distributed.PrefixStore(meet(store, self.rank, self.world, meeting_s()), store)
        self._distributed.init_process_group("gloo", store=own, **place)

    def _leave(self) -> None:
        """End gloo's threads with the program: left to the end of the process they abort it, now and then."""
        if self._num_begun == self._num_ended:
            gc.collect()  # a module of PyTorch's that sums by the group holds it
            self._distributed.destroy_process_group()

    def _watch(self) -> None:
        """End this process when torchrun has gone, which may have been killed, and when it may wait in vain.

        That is: SIGTERM came, and GRACE_S later it still waits for another process, perhaps one out of reach. A thread
        looks: signal handlers run in the main one, and only when that has stopped waiting.
        """
        hears, tells = socket.socketpair()
        tells.setblocking(False)
        hears.settimeout(1.0)
        launcher = _launcher()
        if threading.current_thread() is threading.main_thread():
            signal.set_wakeup_fd(tells.fileno(), warn_on_full_buffer=False)

        def watch() -> None:
            came_s, begun = math.inf, 0
            while os.getppid() == launcher:
                with contextlib.suppress(TimeoutError):
                    if signal.SIGTERM in hears.recv(16):
                        came_s, begun = time.monotonic(), self._num_begun
                if time.monotonic() - came_s > GRACE_S and begun == self._num_begun > self._num_ended:
                    os._exit(128 + signal.SIGTERM)
            os.write(2, f"pellucid: {self._name}: torchrun has ended, so this process does\n".encode())
            os._exit(1)

        threading.Thread(target=watch, name="pellucid-launcher", daemon=True).start()
        self._tells = tells

    def reduce(self, array: Array) -> None:
        """Add up the arrays of all processes, in a binary tree over the ranks; each then holds the sum."""
        add_up(array.reshape(-1), self.rank, self.world, self._swap)

    def gather(self, text: str) -> list[str]:
        """Every process's text, by rank."""
        texts: list[Any] = [None] * self.world
        self._exchange(lambda: self._distributed.all_gather_object(texts, text))
        return texts

    def share(self, data: bytes) -> bytes:
        """What rank 0 gave."""
        box = [data]
        self._exchange(lambda: self._distributed.broadcast_object_list(box, src=0))
        return box[0]

    def _swap(self, own: Array | None, into: Array | None, rank: int, adds: bool) -> None:
        """Send an array, and let what comes fill another, or be added to it."""
        if self._shared.reaches(rank):
            self._exchange(lambda: self._shared.swap(own, into, rank, adds))
            return
        if into is None or not adds:
            self._exchange(lambda: self._send(own, into, rank))
            return
        came = self._received(into)
        self._exchange(lambda: self._send(own, came, rank))
        np.add(into, came, out=into)

    def _send(self, own: Array | None, into: Array | None, rank: int) -> None:
        """From memory to memory over the network.

        The receiving is asked for first: otherwise gloo sends one after the other, in twice the time.
        """
        from torch import from_numpy

        work = [] if into is None else [self._distributed.irecv(from_numpy(into), rank)]
        work += [] if own is None else [self._distributed.isend(from_numpy(own), rank)]
        for item in work:
            item.wait()

    def _received(self, like: Array) -> Array:
        """Room for as much, used again."""
        if self._room.nbytes < like.nbytes:
            self._room = np.empty(like.nbytes, np.uint8)
        return self._room[: like.nbytes].view(like.dtype)

    def together(self, work: Callable[[], object]) -> None:
        """Do work in which PyTorch sums over the processes. Errors: BackendError where another one has ended."""
        self._exchange(work, computes=True)

    def _exchange(self, work: Callable[[], object], *, computes: bool = False) -> None:
        """computes: errors may come of something else, too. Errors: BackendError where another process has ended."""
        self._num_begun += 1
        try:
            work()
        except RuntimeError as error:
            if computes and not isinstance(error, self._distributed.DistError) and "gloo" not in str(error):
                raise
            why = re.sub(r"\[[^]]*/[^]]*] ", "", str(error)).partition(". ")[0].strip()[:200]
            raise BackendError(
                f"{self._name}: another process has ended or cannot be reached ({why}); what it said says why, and "
                "torchrun --max-restarts N starts all again"
            ) from error
        finally:
            self._num_ended += 1

    @property
    def _name(self) -> str:
        return f"process {self.rank} of {self.world}, on {socket.gethostname()}"


def meeting_s() -> float:
    """How long to wait for all. A start that torchrun would not repeat waits on, for who is only slow."""
    starts, more = (int(os.environ.get(f"TORCHELASTIC_{name}", 0)) for name in ("RESTART_COUNT", "MAX_RESTARTS"))
    return MEET_S if starts < more else PATIENCE.total_seconds()


def meet(store: Any, rank: int, world: int, patience_s: float) -> str:
    """A word that only the processes of this start know, by the store that they share.

    torchrun's store outlives its processes and still holds what those before have written there: whoever reads their
    addresses waits for the dead. So each asks with a word of its own, and takes no answer but one to that word.
    Errors: BackendError where one does not come within patience_s: torchrun does not tell who was lost with its
    machine before it came.
    """
    until_s = time.monotonic() + patience_s

    def wait_for(missing: str) -> None:
        if time.monotonic() > until_s:
            raise BackendError(
                f"process {rank} of {world}, on {socket.gethostname()}: {missing} has not come within "
                f"{patience_s:g} s; torchrun --max-restarts N starts all again"
            )
        time.sleep(POLL_S)

    own = secrets.token_hex(8)
    if rank:
        store.set(f"asks/{rank}", own)
        asked, _, word = _read(store, f"told/{rank}").partition(" ")
        while asked != own:
            wait_for("process 0")
            asked, _, word = _read(store, f"told/{rank}").partition(" ")
        store.set(f"knows/{rank}", word)
        return word
    unknowing = set(range(1, world))
    while unknowing:
        for other in unknowing:
            store.set(f"told/{other}", f"{_read(store, f'asks/{other}')} {own}")
        wait_for(f"process {min(unknowing)}")
        unknowing = {other for other in unknowing if _read(store, f"knows/{other}") != own}
    return own


def _read(store: Any, key: str) -> str:
    return str(store.get(key).decode()) if store.check([key]) else ""
