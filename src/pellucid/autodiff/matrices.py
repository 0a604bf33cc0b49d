"""The gradients of products of matrices, and of what linear algebra makes of them, in the letters of `rules`.

What gives several arrays gives them here as one, side by side, since a rule is of one array.
Source: Giles 2008 (inverse, determinant, solution); Murray 2016 (Cholesky); Townsend 2016 (singular values).
"""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from pellucid.autodiff.rules import RULES, Pulls, Rule, Slope, one_array_rule, slopes
from pellucid.ops.geometry import Array


def turned(x: Any) -> Any:
    """Rows as columns."""
    return np.swapaxes(x, -1, -2)


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


def _matmul_slope(number: int) -> Slope:
    def slope(d: Any, y: Any, a: Any, b: Any) -> Any:
        row, column = np.ndim(a) == 1, np.ndim(b) == 1  # which NumPy takes for a matrix of one row, or column
        a, b = (a[None] if row else a), (b[:, None] if column else b)
        d = np.expand_dims(d, [axis for axis, one in ((-2, row), (-1, column)) if one])
        if number:
            back = turned(a) @ d
            return back[..., 0] if column else back
        back = d @ turned(b)
        return back[..., 0, :] if row else back

    return slope


slopes(np.matmul, _matmul_slope(0), _matmul_slope(1))


# What becomes of one matrix


def log_determinant(x: Any) -> Any:
    """log |det x|. Shapes: (..., M, M) -> (...)."""
    return np.linalg.slogdet(x)[1]


def symmetric_parts(x: Any) -> Any:
    """The eigenvalues of symmetric matrices as a row, and below it the eigenvectors. Shapes: (..., M+1, M)."""
    values, vectors = np.linalg.eigh(x)
    return np.concatenate([values[..., None, :], vectors], -2)


def orthogonal_parts(x: Any) -> Any:
    """Q, and below it R. Shapes: (..., M, N) -> (..., M+N, N), M >= N."""
    return np.concatenate(list(np.linalg.qr(x)), -2)


def singular_parts(x: Any) -> Any:
    """U, below it the singular values as a row, and below that V. Shapes: (..., M, N) -> (..., M+1+N, K)."""
    u, s, vh = np.linalg.svd(x, full_matrices=False)
    return np.concatenate([u, s[..., None, :], turned(vh)], -2)


def _solve_slopes(number: int) -> Any:
    def slope(d: Any, y: Any, a: Any, b: Any) -> Any:
        db = np.linalg.solve(turned(a), d)
        if not number:
            return -db[..., :, None] * y[..., None, :] if np.ndim(b) == 1 else -np.matmul(db, turned(y))
        return db

    return slope


slopes(np.linalg.inv, lambda d, y, x: -np.matmul(np.matmul(turned(y), d), turned(y)))
slopes(np.linalg.det, lambda d, y, x: (d * y)[..., None, None] * turned(np.linalg.inv(x)))
slopes(log_determinant, lambda d, y, x: np.asanyarray(d)[..., None, None] * turned(np.linalg.inv(x)))
slopes(np.linalg.solve, _solve_slopes(0), _solve_slopes(1))


@one_array_rule(np.linalg.cholesky)
def _cholesky(y: Any, x: Any) -> Any:
    def back(d: Any) -> Any:
        inner = np.tril(np.matmul(turned(y), d))
        inverse = np.linalg.inv(y)
        found = np.matmul(np.matmul(turned(inverse), inner - np.eye(y.shape[-1], dtype=y.dtype) * inner / 2), inverse)
        return (found + turned(found)) / 2

    return back


def _apart(values: Any) -> Any:
    """1 / (value j - value i), and 0 where i is j. Shapes: (..., M) -> (..., M, M)."""
    off = values[..., None, :] - values[..., :, None]
    return np.where(off == 0, 0, 1 / np.where(off == 0, 1, off))


def _diagonal(values: Any) -> Any:
    return values[..., None, :] * np.eye(values.shape[-1], dtype=values.dtype)


@one_array_rule(symmetric_parts)
def _symmetric(y: Any, x: Any) -> Any:
    values, vectors = y[..., 0, :], y[..., 1:, :]

    def back(d: Any) -> Any:
        inner = _apart(values) * np.matmul(turned(vectors), d[..., 1:, :]) + _diagonal(d[..., 0, :])
        return np.matmul(np.matmul(vectors, inner), turned(vectors))

    return back


@one_array_rule(orthogonal_parts)
def _orthogonal(y: Any, x: Any) -> Any:
    rows = x.shape[-2]
    q, r = y[..., :rows, :], y[..., rows:, :]

    def back(d: Any) -> Any:
        dq, dr = d[..., :rows, :], d[..., rows:, :]
        inner = np.matmul(r, turned(dr)) - np.matmul(turned(dq), q)
        inner = np.tril(inner) + turned(np.tril(inner, -1))
        return turned(np.linalg.solve(r, turned(dq + np.matmul(q, inner))))

    return back


@one_array_rule(singular_parts)
def _singular(y: Any, x: Any) -> Any:
    rows = x.shape[-2]
    u, s, v = y[..., :rows, :], y[..., rows, :], y[..., rows + 1 :, :]

    def back(d: Any) -> Any:
        du, ds, dv = d[..., :rows, :], d[..., rows, :], d[..., rows + 1 :, :]
        apart, column = _apart(s * s), s[..., None, :]

        def within(own: Any, slope: Any) -> Any:
            both = np.matmul(turned(own), slope)
            return apart * (both - turned(both))

        def beyond(own: Any, slope: Any) -> Any:
            return (slope - np.matmul(own, np.matmul(turned(own), slope))) / column

        inner = within(u, du) * column + s[..., :, None] * within(v, dv) + _diagonal(ds)
        found = np.matmul(np.matmul(u, inner), turned(v))
        return found + np.matmul(beyond(u, du), turned(v)) + np.matmul(u, turned(beyond(v, dv)))

    return back
