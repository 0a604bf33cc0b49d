"""Pictures that are in two sets, to the last bit: found by a hash of each, in one pass over either set."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.ops.geometry import Array

CHUNK_BYTES = 4 * 2**20
"""Of pictures that are read from files, so much at a time."""


def shared_rows(left: Any, right: Any) -> list[tuple[int, int]]:
    """For each picture of `right` that is in `left` too, (its row there, its row in `right`), by `right`.

    Shapes: left (M, H, W, C), right (N, H, W, C), of one dtype; None are shared by sets of another shape or dtype.
    """
    if left.shape[1:] != right.shape[1:] or left.dtype != right.dtype:
        return []
    known, asked = _hashes(left), _hashes(right)
    order = np.argsort(known, kind="stable")
    first = order[np.minimum(np.searchsorted(known, asked, sorter=order), len(order) - 1)]
    found = [(int(first[row]), int(row)) for row in np.flatnonzero(known[first] == asked)]
    # Two different pictures may have one hash; nobody is accused unseen.
    return [(i, j) for i, j in found if np.array_equal(left[i], right[j])]


def _hashes(images: Any) -> Array:
    """A sum of the picture's words, each times an odd number of its own, modulo 2^64. Shapes: (N,) uint64."""
    size = int(np.prod(images.shape[1:])) * images.dtype.itemsize
    word = next(width for width in (8, 4, 2, 1) if size % width == 0)
    factors = np.random.default_rng(0).integers(0, 2**63, size // word, np.uint64) * np.uint64(2) + np.uint64(1)
    out = np.empty(len(images), np.uint64)
    rows = max(CHUNK_BYTES // max(size, 1), 1)
    for start in range(0, len(images), rows):
        part = np.ascontiguousarray(images[start : start + rows])
        np.matmul(part.reshape(len(part), -1).view(f"u{word}"), factors, out=out[start : start + len(part)])
    return out
