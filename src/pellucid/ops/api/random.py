"""Dropout, noise, and random numbers by their place."""

from __future__ import annotations

from numbers import Integral

import numpy as np

from pellucid.errors import ConfigError, ShapeError, shown
from pellucid.ops.dispatch import array, result, run
from pellucid.ops.geometry import Array, number
from pellucid.ops.reference.random import threefry

_WORD = 0xFFFFFFFF


def dropout(x: Array, rate: float, key: tuple[int, int, int], *, out: Array | None = None) -> Array:
    """y[i] = x[i] / (1 - rate) if the random word of element i is at least floor(rate * 2^32), else 0.

    The words are Threefry-2x32-20 under key (seed, layer) at counter (i // 2, step), so a pass can be replayed from its
    key alone; applied to dy with the same key, dropout is its own backward.

    Shapes: any; `out` may be x.
    Units: rate is the fraction dropped, from 0 to below 1; key = (seed, step, layer), of which 32 bits count.
    Errors: ConfigError for a rate outside [0, 1) or a key that is not three ints.
    Source: Srivastava et al. 2014 (scaled at training, not at test); Salmon et al. 2011 (Threefry).
    """
    return _drawn("dropout", x, _rate("dropout", rate), key, out)


def spatial_dropout(x: Array, rate: float, key: tuple[int, int, int], *, out: Array | None = None) -> Array:
    """`dropout` of whole maps: y[n,...,c] = 0 for the (n, c) that are drawn, else x / (1 - rate).

    Shapes: x (N,...,C); `out` may be x.
    Units, Errors: as dropout; ShapeError for fewer than two axes.
    Source: Tompson et al. 2015, section 3.2.
    """
    if np.ndim(x) < 2:
        raise ShapeError(f"spatial_dropout: x must have the axes (N, ..., C), got shape {np.shape(x)}; reshape it")
    return _drawn("spatial_dropout", x, _rate("spatial_dropout", rate), key, out)


def gaussian_noise(x: Array, stddev: float, key: tuple[int, int, int], *, out: Array | None = None) -> Array:
    """y = x + stddev * z, z independent normal numbers, a function of key and place as in `dropout`.

    Shapes: any; `out` may be x.
    Errors: ConfigError for a negative stddev, or a key that is not three ints.
    Source: Box & Muller 1958, from the two words of each pair of elements.
    """
    return _drawn("gaussian_noise", x, number(stddev, "gaussian_noise: stddev", 0.0), key, out)


def _rate(op: str, rate: float) -> float:
    if not 0 <= rate < 1:
        raise ConfigError(f"{op}: rate must be from 0 to below 1, got {rate}")
    return rate


def _drawn(op: str, x: Array, amount: float, key: tuple[int, int, int], out: Array | None) -> Array:
    if not isinstance(key, tuple) or len(key) != 3 or not all(isinstance(word, Integral) for word in key):
        raise ConfigError(f"{op}: key must be (seed, step, layer), got {shown(key)}")
    seed, step, layer = (int(word) & _WORD for word in key)
    x = array(op, "x", x)
    y = result(op, x.shape, (x,), out, in_place=0)
    run(op, x, y, amount, np.array([seed, step], np.uint32), layer)
    return y


def uniform(key: tuple[int, int], first: Array, second: Array) -> Array:
    """Two random numbers above 0 and below 1 for each pair of counters: words of Threefry-2x32-20, + 1/2, by 2^32.

    Shapes: first, second: whole numbers, of which 32 bits count, that broadcast to (...) -> (2, ...) float64.
    Source: Salmon et al. 2011 (Threefry).
    """
    counters = np.broadcast_arrays(np.asarray(first).astype(np.uint32), np.asarray(second).astype(np.uint32))
    return (np.stack(threefry(key, *counters)) + 0.5) / 2**32
