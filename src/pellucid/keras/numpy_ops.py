"""Keras 3's operations that are functions of NumPy's, and those written in such; `ops.py` lists all."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pellucid import _modules
from pellucid.errors import expect_known
from pellucid.keras import tensorflow as tf
from pellucid.keras.operation import of_values
from pellucid.keras.tensor import tensor


def _as_numpys(function: Any, called: Callable[..., Any]) -> Callable[..., Any]:
    called.__name__ = called.__qualname__ = function.__name__
    called.__doc__ = f"As `numpy.{function.__name__}`."
    return called


def _of(function: Any) -> Callable[..., Any]:
    """NumPy's function of one array, with its arguments."""

    def called(x: Any, *args: Any, **options: Any) -> Any:
        found = function(tensor(x), *args, **options)
        return found if isinstance(found, list | tuple) else tensor(found)

    return _as_numpys(function, called)


def _of_two(function: Any) -> Callable[..., Any]:
    def called(x1: Any, x2: Any, *args: Any, **options: Any) -> Any:
        return tensor(function(tensor(x1), tensor(x2), *args, **options))

    return _as_numpys(function, called)


def _of_numbers(function: Any) -> Callable[..., Any]:
    """One that makes an array of numbers."""

    def called(*args: Any, dtype: Any = None, **options: Any) -> Any:
        return tensor(function(*(each if each is None else np.asarray(each)[()] for each in args), **options)).astype(
            dtype or np.float32
        )

    return _as_numpys(function, called)


argmax, argmin, count_nonzero, diagonal, flip = map(_of, (np.argmax, np.argmin, np.count_nonzero, np.diagonal, np.flip))
moveaxis, ravel, swapaxes, take, tril, triu = map(_of, (np.moveaxis, np.ravel, np.swapaxes, np.take, np.tril, np.triu))
cumsum, cumprod, nan_to_num, average = map(_of, (np.cumsum, np.cumprod, np.nan_to_num, np.average))
diag, diagflat, diff, rot90, copy = map(_of, (np.diag, np.diagflat, np.diff, np.rot90, np.copy))
log2, log10, arcsinh, arccosh, arctanh = map(_of, (np.log2, np.log10, np.arcsinh, np.arccosh, np.arctanh))
bincount, digitize, searchsorted, trunc = map(_of, (np.bincount, np.digitize, np.searchsorted, np.trunc))
angle, cbrt, exp2, fabs, sinc = map(_of, (np.angle, np.cbrt, np.exp2, np.fabs, np.sinc))
deg2rad, rad2deg, conj, imag, real = map(_of, (np.deg2rad, np.rad2deg, np.conjugate, np.imag, np.real))
isneginf, isposinf, isreal, signbit = map(_of, (np.isneginf, np.isposinf, np.isreal, np.signbit))
fliplr, flipud, trapezoid, empty_like = map(_of, (np.fliplr, np.flipud, np.trapezoid, np.empty_like))
nanargmax, nanargmin, argpartition = map(_of, (np.nanargmax, np.nanargmin, np.argpartition))
array_split, hsplit, vsplit, dsplit = map(_of, (np.array_split, np.hsplit, np.vsplit, np.dsplit))
bitwise_invert, histogram, unravel_index = map(_of, (np.invert, np.histogram, np.unravel_index))
dot, logaddexp, outer, isclose = map(_of_two, (np.dot, np.logaddexp, np.outer, np.isclose))
inner, vdot, logical_xor, logaddexp2 = map(_of_two, (np.inner, np.vdot, np.logical_xor, np.logaddexp2))
bitwise_and, bitwise_or, bitwise_xor = map(_of_two, (np.bitwise_and, np.bitwise_or, np.bitwise_xor))
left_shift, right_shift, gcd, lcm = map(_of_two, (np.left_shift, np.right_shift, np.gcd, np.lcm))
fmax, fmin, fmod, heaviside, hypot = map(_of_two, (np.fmax, np.fmin, np.fmod, np.heaviside, np.hypot))
allclose, append, isin, nextafter = map(_of_two, (np.allclose, np.append, np.isin, np.nextafter))
bartlett, blackman, hamming, hanning = map(_of_numbers, (np.bartlett, np.blackman, np.hamming, np.hanning))
tri, identity = map(_of_numbers, (np.tri, np.identity))
empty = _of_numbers(np.empty)
kaiser, geomspace, logspace = map(_of_numbers, (np.kaiser, np.geomspace, np.logspace))
bitwise_not, bitwise_left_shift, bitwise_right_shift, conjugate = bitwise_invert, left_shift, right_shift, conj


