"""Pooling into so many windows as are asked for, whatever the picture's size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Unpack

import numpy as np

from pellucid import ops
from pellucid.layers.layer import Cache, Key, Named
from pellucid.layers.one_row import width
from pellucid.layers.pool import Pool
from pellucid.ops import Array, Pair, Shape
from pellucid.ops.geometry import NO_PADS, Pooling, adaptive_windows, pair


class AdaptivePool2D(Pool):
    """As many windows as are asked for, which cover the picture and are alike but for a pixel; neighbours may overlap.

    Window i of O along H pixels goes from floor(i*H / O) up to ceil((i+1)*H / O).
    """

    def __init__(self, output_size: int | Sequence[int], **named: Unpack[Named]) -> None:
        super().__init__(**named)
        self.output_size = self._standard(output_size)

    def _standard(self, given: Any) -> Pair:
        return pair(given, f"{type(self).__name__}: output_size")

    def output_shape(self, input_shape: Shape) -> Shape:
        self.check_rank(input_shape, "H, W, C", "add the missing axes; after Flatten there is nothing to pool")
        return (*self.output_size, input_shape[-1])

    def windows(self, size: Shape) -> list[tuple[int, int, slice, slice]]:
        """(i, j, rows, columns) of each."""
        rows, columns = (adaptive_windows(n, count) for n, count in zip(size, self.output_size, strict=True))
        return [(i, j, row, column) for i, row in enumerate(rows) for j, column in enumerate(columns)]

    def regular(self, size: Shape) -> Pooling | None:
        """What ordinary pooling takes, whose windows these are where both sides can be divided; else None."""
        height, width = (n / count for n, count in zip(size, self.output_size, strict=True))
        if not (height.is_integer() and width.is_integer()):
            return None
        windows = int(height), int(width)
        return {"pool_size": windows, "strides": windows, "padding": NO_PADS}

    def forward(self, x: Array, *, training: bool = False, key: Key | None = None) -> tuple[Array, Cache]:
        self.output_shape(x.shape[1:])
        return self.pooled(x)

    def pooled(self, x: Array) -> tuple[Array, Cache]:
        """What it makes of pictures, and what backward needs."""
        raise NotImplementedError

    def detail(self) -> str:
        return f"{self.output_size[0]}x{self.output_size[1]}"

    @property
    def caption(self) -> tuple[str, ...]:
        return (f"{self.reduction} pool to {self.detail()}",)


class AdaptiveAvgPool2D(AdaptivePool2D):
    """Mean of each of so many windows as are asked for.

    Shapes: x (N,H,W,C) -> y (N, *output_size, C).
    Units: output_size: rows and columns of windows, a number or a pair.
    Errors: ConfigError for sizes below 1.
    Source: PyTorch's AdaptiveAvgPool2d, whose windows Keras has, too.
    """

    linear = True
    reduction: ClassVar[str] = "mean"

    def pooled(self, x: Array) -> tuple[Array, Cache]:
        if regular := self.regular(x.shape[1:3]):
            return ops.avg_pool2d(x, **regular), x.shape
        y = np.empty((len(x), *self.output_size, x.shape[-1]), x.dtype)
        for i, j, rows, columns in self.windows(x.shape[1:3]):
            y[:, i, j] = x[:, rows, columns].mean(axis=(1, 2))
        return y, x.shape

    def rows_columns(self, input_shape: Shape) -> tuple[Array, Array]:
        """By what rows and columns of a picture become those of the result. Shapes: (OH, H), (OW, W)."""
        found = []
        for size, count in zip(input_shape, self.output_size, strict=False):
            weights = np.zeros((count, size))
            for i, window in enumerate(adaptive_windows(size, count)):
                weights[i, window] = 1 / (window.stop - window.start)
            found.append(weights)
        return found[0], found[1]

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Array | None, dict[str, Array]]:
        if not need_dx:
            return None, {}
        if regular := self.regular(cache[1:3]):
            return ops.avg_pool2d_backward(dy, cache, **regular), {}
        dx = np.zeros(cache, dy.dtype)
        for i, j, rows, columns in self.windows(cache[1:3]):
            taps = (rows.stop - rows.start) * (columns.stop - columns.start)
            dx[:, rows, columns] += dy[:, i : i + 1, j : j + 1] / dy.dtype.type(taps)
        return dx, {}


class AdaptiveMaxPool2D(AdaptivePool2D):
    """Largest value of each of so many windows as are asked for; the gradient goes to the first of several, row by row.

    Shapes: x (N,H,W,C) -> y (N, *output_size, C).
    Units: output_size: rows and columns of windows, a number or a pair.
    Errors: ConfigError for sizes below 1.
    Source: PyTorch's AdaptiveMaxPool2d, whose windows Keras has, too.
    """

    reduction: ClassVar[str] = "max"

    def pooled(self, x: Array) -> tuple[Array, Cache]:
        if regular := self.regular(x.shape[1:3]):
            y, picked = ops.max_pool2d(x, **regular)
            return y, (picked, x.shape)
        y = np.empty((len(x), *self.output_size, x.shape[-1]), x.dtype)
        picked = np.empty(y.shape, np.int64)
        for i, j, rows, columns in self.windows(x.shape[1:3]):
            window = x[:, rows, columns].reshape(len(x), -1, x.shape[-1])
            picked[:, i, j] = window.argmax(axis=1)
            y[:, i, j] = window.max(axis=1)
        return y, (picked, x.shape)

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Array | None, dict[str, Array]]:
        if not need_dx:
            return None, {}
        picked, shape = cache
        if regular := self.regular(shape[1:3]):
            return ops.max_pool2d_backward(dy, picked, shape, **regular), {}
        dx = np.zeros(shape, dy.dtype)
        example, channel = np.ogrid[: shape[0], : shape[-1]]
        for i, j, rows, columns in self.windows(shape[1:3]):
            down, right = np.divmod(picked[:, i, j], columns.stop - columns.start)
            dx[example, rows.start + down, columns.start + right, channel] += dy[:, i, j]
        return dx, {}


class _Series(AdaptivePool2D):
    """Put before a 2-D layer among the bases, its form for series, (N,W,C) as pictures one pixel high."""

    def _standard(self, given: Any) -> Pair:
        return 1, width(given, f"{type(self).__name__}: output_size")

    def output_shape(self, input_shape: Shape) -> Shape:
        self.check_rank(input_shape, "W, C", "add the missing axis, e.g. a last axis of 1 for one series")
        return self.output_size[1], input_shape[1]

    def pooled(self, x: Array) -> tuple[Array, Cache]:
        y, cache = super().pooled(x[:, np.newaxis])
        return y[:, 0], cache

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Array | None, dict[str, Array]]:
        dx, _ = super().backward(dy[:, np.newaxis], cache, need_dx=need_dx)
        return None if dx is None else dx[:, 0], {}

    def config(self) -> dict[str, Any]:
        return {**super().config(), "output_size": self.output_size[1]}

    def detail(self) -> str:
        return str(self.output_size[1])


class AdaptiveAvgPool1D(_Series, AdaptiveAvgPool2D):
    """Mean of each of so many stretches as are asked for. Shapes: x (N,W,C) -> y (N, output_size, C).

    Errors: as AdaptiveAvgPool2D.
    """


class AdaptiveMaxPool1D(_Series, AdaptiveMaxPool2D):
    """Largest value of each of so many stretches as are asked for. Shapes: x (N,W,C) -> y (N, output_size, C).

    Errors: as AdaptiveMaxPool2D.
    """
