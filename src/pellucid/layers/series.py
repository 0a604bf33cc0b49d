"""Layers for series, (N,W,C), without a weight: ends added, cut off, or every number repeated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

import numpy as np

from pellucid.errors import ConfigError, ShapeError, shown
from pellucid.layers.layer import Cache, Key, Layer, Named
from pellucid.ops import Array, Shape
from pellucid.ops.geometry import MAX_SIDE, expect_numbers, whole


class Ends(Layer):
    """What is done at both ends of a series. Units: samples."""

    linear = True

    def _ends(self, given: Any, argument: str) -> tuple[int, int]:
        """(left, right) from such a pair or one number. Errors: ConfigError."""
        pair = (given, given) if isinstance(given, int | np.integer) else given
        where = f"{type(self).__name__}: {argument}"
        if not isinstance(pair, Sequence) or isinstance(pair, str) or len(pair) != 2:
            raise ConfigError(f"{where} must be a number of samples or (left, right), got {shown(given)}")
        left, right = (whole(each, where, MAX_SIDE, least=0) for each in pair)
        return left, right

    def _sized(self, input_shape: Shape, width: int) -> Shape:
        if width < 1:
            raise ShapeError(f"{self.place()} leaves nothing of {input_shape[0]} samples{self.source()}")
        expect_numbers((width, input_shape[1]), f"{self.place()}: its output")
        return width, input_shape[1]


class ZeroPadding1D(Ends):
    """Zeros before and behind each series.

    Shapes: x (N,W,C) -> y (N, left+W+right, C).
    Units: padding in samples: a number, or (left, right).
    Errors: ConfigError for a negative number.
    """

    role = "padding"

    def __init__(self, padding: int | Sequence[int] = 1, **named: Unpack[Named]) -> None:
        super().__init__(**named)
        self.padding = self._ends(padding, "padding")

    def output_shape(self, input_shape: Shape) -> Shape:
        self.check_rank(input_shape, "W, C", "add the missing axis")
        return self._sized(input_shape, input_shape[0] + sum(self.padding))

    def forward(self, x: Array, *, training: bool = False, key: Key | None = None) -> tuple[Array, Cache]:
        self.output_shape(x.shape[1:])
        return np.pad(x, ((0, 0), self.padding, (0, 0))), x.shape[1]

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Array | None, dict[str, Array]]:
        left = self.padding[0]
        return np.ascontiguousarray(dy[:, left : left + cache]) if need_dx else None, {}

    def origin(self, place: Shape, input_shape: Shape) -> Shape | None:
        from_left = place[0] - self.padding[0]
        return (from_left, place[1]) if 0 <= from_left < input_shape[0] else None

    def detail(self) -> str:
        return f"{self.padding[0]},{self.padding[1]}"


class Cropping1D(Ends):
    """Samples cut off before and behind each series.

    Shapes: x (N,W,C) -> y (N, W-left-right, C).
    Units: cropping in samples: a number, or (left, right).
    Errors: ConfigError for a negative number; ShapeError where nothing is left.
    """

    role = "cropping"

    def __init__(self, cropping: int | Sequence[int] = (1, 1), **named: Unpack[Named]) -> None:
        super().__init__(**named)
        self.cropping = self._ends(cropping, "cropping")

    def output_shape(self, input_shape: Shape) -> Shape:
        self.check_rank(input_shape, "W, C", "add the missing axis")
        return self._sized(input_shape, input_shape[0] - sum(self.cropping))

    def forward(self, x: Array, *, training: bool = False, key: Key | None = None) -> tuple[Array, Cache]:
        width = self.output_shape(x.shape[1:])[0]
        return np.ascontiguousarray(x[:, self.cropping[0] : self.cropping[0] + width]), None

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Array | None, dict[str, Array]]:
        return np.pad(dy, ((0, 0), self.cropping, (0, 0))) if need_dx else None, {}

    def origin(self, place: Shape, input_shape: Shape) -> Shape:
        return place[0] + self.cropping[0], place[1]

    def detail(self) -> str:
        return f"{self.cropping[0]},{self.cropping[1]}"


class UpSampling1D(Ends):
    """Every sample repeated.

    Shapes: x (N,W,C) -> y (N, W*size, C).
    Errors: ConfigError for a size below 1; ShapeError for series that grow too long.
    """

    role = "upsampling"

    def __init__(self, size: int = 2, **named: Unpack[Named]) -> None:
        super().__init__(**named)
        self.size = whole(size, "UpSampling1D: size", MAX_SIDE)

    def output_shape(self, input_shape: Shape) -> Shape:
        self.check_rank(input_shape, "W, C", "add the missing axis")
        return self._sized(input_shape, input_shape[0] * self.size)

    def forward(self, x: Array, *, training: bool = False, key: Key | None = None) -> tuple[Array, Cache]:
        self.output_shape(x.shape[1:])
        return np.repeat(x, self.size, axis=1), None

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Array | None, dict[str, Array]]:
        n, width, channels = dy.shape
        return dy.reshape(n, width // self.size, self.size, channels).sum(axis=2) if need_dx else None, {}

    def origin(self, place: Shape, input_shape: Shape) -> Shape:
        return place[0] // self.size, place[1]

    def detail(self) -> str:
        return str(self.size)