def arange(start: Any, stop: Any = None, step: Any = 1, dtype: Any = None) -> Any:
    """Numbers from start, by default 0, to below stop."""
    first, last = (0, start) if stop is None else (start, stop)
    return tensor(np.arange(first, last, step or 1, dtype=dtype))


def array(x: Any, dtype: Any = None) -> Any:
    """As a tensor."""
    return tf.constant(x, dtype)


def concatenate(xs: Sequence[Any], axis: int = 0) -> Any:
    """Values behind one another."""
    return tf.concat(xs, axis)


def vstack(xs: Sequence[Any]) -> Any:
    """Rows behind one another."""
    return np.vstack(list(map(tensor, xs)))


def hstack(xs: Sequence[Any]) -> Any:
    """Columns behind one another."""
    return np.hstack(list(map(tensor, xs)))


def split(x: Any, indices_or_sections: Any, axis: int = 0) -> Any:
    """Parts along an axis: so many, or those that begin at these places."""
    if isinstance(indices_or_sections, int):
        return tf.split(x, indices_or_sections, axis)
    ends = [0, *(int(place) for place in indices_or_sections), tensor(x).shape[axis]]
    return tf.split(x, np.diff(ends).tolist(), axis)


def clip(x: Any, x_min: Any, x_max: Any) -> Any:
    """No number below the one, none above the other."""
    return np.clip(tensor(x), x_min, x_max)


def zeros(shape: Any, dtype: Any = None) -> Any:
    """An array of zeros."""
    return tf.zeros(shape, dtype or np.float32)


def ones(shape: Any, dtype: Any = None) -> Any:
    """An array of ones."""
    return tf.ones(shape, dtype or np.float32)


def full(shape: Any, fill_value: Any, dtype: Any = None) -> Any:
    """An array of one number."""
    return tensor(
        np.full(tuple(np.atleast_1d(np.asarray(shape)).tolist()), np.asarray(fill_value), dtype or np.float32)
    )


def full_like(x: Any, fill_value: Any, dtype: Any = None) -> Any:
    """The same of another's shape."""
    return tensor(np.full_like(np.asarray(x), fill_value, dtype))


def linspace(start: Any, stop: Any, num: int = 50, **options: Any) -> Any:
    """Numbers in equal steps, both ends among them."""
    return tensor(np.linspace(start, stop, int(num), **options).astype(np.float32))


def take_along_axis(x: Any, indices: Any, axis: int | None = None) -> Any:
    """The numbers at these places along an axis."""
    return np.take_along_axis(tensor(x), np.asarray(indices, np.int64), axis)


def pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: Any = None) -> Any:
    """The array with a border."""
    return tf.pad(x, pad_width, mode, 0 if constant_values is None else constant_values)


def ndim(x: Any) -> int:
    """How many axes."""
    return len(tensor(x).shape)


def size(x: Any) -> Any:
    """How many numbers."""
    return np.size(np.asarray(x))


def dstack(xs: Sequence[Any]) -> Any:
    """Arrays behind one another along the third axis."""
    return np.dstack(list(map(tensor, xs)))


@of_values
def cross(x1: Any, x2: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Any:
    """The vector at a right angle to two; of two numbers each, the third of its numbers."""
    axes = (axisa, axisb, axisc) if axis is None else (axis,) * 3
    a, b = (np.moveaxis(tensor(x), along, -1) for x, along in zip((x1, x2), axes, strict=False))
    if a.shape[-1] == b.shape[-1] == 2:
        return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    a, b = (np.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, 3 - x.shape[-1])]) for x in (a, b))
    found = np.roll(a, -1, -1) * np.roll(b, -2, -1) - np.roll(a, -2, -1) * np.roll(b, -1, -1)
    return np.moveaxis(found, -1, axes[2])


