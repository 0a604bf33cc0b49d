"""The gradient of each function of NumPy's that a recorded array may go through.

Letters: d the gradient of what comes out, y what came out, x (a, b, ...) what went in. A gradient may come back with
the shape that arrays were stretched to; who asked sums it up.
"""

from __future__ import annotations

import math
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
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


RULES: dict[Any, Rule] = {}
FLAT = {
    np.sign, np.floor, np.ceil, np.rint, np.trunc, np.round, np.around, np.fix, np.floor_divide, np.zeros_like,
    np.ones_like, np.full_like, np.empty_like, np.spacing, np.heaviside,
}  # fmt: skip
"""Those whose gradient is 0 wherever there is one, or that take only the shape: nothing goes back through them."""
REDUCTIONS = {np.add: np.sum, np.multiply: np.prod, np.maximum: np.max, np.minimum: np.min}


def is_flat(function: Any, y: Any) -> bool:
    """Whether nothing goes back through it: it is flat, or gives no floats."""
    if function in FLAT:
        return True
    answers = y if isinstance(y, list | tuple) else [y]
    return not any(getattr(each, "dtype", np.dtype(object)).kind == "f" for each in answers)


# Number by number: for each argument its gradient, of (d, y, *arguments)

Slope = Callable[..., Any]


def _slopes(function: Any, *slopes: Slope) -> None:
    def pulls(y: Any, args: Sequence[Any], options: Mapping[str, Any]) -> Pulls:
        if options:
            raise TypeError(", ".join(options))
        return lambda d, wanted: {i: slopes[i](d, y, *args) for i in wanted}

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
    (np.nan_to_num, lambda d, y, x: d * np.isfinite(x)),
    (np.negative, lambda d, y, x: -d),
    (np.positive, lambda d, y, x: d),
    (np.absolute, lambda d, y, x: d * np.sign(x)),
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
    (normal_below, lambda d, y, x: d * np.exp(-x * x / 2) / math.sqrt(2 * math.pi)),
):
    _slopes(_function, *_each)


# Of one array, with options: of (y, x, *arguments, **options) what takes d to dx


def _of_one(*functions: Any) -> Callable[[Callable[..., Callable[[Any], Any]]], None]:
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


@_of_one(np.sum)
def _sum(y: Any, x: Any, axis: Any = None, *, keepdims: bool = False, dtype: Any = None) -> Any:
    return lambda d: _stretched(d, x, axis, keepdims)


@_of_one(np.mean, np.average)
def _mean(y: Any, x: Any, axis: Any = None, *, keepdims: bool = False, dtype: Any = None) -> Any:
    return lambda d: _stretched(d / _count(x, axis), x, axis, keepdims)


