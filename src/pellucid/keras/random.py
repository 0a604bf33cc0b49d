"""Random numbers, by Keras 3's names."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.keras.seeds import next_seed
from pellucid.keras.tensor import tensor
from pellucid.ops.geometry import whole

__all__ = [
    "SeedGenerator", "bernoulli", "beta", "binomial", "categorical", "dropout", "gamma", "normal", "randint",
    "shuffle", "truncated_normal", "uniform",
]  # fmt: skip


class SeedGenerator:
    """Seeds one after another, the same for the same first one."""

    def __init__(self, seed: int | None = None, name: str | None = None, **_: Any) -> None:
        self.seed = next_seed() if seed is None else whole(seed, "SeedGenerator: seed", 2**32 - 1, least=0)
        self._drawn = 0

    def next(self, ordered: bool = True) -> Any:
        """The next one. Shapes: (2,), as Keras has them."""
        self._drawn += 1
        return tensor(np.array([self.seed, self._drawn], np.uint32))


def _generator(seed: Any = None) -> np.random.Generator:
    """What is drawn with: from a seed, a SeedGenerator's next one, or one that nobody had."""
    if isinstance(seed, SeedGenerator):
        seed = seed.next()
    return np.random.default_rng(next_seed() if seed is None else np.asarray(seed).ravel().tolist())


def _sizes(shape: Any) -> tuple[int, ...]:
    """A shape, whose sizes may be numbers of any kind."""
    return tuple(int(size) for size in np.atleast_1d(np.asarray(shape)))


def normal(shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = np.float32, seed: Any = None, **_: Any) -> Any:
    """Normal numbers."""
    return tensor(_generator(seed).normal(mean, stddev, _sizes(shape)).astype(dtype or np.float32))


def truncated_normal(
    shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = np.float32, seed: Any = None, **_: Any
) -> Any:
    """Normal numbers within two deviations of the mean."""
    rng, count = _generator(seed), _sizes(shape)
    drawn = rng.normal(size=count)
    while (beyond := np.abs(drawn) > 2).any():
        drawn[beyond] = rng.normal(size=int(beyond.sum()))
    return tensor((mean + stddev * drawn).astype(dtype or np.float32))


def uniform(
    shape: Any, minval: Any = 0.0, maxval: Any = None, dtype: Any = np.float32, seed: Any = None, **_: Any
) -> Any:
    """Numbers from minval to below maxval, whole ones where the type is."""
    rng, most, kind = _generator(seed), 1.0 if maxval is None else maxval, np.dtype(dtype or np.float32)
    if kind.kind in "iu":
        return tensor(rng.integers(int(minval), int(most), _sizes(shape), kind))
    return tensor(rng.uniform(minval, most, _sizes(shape)).astype(kind))


def randint(shape: Any, minval: int, maxval: int, dtype: Any = np.int32, seed: Any = None) -> Any:
    """Whole numbers from minval to below maxval."""
    return uniform(shape, minval, maxval, dtype, seed)


def bernoulli(shape: Any, probability: Any = 0.5, seed: Any = None) -> Any:
    """1 with this probability, else 0."""
    return tensor((_generator(seed).random(_sizes(shape)) < np.asarray(probability)).astype(np.float32))


def beta(shape: Any, alpha: Any, beta: Any, dtype: Any = np.float32, seed: Any = None) -> Any:
    """Shares from 0 to 1, by their two numbers."""
    return tensor(_generator(seed).beta(np.asarray(alpha), np.asarray(beta), _sizes(shape)).astype(dtype or np.float32))


def binomial(shape: Any, counts: Any, probabilities: Any, dtype: Any = np.float32, seed: Any = None) -> Any:
    """How often of so many times a thing of this probability happens."""
    drawn = _generator(seed).binomial(np.asarray(counts, np.int64), np.asarray(probabilities), _sizes(shape))
    return tensor(drawn.astype(dtype or np.float32))


def gamma(shape: Any, alpha: Any, dtype: Any = np.float32, seed: Any = None) -> Any:
    """Numbers of the gamma distribution with this shape, of scale 1."""
    return tensor(_generator(seed).gamma(np.asarray(alpha), 1.0, _sizes(shape)).astype(dtype or np.float32))


def categorical(logits: Any, num_samples: int, dtype: Any = np.int64, seed: Any = None, **_: Any) -> Any:
    """Classes drawn by their scores. Shapes: (N, K) -> (N, num_samples)."""
    scores = np.asarray(logits, np.float64)[:, None, :]
    drawn = _generator(seed).gumbel(size=(len(scores), num_samples, scores.shape[-1]))
    return tensor((scores + drawn).argmax(axis=-1).astype(dtype))


def dropout(inputs: Any, rate: float, noise_shape: Any = None, seed: Any = None) -> Any:
    """Numbers of which a share is 0, the others larger for it."""
    shape = np.shape(inputs) if noise_shape is None else tuple(noise_shape)
    return tensor(inputs) * (bernoulli(shape, 1 - rate, seed) / (1 - rate))


def shuffle(x: Any, axis: int = 0, seed: Any = None, **_: Any) -> Any:
    """The rows in another order."""
    return tensor(_generator(seed).permutation(np.asarray(x), axis))
