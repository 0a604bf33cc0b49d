"""Series as pictures one pixel high: what makes the 1-D layers out of the 2-D ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pellucid.errors import ConfigError, shown
from pellucid.layers.layer import Cache, Key
from pellucid.layers.window import Windowed
from pellucid.ops import Array, Pair, Shape
from pellucid.ops.geometry import MAX_SIDE, Padding, standardize_padding, whole


class OneRow(Windowed):
    """Put before a 2-D layer among the bases, it gives that layer's 1-D form: (N,W,C) goes in as (N,1,W,C).

    Inside, kernels, strides and pads stay pairs whose first half is 1 (or no padding).
    """

    def _size_of(self, value: Any, argument: str, least: int = 1) -> Pair:
        return least, width(value, f"{type(self).__name__}: {argument}", least)

    def _padding_of(self, value: Any) -> Padding:
        return width_padding(value, f"{type(self).__name__}: padding")

    def _size_words(self, size: Pair) -> str:
        return str(size[1])

    def draw(self, argument: str, shape: Shape, rng: np.random.Generator) -> Array:
        """Kernels are kept without their one row, as Keras keeps them."""
        return super().draw(argument, shape[1:] if len(shape) > 1 else shape, rng)

    def output_shape(self, input_shape: Shape) -> Shape:
        self.check_series(input_shape)
        return super().output_shape((1, *input_shape))[1:]

    def forward(self, x: Array, *, training: bool = False, key: Key | None = None) -> tuple[Array, Cache]:
        self.check_series(x.shape[1:])
        y, cache = super().forward(x[:, np.newaxis], training=training, key=key)
        return y[:, 0], cache

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Array | None, dict[str, Array]]:
        dx, grads = super().backward(dy[:, np.newaxis], cache, need_dx=need_dx)
        return (None if dx is None else dx[:, 0]), grads

    def macs(self, input_shape: Shape) -> int:
        return super().macs((1, *input_shape))

    def check_series(self, input_shape: Shape) -> None:
        """Errors: ShapeError unless the input is (W, C)."""
        self.check_rank(input_shape, "W, C", "add the missing axis, e.g. a last axis of 1 for one series")

    def config(self) -> dict[str, Any]:
        arguments = super().config()
        for name in ("kernel_size", "pool_size", "strides", "dilation_rate", "output_padding"):
            if arguments.get(name) is not None:
                arguments[name] = arguments[name][1]
        if not isinstance(arguments["padding"], str):
            arguments["padding"] = arguments["padding"][1]
        return arguments


def width(value: int | Sequence[int], name: str, least: int = 1) -> int:
    """One number, given bare or as a sequence of one, as Keras takes both. Errors: ConfigError for one below least."""
    bare = value[0] if isinstance(value, Sequence) and not isinstance(value, str) and len(value) == 1 else value
    return whole(bare, name, MAX_SIDE, least=least)


def width_padding(padding: str | int | Sequence[int], name: str) -> Padding:
    """Padding along the width alone: a word, a number for both ends, or (left, right). Errors: ConfigError."""
    if isinstance(padding, str):
        return standardize_padding(padding, name)
    ends = (padding, padding) if isinstance(padding, int | np.integer) else padding
    try:
        return standardize_padding(((0, 0), ends), name)
    except ConfigError:
        raise ConfigError(
            f'{name} must be "valid", "same", a number of samples or (left, right), none negative, '
            f"none above {MAX_SIDE:,}, got {shown(padding)}"
        ) from None
