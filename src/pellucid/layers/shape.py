"""Layers that only rearrange: the input's shape, Flatten, zero padding."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Unpack

from pellucid import ops
from pellucid.errors import ConfigError, ShapeError, shown
from pellucid.layers.layer import Cache, Key, Layer, Named
from pellucid.layers.symbolic import Symbolic
from pellucid.layers.window import describe_padding
from pellucid.ops import Array, Pads, Shape
from pellucid.ops.geometry import expect_numbers, padded_shape, standardize_padding, standardize_shape


class Input(Layer, Symbolic):
    """States the shape of what comes in, and passes it on: the first of a Sequential, or what layers are called on.

    Shapes: shape is without the batch axis; x (N, *shape) -> x.
    Errors: ConfigError for sizes below 1; ShapeError for pictures of another shape.
    """

    role = "input"

    def __init__(self, shape: Sequence[int], *, name: str | None = None, trainable: bool = True) -> None:
        self.shape = standardize_shape(shape, "Input: shape")
        super().__init__(name=name, input_shape=self.shape, trainable=trainable)

    def output_shape(self, input_shape: Shape) -> Shape:
        if tuple(input_shape) != self.shape:
            raise ShapeError(
                f"{self.place()} expects (N, {self.detail()}), got (N, {', '.join(map(str, input_shape))})"
            )
        return self.shape

    def forward(self, x: Array, *, training: bool = False, key: Key | None = None) -> tuple[Array, Cache]:
        self.output_shape(x.shape[1:])
        return x, None

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Array | None, dict[str, Array]]:
        return dy if need_dx else None, {}

    def detail(self) -> str:
        return ", ".join(map(str, self.shape))


class Flatten(Layer):
    """Each picture as one row of numbers, in order of row, column, channel.

    Shapes: x (N,...) -> y (N,inputs), inputs the product of the rest; a view, nothing is copied.
    """

    role = "flatten"

    def output_shape(self, input_shape: Shape) -> Shape:
        return (math.prod(input_shape),)

    def forward(self, x: Array, *, training: bool = False, key: Key | None = None) -> tuple[Array, Cache]:
        return x.reshape(x.shape[0], math.prod(x.shape[1:])), x.shape

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Array | None, dict[str, Array]]:
        return dy.reshape(cache) if need_dx else None, {}


class ZeroPadding2D(Layer):
    """A border of zeros around each picture.

    Shapes: x (N,H,W,C) -> y (N, top+H+bottom, left+W+right, C).
    Units: padding in pixels: a number, (rows, columns), or ((top, bottom), (left, right)).
    Errors: ConfigError for padding that is negative or a word.
    """

    role = "padding"
    caption = ("zero padding",)

    def __init__(
        self,
        padding: int | Sequence[Any] = 1,
        **named: Unpack[Named],
    ) -> None:
        super().__init__(**named)
        pads = standardize_padding(padding, "ZeroPadding2D: padding")
        if isinstance(pads, str):
            raise ConfigError(
                f"ZeroPadding2D: padding must be pixels, got {shown(padding)}; a convolution takes the word itself"
            )
        self.padding = pads

    def pads(self, input_shape: Shape) -> Pads:
        return self.padding

    def output_shape(self, input_shape: Shape) -> Shape:
        self.check_rank(input_shape, "H, W, C", "add the missing axes")
        shape = padded_shape(input_shape, self.padding)
        expect_numbers(shape, f"{self.place()}: its output")
        return shape

    def forward(self, x: Array, *, training: bool = False, key: Key | None = None) -> tuple[Array, Cache]:
        self.output_shape(x.shape[1:])
        return ops.zero_pad2d(x, self.padding), x.shape

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Array | None, dict[str, Array]]:
        if not need_dx:
            return None, {}
        _, rows, columns, _ = cache
        (top, _), (left, _) = self.padding
        return dy[:, top : top + rows, left : left + columns].copy(), {}

    def detail(self) -> str:
        return describe_padding(self.padding)
