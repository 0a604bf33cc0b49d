"""Keras 3's transforms and other functions of its `ops.math`. A complex number is a pair (real, imaginary).

Transforms are products with matrices, which a tape follows: for axes of hundreds, not of thousands.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pellucid import _modules
from pellucid.autodiff.rules import inverse_erf, scattered
from pellucid.autodiff.tensor import apply
from pellucid.errors import ConfigError, expect_known
from pellucid.keras.numpy_ops import hamming, hanning
from pellucid.keras.operation import of_values
from pellucid.keras.tensor import tensor
from pellucid.ops import normal_below


def _transformed(x: Any, *axes: int, sign: int = -1) -> Any:
    real, imaginary = map(tensor, x)
    for axis in axes:
        size = real.shape[axis]
        turn = sign * 2 * np.pi * (np.outer(np.arange(size), np.arange(size)) % size) / size
        parts = [np.swapaxes(each, axis, -1) for each in (real, imaginary)]
        even, odd = np.cos(turn).astype(np.float32), np.sin(turn).astype(np.float32)
        real, imaginary = (
            np.swapaxes(each, axis, -1) / (1 if sign < 0 else size)
            for each in (
                np.matmul(parts[0], even) - np.matmul(parts[1], odd),
                np.matmul(parts[0], odd) + np.matmul(parts[1], even),
            )
        )
    return real, imaginary


def fft(x: Any) -> Any:
    """Along the last axis."""
    return _transformed(x, -1)


def fft2(x: Any) -> Any:
    """Along the last two axes."""
    return _transformed(x, -1, -2)


def ifft2(x: Any) -> Any:
    """The way back."""
    return _transformed(x, -1, -2, sign=1)


def _of_length(x: Any, length: int) -> Any:
    """Cut, or with zeros behind."""
    lacks = max(length - x.shape[-1], 0)
    return np.pad(x, [(0, 0)] * (len(x.shape) - 1) + [(0, lacks)])[..., :length]


def rfft(x: Any, fft_length: int | None = None) -> Any:
    """Of real numbers along the last axis: the first half, of which the second is the mirror image."""
    given = tensor(x)
    given = given if fft_length is None else _of_length(given, fft_length)
    half = given.shape[-1] // 2 + 1
    real, imaginary = fft((given, np.zeros(given.shape, given.dtype)))
    return real[..., :half], imaginary[..., :half]


def irfft(x: Any, fft_length: int | None = None) -> Any:
    """The way back."""
    real, imaginary = map(tensor, x)
    size = 2 * (real.shape[-1] - 1) if fft_length is None else int(fft_length)
    real, imaginary = (_of_length(each, size // 2 + 1) for each in (real, imaginary))
    mirrored = np.arange((size - 1) // 2, 0, -1)
    # what a real number's transform has not, at both ends, counts for nothing
    ends = (np.arange(size // 2 + 1) % (size / 2) != 0).astype(real.dtype)
    imaginary = imaginary * ends
    whole = np.concatenate([real, real[..., mirrored]], -1), np.concatenate([imaginary, -imaginary[..., mirrored]], -1)
    return _transformed(whole, -1, sign=1)[0]


@of_values
def extract_sequences(x: Any, sequence_length: int, sequence_stride: int) -> Any:
    """Pieces of this length, so far apart. Shapes: (..., T) -> (..., pieces, sequence_length)."""
    given = tensor(x)
    starts = np.arange(0, given.shape[-1] - sequence_length + 1, sequence_stride)
    return given[..., starts[:, None] + np.arange(sequence_length)]


def _window(window: Any, length: int, size: int, dtype: Any) -> Any:
    """A bell of this length in the middle of zeros."""
    if window is None:
        bell = np.ones(length)
    elif isinstance(window, str):
        expect_known("stft: window", window, ("hann", "hamming"))
        bell = np.asarray((hanning if window == "hann" else hamming)(length + 1))[:-1]
    else:
        bell = np.asarray(window)
    before = (size - length) // 2
    return np.pad(bell, (before, size - length - before)).astype(dtype)


def stft(x: Any, sequence_length: int, sequence_stride: int, fft_length: int, window: Any = "hann",
         center: bool = True) -> Any:  # fmt: skip
    """The transforms of pieces under a bell. Shapes: (..., T) -> two (..., pieces, fft_length // 2 + 1).

    Errors: ConfigError for pieces that are longer than their transform.
    """
    if fft_length < sequence_length:
        raise ConfigError(f"stft: fft_length must be {sequence_length} or more, got {fft_length}")
    given = tensor(x)
    if center:
        given = np.pad(given, [(0, 0)] * (given.ndim - 1) + [(fft_length // 2,) * 2], mode="reflect")
    pieces = extract_sequences(given, fft_length, sequence_stride)
    return rfft(pieces * _window(window, sequence_length, fft_length, given.dtype))


def istft(x: Any, sequence_length: int, sequence_stride: int, fft_length: int, length: int | None = None,
          window: Any = "hann", center: bool = True) -> Any:  # fmt: skip
    """The way back: pieces under the bell again, laid over each other."""
    pieces = irfft(x, fft_length)
    bell = _window(window, sequence_length, fft_length, pieces.dtype)
    count, total = pieces.shape[-2], sequence_stride * (pieces.shape[-2] - 1) + fft_length
    places = np.arange(count)[:, None] * sequence_stride + np.arange(fft_length) + 1
    rows = math.prod(pieces.shape[:-2])
    every = places + total * np.arange(rows)[:, None, None]
    pieces = pieces if window is None else pieces * bell
    sums = tensor(pieces.reshape(-1)).through(scattered, every.ravel(), total * rows).astype(pieces.dtype)
    sums = sums.reshape(*pieces.shape[:-2], total)
    if window is not None:
        weight = np.bincount(places.ravel() - 1, np.broadcast_to(bell * bell, places.shape).ravel(), total)
        sums = sums / np.where(weight > 1e-11, weight, 1).astype(pieces.dtype)
    start = fft_length // 2 if center else 0
    end = start + length if length is not None else total - start
    return sums[..., start:end]


# The normal distribution's integral


def erf(x: Any) -> Any:
    """2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x."""
    return 2 * normal_below(tensor(x) * np.float32(math.sqrt(2))) - 1


def erfc(x: Any) -> Any:
    """1 - erf(x)."""
    return 2 * normal_below(tensor(x) * np.float32(-math.sqrt(2)))


@of_values
def erfinv(x: Any) -> Any:
    """The number whose erf is x."""
    return apply(inverse_erf, (tensor(x),), {})


# What else


@of_values
def cdist(x: Any, y: Any) -> Any:
    """How far each row of the one is from each of the other. Shapes: (..., M, D), (..., N, D) -> (..., M, N)."""
    return np.linalg.norm(tensor(x)[..., :, None, :] - tensor(y)[..., None, :, :], axis=-1)


def view_as_complex(x: Any) -> Any:
    """Pairs along the last axis as complex numbers, through which no gradient goes."""
    given = tensor(x)
    return given[..., 0] + 1j * given[..., 1]


def view_as_real(x: Any) -> Any:
    """Complex numbers as pairs along a last axis."""
    return np.stack([np.real(tensor(x)), np.imag(tensor(x))], -1)


def polar(abs_: Any, angle: Any) -> Any:
    """Complex numbers of this size and angle, through which no gradient goes."""
    return (tensor(abs_) * np.exp(1j * tensor(angle))).astype(np.complex64)


__all__ = _modules.written(globals())