@of_values
def kron(x1: Any, x2: Any) -> Any:
    """A copy of the second, times it, at each number of the first."""
    a, b = tensor(x1), tensor(x2)
    axes = max(a.ndim, b.ndim)
    a, b = (x.reshape((1,) * (axes - x.ndim) + tuple(x.shape)) for x in (a, b))
    sizes = np.multiply(a.shape, b.shape)
    found = np.expand_dims(a, tuple(range(1, 2 * axes, 2))) * np.expand_dims(b, tuple(range(0, 2 * axes, 2)))
    return found.reshape(tuple(sizes.tolist()))


@of_values
def vander(x: Any, N: int | None = None, increasing: bool = False) -> Any:
    """The powers of each number as a row, the highest first unless increasing=True. Shapes: (M,) -> (M,N)."""
    given = tensor(x)
    powers = np.arange(len(given) if N is None else N)
    return given[:, None] ** (powers if increasing else powers[::-1]).astype(given.dtype)


@of_values
def i0(x: Any) -> Any:
    """Bessel's function I0: the mean of exp(x cos t) around a circle, for numbers up to hundreds."""
    given = tensor(x)
    turn = np.cos(np.arange(256) * (2 * np.pi / 256)).astype(given.dtype)
    return np.mean(np.exp(given[..., None] * turn), -1)


def ldexp(x1: Any, x2: Any) -> Any:
    """x1 * 2^x2."""
    return tensor(x1) * np.exp2(tensor(x2).astype(np.float32))


def select(condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0) -> Any:
    """For each number the choice of the first condition that is true."""
    found = tensor(default)
    for condition, choice in zip(condlist[::-1], choicelist[::-1], strict=True):
        found = np.where(tensor(condition), tensor(choice), found)
    return found


@of_values
def correlate(x1: Any, x2: Any, mode: str = "valid") -> Any:
    """Sums of products of the second moved along the first. mode: "valid", "same" or "full", see `numpy.correlate`."""
    a, b = tensor(x1), tensor(x2)
    padded = np.pad(a, len(b) - 1)
    places = np.arange(len(a) + len(b) - 1)[:, None] + np.arange(len(b))
    found = np.matmul(padded[places], b)
    count = {"valid": abs(len(a) - len(b)) + 1, "same": max(len(a), len(b)), "full": len(found)}[
        expect_known("correlate: mode", mode, ("valid", "same", "full"))
    ]
    start = (len(found) - count) // 2
    return found[start : start + count]


@of_values
def corrcoef(x: Any) -> Any:
    """How rows go together, from -1 to 1. Shapes: (M,N) -> (M,M)."""
    given = tensor(x)
    off = given - np.mean(given, -1, keepdims=True)
    off = off / np.sqrt(np.sum(np.square(off), -1, keepdims=True))
    return np.matmul(off, np.swapaxes(off, -1, -2))


