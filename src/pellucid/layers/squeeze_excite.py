"""A block of layers by which a network turns its own channels up and down."""

from __future__ import annotations

from pellucid.errors import ConfigError, ShapeError, shown
from pellucid.layers.dense import Dense
from pellucid.layers.merge import Multiply
from pellucid.layers.pool import GlobalAvgPool2D
from pellucid.layers.symbolic import Symbolic, Value
from pellucid.ops.geometry import whole


class SqueezeExcite:
    """Each channel is multiplied by a number between 0 and 1 that the means of all channels give.

    GlobalAvgPool2D, Dense(filters, activation), Dense(C, gate) and Multiply, as EfficientNet and MobileNetV3 have them:
    called on a value, it adds these four layers, NAME_squeeze, NAME_reduce, NAME_expand and NAME where it has a name.

    Shapes: x (N,H,W,C) -> the same. filters: between the two dense layers; None for C // ratio, at least 1.
    Errors: ConfigError for arguments, or where it is called on an array; ShapeError for anything but maps.
    Source: Hu, Shen & Sun 2018, equations 2 to 4.
    """

    def __init__(
        self,
        ratio: int = 16,
        *,
        filters: int | None = None,
        activation: str | None = "relu",
        gate: str | None = "sigmoid",
        name: str | None = None,
    ) -> None:
        self.ratio = whole(ratio, "SqueezeExcite: ratio")
        self.filters = None if filters is None else whole(filters, "SqueezeExcite: filters")
        self.activation, self.gate, self.name = activation, gate, name

    def __call__(self, x: Symbolic) -> Value:
        if not isinstance(x, Symbolic):
            raise ConfigError(f"SqueezeExcite is a block of layers: call it on a value of an Input, got {shown(x)}")
        if len(x.shape) != 3:
            raise ShapeError(f"SqueezeExcite takes maps (N, H, W, C), got (N, {', '.join(map(str, x.shape))})")
        filters = max(1, x.shape[-1] // self.ratio) if self.filters is None else self.filters
        squeeze, reduce, expand = (
            None if self.name is None else f"{self.name}_{part}" for part in ("squeeze", "reduce", "expand")
        )
        row: Value = GlobalAvgPool2D(name=squeeze)(x)
        row = Dense(filters, self.activation, name=reduce)(row)
        row = Dense(x.shape[-1], self.gate, name=expand)(row)
        scaled: Value = Multiply(name=self.name)([x, row])
        return scaled
