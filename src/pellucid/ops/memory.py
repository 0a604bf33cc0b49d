"""Where big arrays come from: memory aligned to a cache line, so that no vector load crosses two."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import DTypeLike

from pellucid.ops.geometry import Array, Shape, expect_total

CACHE_LINE = 64
"""Bytes in a cache line of every processor Pellucid has kernels for; also the widest vector."""


def aligned_empty(shape: Shape | int, dtype: DTypeLike = np.float32) -> Array:
    """An uninitialised C-contiguous array whose first byte lies on a cache line."""
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
    raw = make(count * kind.itemsize + CACHE_LINE, np.uint8)
    start = -raw.ctypes.data % CACHE_LINE
    return np.asarray(raw[start : start + count * kind.itemsize].view(kind).reshape(shape))
