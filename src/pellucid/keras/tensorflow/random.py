"""Random numbers, by TensorFlow's names."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.keras import random
from pellucid.keras.random import categorical, normal, truncated_normal, uniform
from pellucid.keras.seeds import next_seed, set_random_seed
from pellucid.keras.tensor import tensor

__all__ = [
    "Generator", "categorical", "gamma", "normal", "set_seed", "shuffle", "split", "stateless_normal",
    "stateless_uniform", "truncated_normal", "uniform",
]  # fmt: skip


def set_seed(seed: int) -> None:
    """As `keras.utils.set_random_seed`."""
    set_random_seed(seed)


def shuffle(value: Any, seed: Any = None, name: Any = None) -> Any:
    """Rows in another order."""
    return random.shuffle(value, seed=seed)


def gamma(shape: Any, alpha: Any, beta: Any = 1.0, dtype: Any = np.float32, seed: Any = None, name: Any = None) -> Any:
    """Numbers of a gamma distribution, so many for each alpha."""
    rng = np.random.default_rng(next_seed() if seed is None else seed)
    shapes, rates = np.broadcast_arrays(np.asarray(alpha, float), np.asarray(beta, float))
    size = (*np.atleast_1d(np.asarray(shape, int)).tolist(), *shapes.shape)
    return tensor((rng.standard_gamma(shapes, size) / rates).astype(dtype))


class Generator:
    """Numbers one after another, of a seed or of `set_seed`'s."""

    def __init__(self, seed: Any = None) -> None:
        self._rng = np.random.default_rng(next_seed() if seed is None else np.atleast_1d(np.asarray(seed)).tolist())

    @classmethod
    def from_seed(cls, seed: Any, alg: Any = None) -> Generator:
        """One of this seed; the algorithm is NumPy's."""
        return cls(seed)

    @classmethod
    def from_non_deterministic_state(cls, alg: Any = None) -> Generator:
        """One of `set_seed`'s seed."""
        return cls()

    def make_seeds(self, count: int = 1) -> Any:
        """Seeds for the `stateless_` functions. Shapes: (2, count)."""
        return tensor(self._rng.integers(2**31, size=(2, count)))

    def normal(self, shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = np.float32) -> Any:
        """Normal numbers."""
        return tensor(self._rng.normal(mean, stddev, shape).astype(dtype))

    def uniform(self, shape: Any, minval: Any = 0, maxval: Any = None, dtype: Any = np.float32) -> Any:
        """Numbers from minval to below maxval, whole ones where the type is."""
        return uniform(shape, minval, maxval, dtype, int(self._rng.integers(2**31)))


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
