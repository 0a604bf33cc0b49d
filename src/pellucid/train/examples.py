"""What a trainer is given: a model, as far as it is asked for one, and examples; and how a plan is fed with them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from pellucid._display import Brief
from pellucid._locks import Turns
from pellucid.datasets.transforms import Preprocessing
from pellucid.ops.geometry import Array
from pellucid.plan import Compiled, Feed

Pictures = Any
"""An array (M, H, W, C), or an object with shape, dtype, len() and indexing that reads pictures from files."""


class Trainable(Compiled, Protocol):
    """What the trainer needs of a model."""

    name: str
    optimizer_step: int
    num_epochs: int
    preprocessing: Preprocessing
    turns: Turns
    exact_convolution: bool

    @property
    def metric_names(self) -> tuple[str, ...]: ...

    def facts(self) -> dict[str, Any]:
        """All of it but its tensors, as plain data."""

    def touch(self) -> None:
        """Say that the parameters have changed."""

    def get_weights(self) -> list[Array]:
        """Copies of all weights."""

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Write all weights."""


@dataclass(repr=False)
class Examples(Brief):
    """Pictures with what they should give.

    Shapes: images (M, H, W, C) uint8 or float32; targets (M,) int32 or (M, K) float32; weights (M,) float32 or None.
    """

    images: Pictures
    targets: Array
    weights: Array | None = None

    def __len__(self) -> int:
        return len(self.targets)


NUM_FINGERPRINTED = 16
"""Pictures that are looked at, spread over all, to know a data set again."""


def fingerprint(examples: Examples | None) -> str:
    """A short text by which pictures, targets and weights are known again, from some of the pictures and all others."""
    if examples is None:
        return "none"
    images, count = examples.images, len(examples)
    rows = np.unique(np.linspace(0, count - 1, NUM_FINGERPRINTED).astype(np.int64))
    digest = hashlib.sha256(repr((tuple(images.shape), np.dtype(images.dtype).str)).encode())
    for array in (images[rows], examples.targets, examples.weights):
        if array is not None:
            digest.update(np.ascontiguousarray(array).data)
    return f"{count} pictures {digest.hexdigest()[:16]}"


def make_feed(model: Trainable, examples: Examples, batch_size: int, *, staged: bool) -> Feed:
    """A feed that scales as the model's preprocessing says; floats are taken as they are, uint8 is scaled."""
    images = examples.images
    channels = images.shape[-1]
    if np.dtype(images.dtype) == np.uint8:
        dtype: type = np.uint8
        scale, offset = model.preprocessing.scale_offset(channels)
    else:
        dtype = np.float32
        scale, offset = np.ones(channels, np.float32), np.zeros(channels, np.float32)
    return Feed(
        None if staged else images,
        examples.targets,
        examples.weights,
        capacity=min(batch_size, max(len(examples), 1)),
        picture=tuple(images.shape[1:]),
        scale=scale,
        offset=offset,
        staged_dtype=dtype,
    )
