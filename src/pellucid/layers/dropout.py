"""Dropout: random zeros while training, so that no unit leans on another."""

from __future__ import annotations

from typing import Unpack

from pellucid import ops
from pellucid.errors import ConfigError
from pellucid.layers.layer import Cache, Key, Layer, Named
from pellucid.ops import Array
from pellucid.ops.geometry import number


class Dropout(Layer):
    """While training, each value is 0 with probability `rate`, else x / (1 - rate); in use, x itself.

    The draw is a function of key = (seed, step, layer index) and the place in the array, so the cache is the key alone,
    and backward draws the same zeros again.

    Shapes: any, unchanged.
    Errors: ConfigError for a rate outside [0, 1), or for a training pass without a key.
    Source: Srivastava et al. 2014, section 10 (scaled while training); Salmon et al. 2011 (Threefry).
    """

    role = "dropout"

    def __init__(
        self,
        rate: float,
        **named: Unpack[Named],
    ) -> None:
        super().__init__(**named)
        self.rate = number(rate, "Dropout: rate", 0.0, 1.0)

    @property
    def drop_rate(self) -> float:
        return self.rate

    @property
    def caption(self) -> tuple[str, ...]:
        return (f"dropout {self.rate:g}",)

    def forward(self, x: Array, *, training: bool = False, key: Key | None = None) -> tuple[Array, Cache]:
        if not training or self.rate == 0.0:
            return x, None
        if key is None:
            raise ConfigError(f"{self.place()} needs key=(seed, step, layer index) in training, got None")
        return ops.dropout(x, self.rate, key), key

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Array | None, dict[str, Array]]:
        if not need_dx:
            return None, {}
        return dy if cache is None else ops.dropout(dy, self.rate, cache), {}

    def detail(self) -> str:
        return f"{self.rate:g}"
