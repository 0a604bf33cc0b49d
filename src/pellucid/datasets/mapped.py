"""Arrays in raw files of the cache, made once and mapped by all processes of a machine.

What a process reads of one is in memory once for all of them, and the system may take it back; what it doesn't read
isn't in memory. The files are as in `cache`: KEY.u8 with the numbers and KEY.json, which says what they are.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid.datasets.cache import make_room, remove
from pellucid.datasets.download import cache_folder
from pellucid.files.sharing import rename


class Mapped(np.ndarray[Any, Any]):
    """An array in a raw file, read only. key: what the file is called; "" where it is calculated from such an array."""

    key: str

    def __array_finalize__(self, _: object) -> None:
        self.key = ""

    def derived(self, what: str, make: Callable[[], NDArray[Any]]) -> NDArray[Any]:
        """What is made of it, in a file of its own, by a text that says how."""
        return mapped(_named(self.key, what), make) if self.key else make()

    def select(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """The pictures of these rows, in this order: the first ones by a view, others in a file of their own."""
        if np.array_equal(rows, np.arange(len(rows))):
            first = self[: len(rows)].view(Mapped)
            first.key = self.key and _named(self.key, str(len(rows)))
            return first
        return self.derived(hashlib.sha256(rows.tobytes()).hexdigest(), lambda: np.asarray(self)[rows])


def mapped(key: str, make: Callable[[], NDArray[Any]]) -> NDArray[Any]:
    """The array of this key, which `make` gives where no process has written it yet.

    Where there is no room for a file it is in memory, as `make` gave it.
    """
    folder = cache_folder() / "pictures"
    found = _find(folder, key)
    if found is not None:
        return found
    array = np.ascontiguousarray(make())
    if not make_room(folder, array.nbytes):
        return array
    own = f"{key}.{os.getpid()}.{threading.get_ident()}"
    raw, index = folder / f"{own}.part", folder / f"{own}.json.part"
    try:
        raw.write_bytes(array.data)
        index.write_text(json.dumps({"shape": array.shape, "dtype": array.dtype.str}), encoding="utf-8")
        rename(raw, folder / f"{key}.u8")
        rename(index, folder / f"{key}.json")
    except OSError:
        return array
    finally:
        remove(raw)
        remove(index)
    found = _find(folder, key)
    return array if found is None else found


def _find(folder: Path, key: str) -> Mapped | None:
    """The array in a file, if it is there and whole. Finding it counts as use."""
    raw, index = folder / f"{key}.u8", folder / f"{key}.json"
    try:
        told = json.loads(index.read_text(encoding="utf-8"))
        shape, dtype = tuple(map(int, told["shape"])), np.dtype(told["dtype"])
        if dtype.kind not in "iu" or raw.stat().st_size != math.prod(shape) * dtype.itemsize:
            return None
        array = np.memmap(raw, dtype, "r", shape=shape).view(Mapped)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    array.key = key
    with contextlib.suppress(OSError):
        os.utime(index)
    return array


def _named(key: str, what: str) -> str:
    return hashlib.sha256(f"{key} {what}".encode()).hexdigest()[:32]
