"""A power of each number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

import numpy as np

from pellucid.layers.layer import Cache, Key, Layer, Named
from pellucid.ops import Array, Shape
from pellucid.ops.geometry import number

MOST = 64


class Power(Layer):
    """y = x^exponent for each number: 0.5 is the square root, -1 the reciprocal, so x * Power(-1)(y) is x / y.

    Shapes: any, unchanged.
    Errors: ConfigError for an exponent that is no number from -64 to 64. As in NumPy, a power that has no value is NaN,
    and 0 to a negative one infinite.
    """

    caption = ("power",)

    def __init__(self, exponent: float, **named: Unpack[Named]) -> None:
        super().__init__(**named)
        self.exponent = number(exponent, "Power: exponent", -MOST, MOST)

    def output_shape(self, input_shape: Shape) -> Shape:
        return tuple(input_shape)

    def forward(self, x: Array, *, training: bool = False, key: Key | None = None) -> tuple[Array, Cache]:
        with np.errstate(all="ignore"):
            return np.power(x, x.dtype.type(self.exponent)), x

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Array | None, dict[str, Array]]:
        if not need_dx:
            return None, {}
        with np.errstate(all="ignore"):
            slope = self.exponent * np.power(cache, cache.dtype.type(self.exponent - 1))
        return np.asarray(dy * slope.astype(dy.dtype)), {}

    def calculate(self, x: Any, weights: Mapping[str, Any], *, training: bool, key: Key | None) -> Any:
        return np.power(x, self.exponent)

    def detail(self) -> str:
        return f"{self.exponent:.4g}"
