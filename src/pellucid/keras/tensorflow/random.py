"""Random numbers, by TensorFlow's names."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.keras.random import categorical, normal, shuffle, truncated_normal, uniform
from pellucid.keras.seeds import set_random_seed
from pellucid.keras.tensor import tensor

__all__ = [
    "categorical", "normal", "set_seed", "shuffle", "split", "stateless_normal", "stateless_uniform",
    "truncated_normal", "uniform",
]  # fmt: skip


def set_seed(seed: int) -> None:
    """As `keras.utils.set_random_seed`."""
    set_random_seed(seed)


def stateless_normal(shape: Any, seed: Any, mean: Any = 0.0, stddev: Any = 1.0, **more: Any) -> Any:
    """Normal numbers, of this seed alone."""
    return normal(shape, mean, stddev, seed=seed, **more)


def stateless_uniform(shape: Any, seed: Any, minval: Any = 0.0, maxval: Any = None, **more: Any) -> Any:
    """Numbers from minval to below maxval, of this seed alone."""
    return uniform(shape, minval, maxval, seed=seed, **more)


def split(seed: Any, num: int = 2) -> Any:
    """Seeds made of one, for the `stateless_` functions. Shapes: (2,) -> (num, 2)."""
    start = (np.asarray(seed).astype(np.int64) % 2**32).tolist()
    return tensor(np.random.default_rng(start).integers(2**31, size=(num, 2)))
