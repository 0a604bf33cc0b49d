"""Convolutions whose filters see one channel each, alone and with one that mixes the channels behind it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

import numpy as np

from pellucid import initializers, ops
from pellucid.initializers import InitializerLike
from pellucid.layers.activation import activate, activate_backward
from pellucid.layers.constraint import Constraint
from pellucid.layers.conv import BaseConv2D, SpreadNamed
from pellucid.layers.layer import Cache, Key
from pellucid.layers.one_row import OneRow
from pellucid.layers.penalty import Penalty
from pellucid.layers.weighted import BiasedNamed, hold
from pellucid.ops import Array, Shape
from pellucid.ops.geometry import NO_PADS, Convolution, whole
from pellucid.ops.macs import conv2d_macs

POINTWISE: Convolution = {"strides": (1, 1), "padding": NO_PADS}
"""A convolution that sees one place."""


class DepthwiseNamed(SpreadNamed, BiasedNamed, total=False):
    """What the constructor of `DepthwiseConv2D` hands on."""


class SeparableNamed(DepthwiseNamed, total=False):
    """What that of `SeparableConv2D` hands on to it."""

    depth_multiplier: int
    depthwise_initializer: InitializerLike
    depthwise_regularizer: Any
    depthwise_constraint: Any


class DepthwiseConv2D(BaseConv2D):
    """M filters a channel, each of which sees that channel alone.

    y[n,i,j,c*M+m] = f(bias[c*M+m] + sum over (a,b) of x[n,i*SH+a,j*SW+b,c] * k[a,b,c,m]); a Conv2D with as many groups
    as channels.

    Shapes: x (N,H,W,C) -> y (N,OH,OW,C*M), OH and OW as Conv2D's; kernel (KH,KW,C,M), bias (C*M,); M: depth_multiplier.
    Units: kernel_size, strides, padding, dilation_rate in pixels, as Conv2D's.
    Errors: as Conv2D.
    Source: Howard et al. 2017, "MobileNets", section 3.1; the filters' order is Keras's.
    """

    noun = "depthwise conv"
    kernel_word = "depthwise"

    def __init__(
        self,
        kernel_size: int | Sequence[int],
        strides: int | Sequence[int] = 1,
        padding: str | int | Sequence[Any] = "valid",
        depth_multiplier: int = 1,
        *,
        depthwise_initializer: InitializerLike = "glorot_uniform",
        depthwise_regularizer: Any = None,
        depthwise_constraint: Any = None,
        **named: Unpack[DepthwiseNamed],
    ) -> None:
        kernel = {
            "kernel_initializer": depthwise_initializer,
            "kernel_regularizer": depthwise_regularizer,
            "kernel_constraint": depthwise_constraint,
        }
        super().__init__(kernel_size, strides, padding, **kernel, **named)
        self.depth_multiplier = whole(depth_multiplier, f"{type(self).__name__}: depth_multiplier")

    @property
    def depthwise_initializer(self) -> initializers.Initializer:
        return self.kernel_initializer

    @property
    def depthwise_regularizer(self) -> Penalty | None:
        return self.kernel_regularizer

    @property
    def depthwise_constraint(self) -> Constraint | None:
        return self.kernel_constraint

    def filters_of(self, channels: int) -> int:
        return channels * self.depth_multiplier

    def groups_of(self, channels: int) -> int:
        return channels

    @property
    def note(self) -> str:
        return f"multiplier {self.depth_multiplier}" if self.depth_multiplier > 1 else ""

    @property
    def caption(self) -> tuple[str, ...]:
        return (*super().caption, self.note) if self.note else super().caption

    def as_filters(self, kernel: Array) -> Array:
        return kernel.reshape(*self.kernel_size, 1, -1)

    def _kernel_shape(self, channels: int) -> Shape:
        return (*self.kernel_size, channels, self.depth_multiplier)


class SeparableConv2D(DepthwiseConv2D):
    """A DepthwiseConv2D, then a sum over channels at each place: together a Conv2D with far fewer weights.

    d[n,i,j,c*M+m] = sum over (a,b) of x[n,i*SH+a,j*SW+b,c] * depthwise[a,b,c,m];
    y[n,i,j,o] = f(bias[o] + sum over q of d[n,i,j,q] * pointwise[0,0,q,o]).

    Shapes: x (N,H,W,C) -> y (N,OH,OW,O), OH and OW as Conv2D's; depthwise_kernel (KH,KW,C,M), pointwise_kernel
        (1,1,C*M,O), bias (O,); M: depth_multiplier.
    Units: as Conv2D.
    Errors: as Conv2D.
    Source: Chollet 2017, "Xception", section 1; there is nothing between the two, as in Keras.
    """

    noun = "separable conv"
    last_kernel = "pointwise_kernel"
    pointwise_regularizer: Penalty | None
    pointwise_constraint: Constraint | None

    def __init__(
        self,
        filters: int,
        kernel_size: int | Sequence[int],
        strides: int | Sequence[int] = 1,
        padding: str | int | Sequence[Any] = "valid",
        *,
        pointwise_initializer: InitializerLike = "glorot_uniform",
        pointwise_regularizer: Any = None,
        pointwise_constraint: Any = None,
        **named: Unpack[SeparableNamed],
    ) -> None:
        super().__init__(kernel_size, strides, padding, **named)
        self.filters = whole(filters, f"{type(self).__name__}: filters")
        hold(self, "pointwise", pointwise_initializer, pointwise_regularizer, pointwise_constraint)

    def _draw_kernels(self, channels: int, rng: np.random.Generator) -> dict[str, Array]:
        pointwise = (1, 1, channels * self.depth_multiplier, self.filters)
        return {
            "depthwise_kernel": self._draw_kernel(channels, rng),
            "pointwise_kernel": self.draw("pointwise_initializer", pointwise, rng),
        }

    def forward(self, x: Array, *, training: bool = False, key: Key | None = None) -> tuple[Array, Cache]:
        self._map_shape(x.shape[1:])
        d = ops.conv2d(x, self._kernel(), **self.options(x.shape[1:]))
        z = ops.conv2d(d, self.pointwise_filters, self.params.get("bias"), **POINTWISE)
        y, kept = activate(z, self.nonlinearity, in_place=True)
        return y, (x, d, kept)

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Array | None, dict[str, Array]]:
        x, d, kept = cache
        dz = activate_backward(dy, kept, self.nonlinearity)
        pointwise, depthwise, options = self.pointwise_filters, self._kernel(), self.options(x.shape[1:])
        dd = ops.conv2d_backward_input(dz, pointwise, d.shape, **POINTWISE)
        grads = {
            "dpointwise_kernel": ops.conv2d_backward_kernel(d, dz, pointwise.shape, **POINTWISE).reshape(
                self.params["pointwise_kernel"].shape
            ),
            "ddepthwise_kernel": self._as_stored(ops.conv2d_backward_kernel(x, dd, depthwise.shape, **options)),
        }
        if self.use_bias:
            grads["dbias"] = ops.bias_backward(dz)
        return (ops.conv2d_backward_input(dd, depthwise, x.shape, **options) if need_dx else None), grads

    def backward_input(self, dy: Array, cache: Cache) -> Array:
        x, d, kept = cache
        dz = activate_backward(dy, kept, self.nonlinearity)
        dd = ops.conv2d_backward_input(dz, self.pointwise_filters, d.shape, **POINTWISE)
        return ops.conv2d_backward_input(dd, self._kernel(), x.shape, **self.options(x.shape[1:]))

    def macs(self, input_shape: Shape) -> int:
        rows, columns, _ = self._map_shape(input_shape)
        kernel, pointwise = self._kernel().shape, self.pointwise_filters.shape
        return conv2d_macs((rows, columns, kernel[-1]), kernel) + conv2d_macs((rows, columns, self.filters), pointwise)

    def penalties(self) -> dict[str, Penalty]:
        kernels = {"depthwise_kernel": self.depthwise_regularizer, "pointwise_kernel": self.pointwise_regularizer}
        return self._given({**kernels, "bias": self.bias_regularizer})

    def constraints(self) -> dict[str, Constraint]:
        kernels = {"depthwise_kernel": self.depthwise_constraint, "pointwise_kernel": self.pointwise_constraint}
        return self._given({**kernels, "bias": self.bias_constraint})

    def filters_of(self, channels: int) -> int:
        return self.filters

    def channels_seen(self, channel: int, channels: int) -> tuple[int, ...]:
        return tuple(range(channels))

    def filter_kernel(self, channel: int) -> Array:
        """The weights of the one convolution that both together are."""
        kernel = self._kernel().reshape(*self.kernel_size, -1, self.depth_multiplier)
        pointwise = self.pointwise_filters[0, 0, :, channel].reshape(kernel.shape[2:])
        return np.asarray((kernel * pointwise).sum(axis=-1))

    def _kernel(self) -> Array:
        return self.as_filters(self.params["depthwise_kernel"])

    def _as_stored(self, dkernel: Array) -> Array:
        return dkernel.reshape(self.params["depthwise_kernel"].shape)

    def _built_channels(self) -> int | None:
        return self.params["depthwise_kernel"].shape[-2] if self.params else None

    @property
    def pointwise_filters(self) -> Array:
        """The kernel that mixes channels, as (1,1,C*M,O)."""
        return self.params["pointwise_kernel"].reshape(1, 1, -1, self.filters)


class DepthwiseConv1D(OneRow, DepthwiseConv2D):
    """M filters a channel of a series, each of which sees that channel alone; a DepthwiseConv2D one pixel high.

    y[n,j,c*M+m] = f(bias[c*M+m] + sum over b of x[n,j*S+b,c] * k[b,c,m]).

    Shapes: x (N,W,C) -> y (N,OW,C*M); kernel (K,C,M), bias (C*M,); M: depth_multiplier.
    Units: kernel_size, strides, padding, dilation_rate in samples; padding a word, a number, or (left, right).
    Errors: as Conv2D.
    """


class SeparableConv1D(OneRow, SeparableConv2D):
    """A DepthwiseConv1D, then a sum over channels at each place; a SeparableConv2D one pixel high.

    Shapes: x (N,W,C) -> y (N,OW,O); depthwise_kernel (K,C,M), pointwise_kernel (1,C*M,O), bias (O,).
    Units: kernel_size, strides, padding, dilation_rate in samples; padding a word, a number, or (left, right).
    Errors: as Conv2D.
    """
