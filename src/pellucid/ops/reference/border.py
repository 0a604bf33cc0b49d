"""Borders around pictures, and pictures enlarged by whole factors: numbers are moved, or means of their neighbours."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.ops.geometry import Array, Pads, Pair
from pellucid.ops.table import LONG, call, op

_REFLECTED: dict[str, Any] = {"padding": ((1, 1), (1, 1)), "mode": "reflect"}
_LARGER = (64, 58, 58, 64)
_DOUBLED = (64, 112, 112, 64)


def _sources(size: int, before: int, larger: int, mode: str) -> Array:
    """For each pixel of an axis with its border, the pixel it is a copy of; -1 for none."""
    places = np.arange(larger) - before
    if mode == "edge":
        return places.clip(0, size - 1)
    inside = (places >= 0) & (places < size)
    mirrored = np.where(places < 0, -places, 2 * (size - 1) - places)
    return np.where(inside, places, mirrored if mode == "reflect" else -1)


def _copies(shape: tuple[int, ...], larger: tuple[int, ...], padding: Pads, mode: str) -> list[Array]:
    """For rows and columns a matrix (larger, size) of ones where one is a copy of the other."""
    found = []
    for axis in (0, 1):
        size = shape[1 + axis]
        sources = _sources(size, padding[axis][0], larger[1 + axis], mode)
        found.append((sources[:, None] == np.arange(size)).astype(np.int8))
    return found


@op(
    fields={"mode": "BORDER"},
    typical=[call("reflect, 64 x 56x56x64", x=LONG, y=_LARGER, **_REFLECTED)],
)
def pad2d(x: Array, y: Array, *, padding: Pads, mode: str = "constant") -> None:
    """y is x with a border around each picture: of zeros, or of the picture's own numbers."""
    (top, _), (left, _) = padding
    rows = _sources(x.shape[1], top, y.shape[1], mode)
    columns = _sources(x.shape[2], left, y.shape[2], mode)
    y[...] = x[:, rows][:, :, columns]
    y[:, rows < 0] = 0
    y[:, :, columns < 0] = 0


@op(
    fields={"mode": "BORDER"},
    typical=[call("reflect, 64 x 56x56x64", dx=LONG, dy=_LARGER, **_REFLECTED)],
)
def pad2d_backward(dy: Array, dx: Array, *, padding: Pads, mode: str = "constant") -> None:
    """dx = what dy says of each pixel and of its copies in the border, added; of a border of zeros, dy without it."""
    rows, columns = _copies(dx.shape, dy.shape, padding, mode)
    dx[...] = np.einsum("nabc,ay,bx->nyxc", dy, rows, columns, optimize=True)


def _shares(size: int, factor: int, interpolation: str, dtype: np.dtype[np.floating]) -> Array:
    """How much each pixel of the enlarged axis takes of each pixel: (size * factor, size), whose rows add up to 1."""
    places = np.arange(size * factor)
    shares = np.zeros((size * factor, size), dtype)
    if interpolation == "nearest":
        shares[places, places // factor] = 1
        return shares
    first, rest = np.divmod(2 * places + 1 - factor, 2 * factor)
    share = (rest / (2 * factor)).astype(dtype)
    np.add.at(shares, (places, first.clip(0)), 1 - share)
    np.add.at(shares, (places, (first + 1).clip(0, size - 1)), share)
    return shares


def _both(x_shape: tuple[int, ...], factors: Pair, interpolation: str, dtype: np.dtype[np.floating]) -> list[Array]:
    return [_shares(x_shape[1 + axis], factors[axis], interpolation, dtype) for axis in (0, 1)]


@op(typical=[call("bilinear, 64 x 56x56x64, 2x2", x=LONG, y=_DOUBLED, factors=(2, 2), interpolation="bilinear")])
def upsample2d(x: Array, y: Array, *, factors: Pair, interpolation: str = "nearest") -> None:
    """y[n,i,j,c]: the pixel of x that holds it, or by its distance to their centres, a mean of the nearest four."""
    rows, columns = _both(x.shape, factors, interpolation, x.dtype)
    y[...] = np.einsum("nyxc,ay,bx->nabc", x, rows, columns, optimize=True)


@op(typical=[call("bilinear, 64 x 56x56x64, 2x2", dx=LONG, dy=_DOUBLED, factors=(2, 2), interpolation="bilinear")])
def upsample2d_backward(dy: Array, dx: Array, *, factors: Pair, interpolation: str = "nearest") -> None:
    """dx = each dy shared among the pixels it was made of."""
    rows, columns = _both(dx.shape, factors, interpolation, dx.dtype)
    dx[...] = np.einsum("nabc,ay,bx->nyxc", dy, rows, columns, optimize=True)