@of_values
def ptp(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The largest number less the smallest."""
    given = tensor(x)
    return np.max(given, axis=axis, keepdims=keepdims) - np.min(given, axis=axis, keepdims=keepdims)


def unique(x: Any, sorted: bool = True, axis: int | None = None, **returned: Any) -> Any:
    """Each number once, in order, and with it what `numpy.unique` returns as asked."""
    found = np.unique(np.asarray(x), axis=axis, **returned)
    return tuple(map(tensor, found)) if isinstance(found, tuple) else tensor(found)


def get_item(x: Any, key: Any) -> Any:
    """x[key]."""
    return tensor(x)[key]


def nonzero(x: Any) -> Any:
    """Where numbers are not 0. Shapes: (axes, how many)."""
    return tensor(np.stack(np.nonzero(np.asarray(x))))


def view(x: Any, dtype: Any = None) -> Any:
    """The same bytes as numbers of another type."""
    return tensor(np.asarray(x).view(dtype))


# Where numbers are missing


def _without(function: Any, value: float) -> Callable[..., Any]:
    """NumPy's function with this in place of what is no number."""

    def called(x: Any, axis: Any = None, **options: Any) -> Any:
        given = tensor(x)
        return tensor(function(np.where(np.isnan(given), given.dtype.type(value), given), axis=axis, **options))

    return _as_numpys(function, of_values(called))


nansum, nanprod, nancumsum, nancumprod = map(_without, (np.sum, np.prod, np.cumsum, np.cumprod), (0, 1, 0, 1))
nanmax, nanmin = map(_without, (np.max, np.min), (-math.inf, math.inf))


@of_values
def nanmean(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The mean of those that are numbers."""
    known = np.sum(~np.isnan(np.asarray(x)), axis=axis, keepdims=keepdims)
    return nansum(x, axis=axis, keepdims=keepdims) / known.astype(np.float32)


@of_values
def nanvar(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The variance of those that are numbers."""
    given = tensor(x)
    off = np.where(np.isnan(given), given.dtype.type(0), given) - nanmean(x, axis, True)
    known = ~np.isnan(np.asarray(x))
    total = np.sum(np.where(known, np.square(off), given.dtype.type(0)), axis=axis, keepdims=keepdims)
    return total / np.sum(known, axis=axis, keepdims=keepdims).astype(given.dtype)


@of_values
def nanstd(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The standard deviation of those that are numbers."""
    return np.sqrt(nanvar(x, axis, keepdims))


_BETWEEN: dict[str, Callable[[Any], Any]] = {
    "linear": lambda share: share,
    "lower": np.zeros_like,
    "higher": np.ceil,
    "nearest": np.rint,
    "midpoint": lambda share: np.ceil(share) / 2,
}
"""How far from the number below to the one above, by the method."""


@of_values
def _quantile(x: Any, q: Any, axis: Any, method: str, keepdims: bool, missing: bool) -> Any:
    expect_known("quantile: method", method, _BETWEEN)
    given = tensor(x)
    axes = tuple(range(given.ndim)) if axis is None else tuple(int(i) % given.ndim for i in np.atleast_1d(axis))
    kept = [i for i in range(given.ndim) if i not in axes]
    rows = np.sort(np.transpose(given, (*kept, *axes)).reshape((*(given.shape[i] for i in kept), -1)), -1)
    known = np.sum(~np.isnan(np.asarray(rows)), -1, keepdims=True)
    place = np.clip(np.asarray(q, np.float64).ravel() * (known - 1), 0, None)
    below = np.floor(place)
    share = _BETWEEN[method](place - below).astype(given.dtype)
    low, high = (np.take_along_axis(rows, each.astype(np.int64), -1) for each in (below, np.ceil(place)))
    found = low + (high - low) * share
    if not missing:
        found = np.where(known < rows.shape[-1], given.dtype.type(np.nan), found)
    found = np.moveaxis(found, -1, 0)
    if keepdims:
        found = np.expand_dims(found, tuple(i + 1 for i in axes))
    return found if np.ndim(q) else found[0]


def _quantiles(missing: bool, scale: float) -> Callable[..., Any]:
    def called(x: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Any:
        return _quantile(x, np.asarray(q) / scale, axis, method, keepdims, missing)

    return called


def _medians(missing: bool) -> Callable[..., Any]:
    def called(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        return _quantile(x, 0.5, axis, "linear", keepdims, missing)

    return called


quantile, percentile = _as_numpys(np.quantile, _quantiles(False, 1)), _as_numpys(np.percentile, _quantiles(False, 100))
nanquantile = _as_numpys(np.nanquantile, _quantiles(True, 1))
nanpercentile = _as_numpys(np.nanpercentile, _quantiles(True, 100))
median, nanmedian = _as_numpys(np.median, _medians(False)), _as_numpys(np.nanmedian, _medians(True))

__all__ = _modules.written(globals())
