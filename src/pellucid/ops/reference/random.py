"""Dropout and noise from a counter-based generator: a draw depends on seed, step, layer and position, and no more."""

from __future__ import annotations

import numpy as np

from pellucid.ops.geometry import Array
from pellucid.ops.table import LONG, call, op

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = 0x1BD11BDA
_WORD = 0xFFFFFFFF


def threefry(key: tuple[int, int], counter0: Array, counter1: Array) -> tuple[Array, Array]:
    """Threefry-2x32 with 20 rounds: two counter words and a key become two random 32-bit words.

    >>> zero = np.zeros(1, np.uint32)
    >>> [hex(int(word[0])) for word in threefry((0, 0), zero, zero)]
    ['0x6b200159', '0x99ba4efe']

    Source: Salmon, Moraes, Dror & Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3".
    """
    words = (key[0] & _WORD, key[1] & _WORD, _PARITY ^ (key[0] & _WORD) ^ (key[1] & _WORD))
    a = counter0.astype(np.uint32) + np.uint32(words[0])
    b = counter1.astype(np.uint32) + np.uint32(words[1])
    for group in range(5):
        for rotation in _ROTATIONS[group % 2]:
            a = a + b
            b = ((b << np.uint32(rotation)) | (b >> np.uint32(32 - rotation))) ^ a
        a = a + np.uint32(words[(group + 1) % 3])
        b = b + np.uint32((words[(group + 2) % 3] + group + 1) & _WORD)
    return a, b


def _words(count: int, seed: int, step: int, layer: int) -> tuple[Array, Array]:
    """The two random words of each pair of `count` elements."""
    pairs = np.arange((count + 1) // 2, dtype=np.uint32)
    return threefry((seed, layer), pairs, np.full_like(pairs, step & _WORD))


def keep_mask(count: int, rate: float, *, seed: int, step: int, layer: int) -> Array:
    """For elements 0 .. count-1 in flat order, whether each is kept: its random word is at least floor(rate * 2^32)."""
    words = _words(count, seed, step, layer)
    return np.asarray(np.stack(words, axis=-1).reshape(-1)[:count] >= np.uint32(int(rate * 2**32)))


@op(typical=[call("0.25, 64 x 56x56x64", x=LONG, rate=0.25, layer=3)])
def dropout(x: Array, y: Array, rate: float, counter: Array, layer: int) -> None:
    """y = x / (1 - rate) where kept, else 0; counter = (seed, step). y may be x; on dy it is its own backward."""
    keep = keep_mask(x.size, rate, seed=int(counter[0]), step=int(counter[1]), layer=layer).reshape(x.shape)
    y[...] = np.where(keep, x * x.dtype.type(np.float32(1 / (1 - rate))), 0)


@op(typical=[call("0.25, 64 x 56x56x64", x=LONG, rate=0.25, layer=3)])
def spatial_dropout(x: Array, y: Array, rate: float, counter: Array, layer: int) -> None:
    """The same for whole maps: the draw is for (picture, channel). y may be x."""
    maps = (len(x), *(1,) * (x.ndim - 2), x.shape[-1])
    keep = keep_mask(len(x) * x.shape[-1], rate, seed=int(counter[0]), step=int(counter[1]), layer=layer).reshape(maps)
    y[...] = np.where(keep, x * x.dtype.type(np.float32(1 / (1 - rate))), 0)


@op(typical=[call("0.1, 64 x 56x56x64", x=LONG, stddev=0.1, layer=3)])
def gaussian_noise(x: Array, y: Array, stddev: float, counter: Array, layer: int) -> None:
    """y = x + stddev * z, z normal: sqrt(-2 ln u) cos(2 pi v) and sin of the two words of each pair. y may be x.

    u = (first word // 2^8 + 1) / 2^24, v = second word // 2^8 / 2^24.
    """
    first, second = _words(x.size, int(counter[0]), int(counter[1]), layer)
    radius = np.sqrt(-2 * np.log(((first >> np.uint32(8)) + 1.0) / 2**24))
    angle = 2 * np.pi * (second >> np.uint32(8)) / 2**24
    pairs = np.stack((radius * np.cos(angle), radius * np.sin(angle)), axis=-1).reshape(-1)[: x.size]
    y[...] = x + (stddev * pairs).reshape(x.shape).astype(x.dtype)
