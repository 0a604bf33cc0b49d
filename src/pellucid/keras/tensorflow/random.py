"""Random numbers, by TensorFlow's names."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.keras.seeds import next_seed, set_random_seed
from pellucid.keras.tensor import tensor

__all__ = ["normal", "set_seed", "shuffle", "split", "uniform"]


def set_seed(seed: int) -> None:
    """As `keras.utils.set_random_seed`."""
    set_random_seed(seed)


def normal(
    shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = np.float32, seed: Any = None, **_: Any
) -> Any:
    """Normal numbers."""
    return tensor(
        np.random.default_rng(next_seed() if seed is None else seed).normal(mean, stddev, shape).astype(dtype)
    )


def uniform(
    shape: Any, minval: float = 0, maxval: float | None = None, dtype: Any = np.float32, seed: Any = None, **_: Any
) -> Any:
    """Numbers from minval to below maxval, whole ones where the type is."""
    rng, most = np.random.default_rng(next_seed() if seed is None else seed), 1.0 if maxval is None else maxval
    if np.issubdtype(np.dtype(dtype), np.integer):
        return tensor(rng.integers(int(minval), int(most), shape, dtype))
    return tensor(rng.uniform(minval, most, shape).astype(dtype))


def shuffle(x: Any, seed: Any = None, **_: Any) -> Any:
    """The rows in another order."""
    return tensor(np.random.default_rng(next_seed() if seed is None else seed).permutation(np.asarray(x)))


def split(seed: Any, num: int = 2) -> Any:
    """Seeds made of one, for the `stateless_` functions. Shapes: (2,) -> (num, 2)."""
    start = (np.asarray(seed).astype(np.int64) % 2**32).tolist()
    return tensor(np.random.default_rng(start).integers(2**31, size=(num, 2)))
