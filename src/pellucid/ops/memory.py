"""Where big arrays come from: memory aligned to a cache line, so that no vector load crosses two."""

from __future__ import annotations

import ctypes
import gc
import math
import os
from collections.abc import Callable

import numpy as np
from numpy.typing import DTypeLike

from pellucid.ops.geometry import Array, Shape, expect_total

CACHE_LINE = 64
"""Bytes in a cache line of every processor Pellucid has kernels for; also the widest vector."""

_FREELY = 1 << 28
"""Bytes of an array for which the machine is not asked how much is free."""
_UNCOLLECTED = 1 << 30
"""Bytes of arrays after which Python looks for what nobody has any more: it counts objects, of which a model that holds
hundreds of megabytes is but a few."""
_handed_out = 0


def machine_bytes() -> int | None:
    """The machine's memory, where the system tells it."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def free_bytes() -> int | None:
    """What of it programs can still have without swapping, where the system tells it."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError):
        return machine_bytes()


def expect_memory(size: int, what: str) -> None:
    """Errors: MemoryError for more bytes than are free: the system would hand them out and then kill the process."""
    free = free_bytes() if size > _FREELY else None
    if free is not None and size > free:
        _collect()
        free = free_bytes() or free
    if free is not None and size > free:
        raise MemoryError(
            f"{what} takes {size / 1e9:,.1f} GB, {free / 1e9:,.1f} GB are free; take smaller pictures or batches"
        )


def _collect(size: int = _UNCOLLECTED) -> None:
    """Free what nobody has any more, where so many bytes make it worth a look."""
    global _handed_out
    _handed_out += size
    if _handed_out >= _UNCOLLECTED:
        _handed_out = 0
        gc.collect()


def give_back() -> None:
    """Hand what was freed back to the system, where its allocator (glibc's) keeps it for later."""
    trim = getattr(ctypes.pythonapi, "malloc_trim", None)  # of the C library that Python stands on
    if trim is not None:
        trim(0)


def aligned_empty(shape: Shape | int, dtype: DTypeLike = np.float32) -> Array:
    """An uninitialised C-contiguous array whose first byte lies on a cache line.

    Errors: MemoryError for more than is free.
    """
    return _aligned(np.empty, shape, dtype)


def aligned_zeros(shape: Shape | int, dtype: DTypeLike = np.float32) -> Array:
    """Like `aligned_empty`, filled with zeros."""
    array = aligned_empty(shape, dtype)
    array[...] = 0
    return array


def untouched_zeros(shape: Shape | int, dtype: DTypeLike = np.float32) -> Array:
    """Like `aligned_zeros`, but a large one takes no memory before it is written: the system hands out zeros."""
    return _aligned(np.zeros, shape, dtype)


def _aligned(make: Callable[..., Array], shape: Shape | int, dtype: DTypeLike) -> Array:
    kind = np.dtype(dtype)
    sizes = (shape,) if isinstance(shape, int) else shape
    expect_total(sizes, "an array")
    count = math.prod(sizes)
    _collect(count * kind.itemsize)
    expect_memory(count * kind.itemsize, f"an array of {'x'.join(map(str, sizes))} {kind}")
    raw = make(count * kind.itemsize + CACHE_LINE, np.uint8)
    start = -raw.ctypes.data % CACHE_LINE
    return np.asarray(raw[start : start + count * kind.itemsize].view(kind).reshape(shape))
