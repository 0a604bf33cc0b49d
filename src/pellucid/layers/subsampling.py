"""Pooling with weights of its own, as networks had it before max pooling."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Unpack

import numpy as np

from pellucid import initializers, ops
from pellucid._arguments import within
from pellucid.initializers import InitializerLike
from pellucid.layers.layer import Cache, Key, Named
from pellucid.layers.pool import Pool2D
from pellucid.ops import Array, Shape


class Subsampling2D(Pool2D):
    """Sum of each window, times one trained coefficient a map, plus one trained bias.

    y[n,i,j,c] = kernel[c] * sum over (a,b) of x[n, i*SH+a, j*SW+b, c] + bias[c]. The paper squashes the result: put
    ScaledTanh() behind.

    Shapes: x (N,H,W,C) -> y (N,OH,OW,C), OH = (H - PH) // SH + 1, OW likewise; kernel, bias (C,).
    Units: pool_size, strides (None: pool_size) in pixels. The initializers see fans of PH * PW.
    Errors: ShapeError if a window does not fit; ConfigError for sizes below 1.
    Source: LeCun, Bottou, Bengio & Haffner 1998, section II-B, layers S2 and S4.
    """

    reduction = "sum"
    linear = True

    def __init__(
        self,
        pool_size: int | Sequence[int] = 2,
        strides: int | Sequence[int] | None = None,
        *,
        kernel_initializer: InitializerLike = "lecun_uniform",
        bias_initializer: InitializerLike = "zeros",
        **named: Unpack[Named],
    ) -> None:
        super().__init__(pool_size, strides, **named)
        self.kernel_initializer = within("Subsampling2D: kernel_initializer", initializers.get, kernel_initializer)
        self.bias_initializer = within("Subsampling2D: bias_initializer", initializers.get, bias_initializer)

    def build(self, input_shape: Shape, rng: np.random.Generator) -> None:
        channels = self.output_shape(input_shape)[-1]
        # one weight a map, drawn as one of the PH * PW equal ones that its window has
        drawn = self.draw("kernel_initializer", (*self.pool_size, 1, channels), rng)
        self.params = {
            "kernel": np.ascontiguousarray(drawn[0, 0, 0]),
            "bias": self.draw("bias_initializer", (channels,), rng),
        }
        self.built = True

    @property
    def caption(self) -> tuple[str, ...]:
        return (super().caption[0].replace("sum pool", "subsampling"),)

    def forward(self, x: Array, *, training: bool = False, key: Key | None = None) -> tuple[Array, Cache]:
        self._map_shape(x.shape[1:])
        sums = ops.avg_pool2d(x, **self.options(x.shape[1:]))
        sums *= sums.dtype.type(math.prod(self.pool_size))
        y = sums * self.params["kernel"]
        y += self.params["bias"]
        return y, (sums, x.shape)

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Array | None, dict[str, Array]]:
        sums, x_shape = cache
        grads = {"dkernel": ops.bias_backward(dy * sums), "dbias": ops.bias_backward(dy)}
        if not need_dx:
            return None, grads
        taps = self.params["kernel"].dtype.type(math.prod(self.pool_size))
        shared = dy * (self.params["kernel"] * taps)
        return ops.avg_pool2d_backward(shared, x_shape, **self.options(x_shape[1:])), grads
