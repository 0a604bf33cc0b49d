"""The fully connected layer."""

from __future__ import annotations

from typing import Any, Unpack

from pellucid import ops
from pellucid.errors import ShapeError
from pellucid.layers.activation import activate, activate_backward, with_activation
from pellucid.layers.layer import Cache, Key, Layer
from pellucid.layers.weighted import Weighted, WeightedNamed
from pellucid.ops import Array, Shape
from pellucid.ops.geometry import whole
from pellucid.ops.macs import dense_macs


class Units(Layer):
    """A row of units, each of which sees every input of the last axis through a column of the kernel (inputs,units)."""

    units: int

    def output_shape(self, input_shape: Shape) -> Shape:
        if self.params and input_shape[-1] != self.params["kernel"].shape[0]:
            raise ShapeError(
                f"{self.place()} was built for {self.params['kernel'].shape[0]} inputs, got {input_shape[-1]}"
                f"{self.source()}; give pictures of the size it was built for, or build a new layer"
            )
        return *input_shape[:-1], self.units

    def macs(self, input_shape: Shape) -> int:
        return dense_macs((*input_shape[:-1], self.units), self.params["kernel"].shape)


class Dense(Units, Weighted):
    """Every unit sees every input: y = f(x @ kernel + bias). Of pictures, at each place by itself: Flatten() before it
    makes one row of them.

    Shapes: x (N,...,inputs) -> y (N,...,units); kernel (inputs,units), bias (units,).
    Errors: ConfigError for arguments; ShapeError for another number of inputs than it was built for.
    """

    supports_masking = True
    role = "dense"
    linear = True
    caption = ("dense",)

    def __init__(
        self,
        units: int,
        *weighted: Any,
        **named: Unpack[WeightedNamed],
    ) -> None:
        super().__init__(*weighted, **named)
        self.units = whole(units, "Dense: units")

    def _kernel_shape(self, channels: int) -> Shape:
        return channels, self.units

    def forward(self, x: Array, *, training: bool = False, key: Key | None = None) -> tuple[Array, Cache]:
        shape = self.output_shape(x.shape[1:])
        z = ops.dense(_rows(x), self.params["kernel"], self.params.get("bias")).reshape(len(x), *shape)
        y, kept = activate(z, self.nonlinearity, in_place=True)
        return y, (x, kept)

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Array | None, dict[str, Array]]:
        x, kept = cache
        dz = _rows(activate_backward(dy, kept, self.nonlinearity))
        grads = {"dkernel": ops.dense_backward_kernel(_rows(x), dz)}
        if self.use_bias:
            grads["dbias"] = ops.bias_backward(dz)
        return self._dx(dz, x) if need_dx else None, grads

    def backward_input(self, dy: Array, cache: Cache) -> Array:
        x, kept = cache
        return self._dx(_rows(activate_backward(dy, kept, self.nonlinearity)), x)

    def _dx(self, dz: Array, x: Array) -> Array:
        return ops.dense_backward_input(dz, self.params["kernel"]).reshape(x.shape)

    def detail(self) -> str:
        return with_activation(str(self.units), self.activation)


def _rows(x: Array) -> Array:
    """(N, ..., inputs) as (rows, inputs)."""
    return x.reshape(-1, x.shape[-1])
