"""What a trainer is given: pictures with what they should give; and by what they are known again."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid._display import Brief
from pellucid.errors import DataError
from pellucid.ops.geometry import Array

NUM_FINGERPRINTED = 16
"""Pictures that are looked at, spread over all, to know a data set again."""

Pictures = Any
"""An array (M, H, W, C), or an object with shape, dtype, len() and indexing that reads pictures from files."""


@dataclass(repr=False)
class Examples(Brief):
    """Pictures with what they should give.

    Shapes: images (M, H, W, C) uint8 or float32; targets (M,) int32, (M, H, W) uint8 or (M, K) float32; weights (M,)
        float32 or None; class_weights (K,) float32 or None, what pixels of each class count.
    Errors: DataError if pictures and targets differ in number.
    """

    images: Pictures
    targets: Array
    weights: Array | None = None
    class_weights: Array | None = None

    def __post_init__(self) -> None:
        if len(self.images) != len(self.targets):
            raise DataError(
                f"{len(self.images)} pictures but {len(self.targets)} labels; give one label to each picture"
            )

    def __len__(self) -> int:
        return len(self.targets)

    def fingerprint(self) -> str:
        """A short text by which these are known again, from some of the pictures and all else."""
        images, count = self.images, len(self)
        rows = np.unique(np.linspace(0, count - 1, NUM_FINGERPRINTED).astype(np.int64))
        digest = hashlib.sha256(repr((tuple(images.shape), np.dtype(images.dtype).str)).encode())
        for array in (images[rows], self.targets, self.weights, self.class_weights):
            if array is not None:
                digest.update(np.ascontiguousarray(array).data)
        return f"{count} pictures {digest.hexdigest()[:16]}"


def fingerprint(examples: Examples | None) -> str:
    """A short text by which pictures, targets and weights are known again."""
    return "none" if examples is None else examples.fingerprint()
