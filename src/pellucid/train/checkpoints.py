"""A folder of checkpoints: which are kept, when the next one is due, and which is the newest whole one."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pellucid._display import Brief
from pellucid.errors import CheckpointError
from pellucid.files import sharing, tensor_file
from pellucid.files.atomic import make_folder, remove_leftovers
from pellucid.files.inside import Inside, Place
from pellucid.ops.geometry import Array

KEPT = 2
"""The newest ones that stay: should one be damaged, another is there."""

EVERY_S = 300.0
"""Seconds after which one is due amid an epoch."""

SHARE = 0.05
"""The part of the training's time that may go into writing them."""

LOCK_FILE = "lock"
_NAME = re.compile(r"epoch-(\d+)(?:-step-(\d+))?\.safetensors")


@dataclass(frozen=True, repr=False)
class Saved(Brief):
    """What was read from a checkpoint."""

    path: Place
    tensors: Mapping[str, Array]
    facts: Mapping[str, Any]


class Checkpoints:
    """The checkpoints of one training, in a folder of their own.

    `epoch-003.safetensors` was written after three epochs, `epoch-003-step-00120.safetensors` 120 steps later. One is
    due after each epoch and every `every_s` seconds; where writing is slow, as many are left out as keep it within
    `share` of the time.
    """

    def __init__(self, folder: Place, *, keep: int = KEPT, every_s: float = EVERY_S, share: float = SHARE) -> None:
        self.folder = folder if isinstance(folder, Inside) else Inside(folder)
        self._keep, self._every_s, self._share = keep, every_s, share
        self._kept: list[Inside] = []
        self._began_s = self._written_s = time.perf_counter()
        self._spent_s = self._cost_s = 0.0

    @contextlib.contextmanager
    def locked(self, wait_s: float = 0.0) -> Iterator[None]:
        """While the block runs no other process can train here; the system lets go of a killed one's lock.

        What a killed one has left half-written is removed. wait_s: how long one that is there may take to end.

        Errors: CheckpointError, naming the process, if another one holds it.
        """
        make_folder(self.folder)
        path = self.folder / LOCK_FILE
        try:
            handle = path.open(os.O_RDWR | os.O_CREAT)
        except OSError as error:
            raise CheckpointError(f"{path}: cannot be written: {error.strerror}; is the folder read-only?") from error
        try:
            _lock(handle, self.folder, time.perf_counter() + wait_s)
            remove_leftovers(self.folder)
            yield
        finally:
            os.close(handle)

    def due(self, *, epoch_ended: bool) -> bool:
        """Whether one should be written now, and has the time for it."""
        now = time.perf_counter()
        if not epoch_ended and now - self._written_s < self._every_s:
            return False
        return self._spent_s + self._cost_s <= self._share * (now - self._began_s)

    def write(self, tensors: Mapping[str, Array], facts: Mapping[str, Any], *, epochs: int, steps: int) -> None:
        """Write one, and remove those that it makes superfluous. epochs: finished ones; steps: since then.

        Errors: CheckpointError if it cannot be written; those that stand there are then still whole.
        """
        start = time.perf_counter()
        path = self.folder / (f"epoch-{epochs:03d}" + (f"-step-{steps:05d}" if steps else "") + ".safetensors")
        tensor_file.write(path, tensors, facts)
        self._kept = [*(kept for kept in self._kept if kept != path), path][-self._keep :]
        with contextlib.suppress(OSError):  # what cannot be removed is no reason to stop
            for other in self._files():
                if other not in self._kept:
                    other.unlink()
        self._written_s = time.perf_counter()
        self._cost_s = self._written_s - start
        self._spent_s += self._cost_s

    def newest(self, tell: Callable[[str], object]) -> Saved | None:
        """The newest whole one; None where there is none. tell: hears, in a line each, which were passed over."""
        files = self._files()
        while files:
            path = files.pop()
            try:
                tensors, facts = tensor_file.read(path)
            except CheckpointError as error:
                tell(f"passed over a checkpoint: {error}")
                continue
            self._kept = [*files, path]
            return Saved(path, tensors, facts)
        return None

    def _files(self) -> list[Inside]:
        """All that are there, the oldest first."""
        found = [(match, self.folder / name) for name in self.folder.names() if (match := _NAME.fullmatch(name))]
        places = {path: (int(match[1]), int(match[2] or 0)) for match, path in found}
        return sorted(places, key=places.__getitem__)


def _lock(handle: int, folder: Inside, until_s: float) -> None:
    try:
        while not sharing.lock(handle):
            if time.perf_counter() >= until_s:
                owner = os.read(handle, 20).decode("ascii", "replace").strip() or "unknown"
                raise CheckpointError(
                    f"{folder}: process {owner} is training here; wait until it ends, stop it, or train in another "
                    "folder"
                )
            time.sleep(sharing.PAUSE_S)
    except OSError:  # a file system without locks
        return
    if os.fstat(handle).st_nlink > 1:  # the file has another name elsewhere: it is not ours to write to
        return
    with contextlib.suppress(OSError):  # on a full disk the owner's number is missing, no more
        os.ftruncate(handle, 0)
        os.write(handle, b"%d\n" % os.getpid())
