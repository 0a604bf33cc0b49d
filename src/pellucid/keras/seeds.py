"""The seed of each new model: another for each, so that two of one kind begin differently, as in Keras."""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np

from pellucid.ops.geometry import whole

__all__ = ["next_seed", "set_random_seed"]

_LARGEST = 2**32 - 1


class _Seeds:
    """What numbers are given next."""

    def __init__(self) -> None:
        self.numbers: Iterator[int] = iter(range(_LARGEST))


_seeds = _Seeds()


def set_random_seed(seed: int) -> None:
    """Models made from now on draw from this seed, and so do Python's and NumPy's own generators.

    Errors: ConfigError for anything but a whole number from 0 to 2**32 - 1.
    """
    first = whole(seed, "set_random_seed: seed", _LARGEST, least=0)
    random.seed(first)
    np.random.seed(first)
    _seeds.numbers = iter(range(first, _LARGEST + 1))


def next_seed() -> int:
    """A seed that no model has had since the last `set_random_seed`; 0 when all are used up."""
    return next(_seeds.numbers, 0)
