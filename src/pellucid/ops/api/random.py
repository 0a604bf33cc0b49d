"""Dropout."""

from __future__ import annotations

from numbers import Integral

import numpy as np

from pellucid.errors import ConfigError, shown
from pellucid.ops.dispatch import array, result, run
from pellucid.ops.geometry import Array

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
    if not 0 <= rate < 1:
        raise ConfigError(f"dropout: rate must be from 0 to below 1, got {rate}")
    if not isinstance(key, tuple) or len(key) != 3 or not all(isinstance(word, Integral) for word in key):
        raise ConfigError(f"dropout: key must be (seed, step, layer), got {shown(key)}")
    seed, step, layer = (int(word) & _WORD for word in key)
    x = array("dropout", "x", x)
    y = result("dropout", x.shape, (x,), out, in_place=0)
    run("dropout", x, y, rate, np.array([seed, step], np.uint32), layer)
    return y
