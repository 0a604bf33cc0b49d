"""Radial basis functions: each unit says how near its input is to the unit's own point."""

from __future__ import annotations

from typing import Unpack

import numpy as np

from pellucid import initializers, ops
from pellucid._arguments import within
from pellucid.initializers import InitializerLike
from pellucid.layers.dense import Units
from pellucid.layers.layer import Cache, Key, Named
from pellucid.ops import Array, Shape
from pellucid.ops.geometry import whole


class RBF(Units):
    """Minus the squared distance to each unit's point: y[n,k] = -sum over j of (x[n,j] - kernel[j,k])^2.

    The paper's sign turned: the nearest class has the largest output, as everywhere else, and Softmax() behind it gives
    the probabilities of Gaussians of equal width around the points.

    Shapes: x (N,inputs) -> y (N,units); kernel (inputs,units).
    Errors: ConfigError for arguments; ShapeError for anything but rows of the length it was built for.
    Source: LeCun, Bottou, Bengio & Haffner 1998, section II-B, equation 7.
    """

    role = "distance"
    caption = ("RBF units",)

    def __init__(
        self,
        units: int,
        kernel_initializer: InitializerLike = "random_signs",
        **named: Unpack[Named],
    ) -> None:
        super().__init__(**named)
        self.units = whole(units, "RBF: units")
        self.kernel_initializer = within("RBF: kernel_initializer", initializers.get, kernel_initializer)

    def output_shape(self, input_shape: Shape) -> Shape:
        self.check_rank(input_shape, "inputs", "put Flatten() or GlobalAvgPool2D() before it")
        return super().output_shape(input_shape)

    def build(self, input_shape: Shape, rng: np.random.Generator) -> None:
        self.output_shape(input_shape)
        self.params = {"kernel": self.draw("kernel_initializer", (input_shape[0], self.units), rng)}
        self.built = True

    def forward(self, x: Array, *, training: bool = False, key: Key | None = None) -> tuple[Array, Cache]:
        self.output_shape(x.shape[1:])
        kernel = self.params["kernel"]
        # -|x - w|^2 = 2 x.w - |x|^2 - |w|^2: one matrix product
        y = ops.dense(x, kernel)
        y *= 2
        y -= np.square(x).sum(axis=1, keepdims=True)
        y -= np.square(kernel).sum(axis=0)
        return y, x

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Array | None, dict[str, Array]]:
        x, kernel = cache, self.params["kernel"]
        dkernel = 2 * (ops.dense_backward_kernel(x, dy) - kernel * ops.bias_backward(dy))
        if not need_dx:
            return None, {"dkernel": dkernel}
        dx = 2 * (ops.dense_backward_input(dy, kernel) - x * dy.sum(axis=1, keepdims=True))
        return dx, {"dkernel": dkernel}

    def detail(self) -> str:
        return str(self.units)
