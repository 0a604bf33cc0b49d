"""The gradient of each function of NumPy's that a recorded array may go through.

Letters: d the gradient of what comes out, y what came out, x (a, b, ...) what went in. A gradient may come back with
the shape that arrays were stretched to; who asked sums it up.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from pellucid.ops import normal_below
from pellucid.ops.geometry import Array

Pulls = Callable[[Array, Sequence[int]], Mapping[int, Array]]
"""From d, and the numbers of the arrays that want theirs, to their gradients by number."""


@dataclass(frozen=True)
class Rule:
    """arrays: which of a call's arguments a gradient goes through. pulls: of (y, arguments, options).

    Errors: TypeError of `pulls` for options that the rule does not know.
    """

    arrays: Callable[[Sequence[Any]], Sequence[Any]]
    pulls: Callable[[Any, Sequence[Any], Mapping[str, Any]], Pulls]


def item(x: Any, key: Any) -> Any:
    """x[key]."""
    return x[key]


def cast(x: Any, dtype: Any) -> Any:
    """x in another type."""
    return x.astype(dtype)


def inverse_erf(x: Array) -> Array:
    """The numbers with these erf: infinite for 1, none beyond."""
    normal = NormalDist()
    found = [normal.inv_cdf((each + 1) / 2) if abs(each) < 1 else each * math.inf for each in x.ravel().tolist()]
    return np.asarray(np.reshape(found, x.shape) / math.sqrt(2)).astype(x.dtype)


RULES: dict[Any, Rule] = {}
FLAT = {
    np.sign, np.floor, np.ceil, np.rint, np.trunc, np.round, np.around, np.fix, np.floor_divide, np.zeros_like,
    np.ones_like, np.full_like, np.empty_like, np.spacing, np.heaviside, np.imag, np.angle,
}  # fmt: skip
"""Those whose gradient is 0 wherever there is one, or that take only the shape: nothing goes back through them."""
COMPOSED = {
    np.append, np.array_split, np.average, np.diff, np.dsplit, np.flipud, np.fliplr, np.hsplit, np.split, np.trapezoid,
    np.vsplit,
}  # fmt: skip
"""Those that NumPy writes in functions with rules and nothing else: recorded as these. Each is compared in tests."""
REDUCTIONS = {np.add: np.sum, np.multiply: np.prod, np.maximum: np.max, np.minimum: np.min}


def is_flat(function: Any, y: Any) -> bool:
    """Whether nothing goes back through it: it is flat, or gives no floats, complex ones among them."""
    if function in FLAT:
        return True
    answers = y if isinstance(y, list | tuple) else [y]
    return not any(getattr(each, "dtype", np.dtype(object)).kind in "fc" for each in answers)


# Number by number: for each argument its gradient, of (d, y, *arguments)

Slope = Callable[..., Any]


def slopes(function: Any, *each: Slope) -> None:
    """The rule of a function number by number, from these."""

    def pulls(y: Any, args: Sequence[Any], options: Mapping[str, Any]) -> Pulls:
        if others := options.keys() - {"dtype"}:
            raise TypeError(", ".join(others))
        return lambda d, wanted: {i: each[i](d, y, *args) for i in wanted}

    RULES[function] = Rule(lambda args: args, pulls)


def _winning(first: Callable[[Any, Any], Any]) -> tuple[Slope, Slope]:
    """Of the larger, or smaller, of two; of equal ones the first, as in TensorFlow."""
    return lambda d, y, a, b: np.where(first(a, b), d, 0), lambda d, y, a, b: np.where(first(a, b), 0, d)


def _power_slope(d: Any, y: Any, a: Any, b: Any) -> Any:
    return d * np.where(np.asarray(a) > 0, y * np.log(np.where(np.asarray(a) > 0, a, 1)), 0)


for _function, *_each in (
    (np.add, lambda d, y, a, b: d, lambda d, y, a, b: d),
    (np.subtract, lambda d, y, a, b: d, lambda d, y, a, b: -d),
    (np.multiply, lambda d, y, a, b: d * b, lambda d, y, a, b: d * a),
    (np.divide, lambda d, y, a, b: d / b, lambda d, y, a, b: -d * y / b),
    (np.remainder, lambda d, y, a, b: d, lambda d, y, a, b: -d * np.floor_divide(a, b)),
    (np.power, lambda d, y, a, b: d * b * np.power(a, np.where(np.equal(b, 0), 1, np.subtract(b, 1))), _power_slope),
    (np.maximum, *_winning(np.greater_equal)),
    (np.minimum, *_winning(np.less_equal)),
    (np.arctan2, lambda d, y, a, b: d * b / (a * a + b * b), lambda d, y, a, b: -d * a / (a * a + b * b)),
    (np.hypot, lambda d, y, a, b: d * a / y, lambda d, y, a, b: d * b / y),
    (np.logaddexp, lambda d, y, a, b: d * np.exp(a - y), lambda d, y, a, b: d * np.exp(b - y)),
    (np.logaddexp2, lambda d, y, a, b: d * np.exp2(a - y), lambda d, y, a, b: d * np.exp2(b - y)),
    (np.fmod, lambda d, y, a, b: d, lambda d, y, a, b: -d * np.trunc(np.divide(a, b))),
    (np.fmax, *_winning(lambda a, b: np.greater_equal(a, b) | np.isnan(b))),
    (np.fmin, *_winning(lambda a, b: np.less_equal(a, b) | np.isnan(b))),
    (np.nextafter, lambda d, y, a, b: d, lambda d, y, a, b: np.zeros_like(d)),
    (np.nan_to_num, lambda d, y, x: d * np.isfinite(x)),
    (np.negative, lambda d, y, x: -d),
    (np.positive, lambda d, y, x: d),
    (np.absolute, lambda d, y, x: d * np.sign(x)),
    (np.fabs, lambda d, y, x: d * np.sign(x)),
    (np.conjugate, lambda d, y, x: d),
    (np.real, lambda d, y, x: d),
    (np.deg2rad, lambda d, y, x: d * (math.pi / 180)),
    (np.rad2deg, lambda d, y, x: d * (180 / math.pi)),
    (np.sinc, lambda d, y, x: np.where(x == 0, 0, d * (np.cos(math.pi * x) - y) / np.where(x == 0, 1, x))),
    (np.square, lambda d, y, x: d * 2 * x),
    (np.sqrt, lambda d, y, x: d / (2 * y)),
    (np.cbrt, lambda d, y, x: d / (3 * y * y)),
    (np.reciprocal, lambda d, y, x: -d * y * y),
    (np.exp, lambda d, y, x: d * y),
    (np.exp2, lambda d, y, x: d * y * math.log(2)),
    (np.expm1, lambda d, y, x: d * (y + 1)),
    (np.log, lambda d, y, x: d / x),
    (np.log2, lambda d, y, x: d / (x * math.log(2))),
    (np.log10, lambda d, y, x: d / (x * math.log(10))),
    (np.log1p, lambda d, y, x: d / (1 + x)),
    (np.sin, lambda d, y, x: d * np.cos(x)),
    (np.cos, lambda d, y, x: -d * np.sin(x)),
    (np.tan, lambda d, y, x: d * (1 + y * y)),
    (np.arcsin, lambda d, y, x: d / np.sqrt(1 - x * x)),
    (np.arccos, lambda d, y, x: -d / np.sqrt(1 - x * x)),
    (np.arctan, lambda d, y, x: d / (1 + x * x)),
    (np.sinh, lambda d, y, x: d * np.cosh(x)),
    (np.cosh, lambda d, y, x: d * np.sinh(x)),
    (np.tanh, lambda d, y, x: d * (1 - y * y)),
    (np.arcsinh, lambda d, y, x: d / np.sqrt(x * x + 1)),
    (np.arccosh, lambda d, y, x: d / np.sqrt(x * x - 1)),
    (np.arctanh, lambda d, y, x: d / (1 - x * x)),
    (np.where, lambda d, y, *_: None, lambda d, y, c, a, b: np.where(c, d, 0), lambda d, y, c, a, b: np.where(c, 0, d)),
    (cast, lambda d, y, x, dtype: d),
    (inverse_erf, lambda d, y, x: d * np.exp(y * y) * (math.sqrt(math.pi) / 2)),
    (normal_below, lambda d, y, x: d * np.exp(-x * x / 2) / math.sqrt(2 * math.pi)),
):
    slopes(_function, *_each)


# Of one array, with options: of (y, x, *arguments, **options) what takes d to dx


def one_array_rule(*functions: Any) -> Callable[[Callable[..., Callable[[Any], Any]]], None]:
    """The rule of functions, of which what is decorated makes the way back."""

    def register(make: Callable[..., Callable[[Any], Any]]) -> None:
        def pulls(y: Any, args: Sequence[Any], options: Mapping[str, Any]) -> Pulls:
            back = make(y, *args, **options)
            return lambda d, wanted: {0: back(d)}

        for function in functions:
            RULES[function] = Rule(lambda args: args[:1], pulls)

    return register


def _stretched(d: Any, x: Array, axis: Any, keepdims: bool) -> Array:
    """A gradient of sums, at every number that was summed."""
    if axis is not None and not keepdims:
        d = np.expand_dims(d, axis)
    return np.broadcast_to(d, x.shape)


def _count(x: Array, axis: Any) -> int:
    axes = range(x.ndim) if axis is None else np.atleast_1d(axis)
    return math.prod(x.shape[int(i)] for i in axes)


@one_array_rule(np.sum)
def _sum(y: Any, x: Any, axis: Any = None, *, keepdims: bool = False, dtype: Any = None) -> Any:
    return lambda d: _stretched(d, x, axis, keepdims)


@one_array_rule(np.mean)
def _mean(y: Any, x: Any, axis: Any = None, *, keepdims: bool = False, dtype: Any = None) -> Any:
    return lambda d: _stretched(d / _count(x, axis), x, axis, keepdims)


@one_array_rule(np.max, np.min)
def _extreme(y: Any, x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    def back(d: Any) -> Any:  # equal ones share it, as in TensorFlow
        found = np.equal(x, _stretched(y, x, axis, keepdims))
        return found * _stretched(d, x, axis, keepdims) / np.sum(found, axis, keepdims=True)

    return back


@one_array_rule(np.prod)
def _prod(y: Any, x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    def back(d: Any) -> Any:  # the product of all others, those before times those behind
        axes = list(range(x.ndim)) if axis is None else [int(i) % x.ndim for i in np.atleast_1d(axis)]
        kept = [i for i in range(x.ndim) if i not in axes]
        turned = x.transpose(kept + axes)
        rows = turned.reshape(*turned.shape[: len(kept)], -1)
        ones = np.ones((*rows.shape[:-1], 1), x.dtype)
        before = np.cumprod(np.concatenate([ones, rows[..., :-1]], -1), -1)
        behind = np.cumprod(np.concatenate([ones, rows[..., :0:-1]], -1), -1)[..., ::-1]
        others = (before * behind).reshape(turned.shape).transpose(np.argsort(kept + axes))
        return others * _stretched(d, x, axis, keepdims)

    return back


@one_array_rule(np.var)
def _var(y: Any, x: Any, axis: Any = None, *, ddof: int = 0, keepdims: bool = False) -> Any:
    off = x - np.mean(x, axis, keepdims=True)
    return lambda d: _stretched(d * (2 / (_count(x, axis) - ddof)), x, axis, keepdims) * off


@one_array_rule(np.std)
def _std(y: Any, x: Any, axis: Any = None, *, ddof: int = 0, keepdims: bool = False) -> Any:
    off = x - np.mean(x, axis, keepdims=True)
    return lambda d: _stretched(d / (y * (_count(x, axis) - ddof)), x, axis, keepdims) * off


@one_array_rule(np.linalg.norm)
def _norm(y: Any, x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    if ord not in (None, 2) or (ord == 2 and x.ndim > 1 and not isinstance(axis, int)):
        raise TypeError(f"ord={ord}")
    return lambda d: _stretched(d / np.where(y == 0, 1, y), x, axis, keepdims) * x


def _sums_from(d: Any, x: Any, axis: Any) -> Any:
    """Of each place and all behind it."""
    if axis is None:
        return np.cumsum(d[::-1])[::-1].reshape(x.shape)
    return np.flip(np.cumsum(np.flip(d, axis), axis), axis)


@one_array_rule(np.cumsum)
def _cumsum(y: Any, x: Any, axis: Any = None) -> Any:
    return lambda d: _sums_from(d, x, axis)


@one_array_rule(np.cumprod)
def _cumprod(y: Any, x: Any, axis: Any = None) -> Any:
    if not np.all(x):
        raise TypeError("numbers of which one is 0")
    return lambda d: _sums_from(d * y, x, axis) / x


@one_array_rule(np.clip)
def _clip(y: Any, x: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None) -> Any:
    low, high = (a_min if min is None else min), (a_max if max is None else max)
    inside = (x >= (-np.inf if low is None else low)) & (x <= (np.inf if high is None else high))
    return lambda d: d * inside


@one_array_rule(np.sort)
def _sort(y: Any, x: Any, axis: int = -1) -> Any:
    order = np.argsort(x, axis, kind="stable")
    back = np.argsort(order, axis)
    return lambda d: np.take_along_axis(d, back, axis)


@one_array_rule(np.reshape, np.ravel, np.expand_dims, np.squeeze, np.copy)
def _same_order(y: Any, x: Any, to: Any = None, *, axis: Any = None, shape: Any = None) -> Any:
    return lambda d: np.reshape(d, x.shape)


@one_array_rule(np.transpose)
def _transpose(y: Any, x: Any, axes: Any = None) -> Any:
    return lambda d: np.transpose(d, None if axes is None else np.argsort([int(i) % x.ndim for i in axes]))


@one_array_rule(np.broadcast_to)
def _broadcast_to(y: Any, x: Any, shape: Any) -> Any:
    return lambda d: d


# What only moves numbers, or leaves some out, or lays zeros beside them: the same is done to their numbers in a row,
# counted from 1, and each gets what arrived where its number went


def scattered(d: Array, places: Array, count: int) -> Array:
    """Sums of the d that have the same place, for places 1 to count; what has place 0 is left out."""
    return np.bincount(places, d, count + 1)[1:]


@one_array_rule(scattered)
def _scattered(y: Any, x: Any, places: Array, count: int) -> Any:
    return lambda d: np.where(places > 0, d[places - 1], 0)


def _moved(function: Any, arrays: Callable[[Sequence[Any]], Sequence[Any]] = lambda args: args[:1]) -> None:
    def pulls(y: Any, args: Sequence[Any], options: Mapping[str, Any]) -> Pulls:
        if function is np.pad:
            mode = options.get("mode", args[2] if len(args) > 2 else "constant")
            if mode not in ("constant", "edge", "reflect", "symmetric", "wrap"):
                raise TypeError(f"mode={mode!r}")
            options = {name: 0 if name == "constant_values" else value for name, value in options.items()}
        given = [np.asarray(each) for each in arrays(args)]
        ends = np.cumsum([0, *(each.size for each in given)]).tolist()
        numbers = [
            np.arange(start + 1, end + 1).reshape(each.shape)
            for each, start, end in zip(given, ends[:-1], ends[1:], strict=True)
        ]
        first = type(args[0])(numbers) if type(args[0]) in (list, tuple) else numbers[0]
        places = function(first, *args[1:], **options).ravel()

        def back(d: Array, wanted: Sequence[int]) -> Mapping[int, Array]:
            arrived = np.broadcast_to(d, y.shape).ravel()
            through = getattr(arrived, "through", None)  # of an array that is recorded itself
            sums = through(scattered, places, ends[-1]) if through else scattered(arrived, places, ends[-1])
            return {i: sums[ends[i] : ends[i + 1]].reshape(given[i].shape) for i in wanted}

        return back

    RULES[function] = Rule(arrays, pulls)


for _moving in (
    item, np.flip, np.roll, np.rot90, np.moveaxis, np.swapaxes, np.tile, np.repeat, np.take, np.take_along_axis, np.pad,
    np.diagonal, np.diag, np.diagflat, np.triu, np.tril,
):  # fmt: skip
    _moved(_moving)
for _joining in (np.concatenate, np.stack, np.vstack, np.hstack, np.dstack):
    _moved(_joining, lambda args: args[0])