@_of_one(np.max, np.min)
def _extreme(y: Any, x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    def back(d: Any) -> Any:  # equal ones share it, as in TensorFlow
        found = np.equal(x, _stretched(y, x, axis, keepdims))
        return found * _stretched(d, x, axis, keepdims) / np.sum(found, axis, keepdims=True)

    return back


@_of_one(np.prod)
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


@_of_one(np.var)
def _var(y: Any, x: Any, axis: Any = None, *, ddof: int = 0, keepdims: bool = False) -> Any:
    off = x - np.mean(x, axis, keepdims=True)
    return lambda d: _stretched(d * (2 / (_count(x, axis) - ddof)), x, axis, keepdims) * off


@_of_one(np.std)
def _std(y: Any, x: Any, axis: Any = None, *, ddof: int = 0, keepdims: bool = False) -> Any:
    off = x - np.mean(x, axis, keepdims=True)
    return lambda d: _stretched(d / (y * (_count(x, axis) - ddof)), x, axis, keepdims) * off


@_of_one(np.linalg.norm)
def _norm(y: Any, x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    if ord not in (None, 2) or (ord == 2 and x.ndim > 1 and not isinstance(axis, int)):
        raise TypeError(f"ord={ord}")
    return lambda d: _stretched(d / np.where(y == 0, 1, y), x, axis, keepdims) * x


@_of_one(np.cumsum)
def _cumsum(y: Any, x: Any, axis: Any = None) -> Any:
    if axis is None:
        return lambda d: np.cumsum(d[::-1])[::-1].reshape(x.shape)
    return lambda d: np.flip(np.cumsum(np.flip(d, axis), axis), axis)


@_of_one(np.clip)
def _clip(y: Any, x: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None) -> Any:
    low, high = (a_min if min is None else min), (a_max if max is None else max)
    inside = (x >= (-np.inf if low is None else low)) & (x <= (np.inf if high is None else high))
    return lambda d: d * inside


@_of_one(np.sort)
def _sort(y: Any, x: Any, axis: int = -1) -> Any:
    order = np.argsort(x, axis, kind="stable")
    back = np.argsort(order, axis)
    return lambda d: np.take_along_axis(d, back, axis)


@_of_one(np.reshape, np.ravel, np.expand_dims, np.squeeze, np.copy)
def _same_order(y: Any, x: Any, to: Any = None, *, axis: Any = None, shape: Any = None) -> Any:
    return lambda d: np.reshape(d, x.shape)


@_of_one(np.transpose)
def _transpose(y: Any, x: Any, axes: Any = None) -> Any:
    return lambda d: np.transpose(d, None if axes is None else np.argsort([int(i) % x.ndim for i in axes]))


@_of_one(np.broadcast_to)
def _broadcast_to(y: Any, x: Any, shape: Any) -> Any:
    return lambda d: d


# What only moves numbers, or leaves some out, or lays zeros beside them: the same is done to their numbers in a row,
# counted from 1, and each gets what arrived where its number went


def scattered(d: Array, places: Array, count: int) -> Array:
    """Sums of the d that have the same place, for places 1 to count; what has place 0 is left out."""
    return np.bincount(places, d, count + 1)[1:]


@_of_one(scattered)
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
    np.diagonal, np.diag, np.triu, np.tril,
):  # fmt: skip
    _moved(_moving)
for _joining in (np.concatenate, np.stack, np.vstack, np.hstack):
    _moved(_joining, lambda args: args[0])


# Products of matrices, all as sums over letters


def _letters(function: Any, spell: Callable[..., str], skip: int = 0) -> None:
    """One whose call is an `einsum`: spell(*arguments, **options) says which."""

    def pulls(y: Any, args: Sequence[Any], options: Mapping[str, Any]) -> Pulls:
        spelling = spell(*args, **options)
        arrays = [np.asanyarray(each) for each in args[skip : skip + spelling.count(",") + 1]]
        before, after = spelling.replace(" ", "").split("->")
        terms = before.split(",")
        if any(len(set(term)) != len(term) for term in terms):
            raise TypeError(f"{spelling}: a letter twice in a term")

        def back(d: Any, i: int) -> Array:
            others = [(term, array) for k, (term, array) in enumerate(zip(terms, arrays, strict=True)) if k != i]
            there = set(after).union(*(term for term, _ in others))
            own = "".join(letter for letter in terms[i] if letter in there)
            spelled = ",".join([after, *(term for term, _ in others)])
            found = np.einsum(f"{spelled}->{own}", d, *(array for _, array in others), optimize=True)
            missing = [axis for axis, letter in enumerate(terms[i]) if letter not in there]  # summed by itself
            return np.broadcast_to(np.expand_dims(found, missing), arrays[i].shape)

        return lambda d, wanted: {i: back(d, i) for i in wanted}

    RULES[function] = Rule(lambda args: args[skip:] if skip else args[:2], pulls)


def _spell_einsum(spelling: str, *arrays: Any, optimize: Any = False) -> str:
    if not isinstance(spelling, str) or "." in spelling:
        raise TypeError("spell every axis")
    if "->" in spelling:
        return spelling
    seen = spelling.replace(",", "").replace(" ", "")
    return f"{spelling}->{''.join(sorted(letter for letter in set(seen) if seen.count(letter) == 1))}"


def _spell_tensordot(a: Any, b: Any, axes: Any = 2) -> str:
    if isinstance(axes, int | np.integer):
        axes = range(np.ndim(a) - axes, np.ndim(a)), range(axes)
    ours, theirs = ([int(i) % np.ndim(x) for i in np.atleast_1d(each)] for x, each in zip((a, b), axes, strict=True))
    first = list(string.ascii_lowercase[: np.ndim(a)])
    second = list(string.ascii_uppercase[: np.ndim(b)])
    for i, j in zip(ours, theirs, strict=True):
        second[j] = first[i]
    kept = [letter for i, letter in enumerate(first) if i not in ours]
    kept += [letter for j, letter in enumerate(second) if j not in theirs]
    return f"{''.join(first)},{''.join(second)}->{''.join(kept)}"


def _spell_dot(a: Any, b: Any) -> str:
    if not np.ndim(a) or not np.ndim(b):
        return f"{string.ascii_lowercase[: np.ndim(a)]},{string.ascii_uppercase[: np.ndim(b)]}->" + (
            string.ascii_lowercase[: np.ndim(a)] + string.ascii_uppercase[: np.ndim(b)]
        )
    return _spell_tensordot(a, b, ([-1], [max(np.ndim(b) - 2, 0)]))


_letters(np.einsum, _spell_einsum, skip=1)
_letters(np.tensordot, _spell_tensordot)
_letters(np.dot, _spell_dot)
_letters(np.outer, lambda a, b: "i,j->ij")
_letters(np.vdot, lambda a, b: "i,i->")
_letters(np.inner, lambda a, b: _spell_tensordot(a, b, ([-1], [-1])))


def _rows(x: Any) -> Any:
    return np.swapaxes(x, -1, -2)


def _matmul_slope(number: int) -> Slope:
    def slope(d: Any, y: Any, a: Any, b: Any) -> Any:
        row, column = np.ndim(a) == 1, np.ndim(b) == 1  # which NumPy takes for a matrix of one row, or column
        a, b = (a[None] if row else a), (b[:, None] if column else b)
        d = np.expand_dims(d, [axis for axis, one in ((-2, row), (-1, column)) if one])
        if number:
            back = _rows(a) @ d
            return back[..., 0] if column else back
        back = d @ _rows(b)
        return back[..., 0, :] if row else back

    return slope


_slopes(np.matmul, _matmul_slope(0), _matmul_slope(1))
