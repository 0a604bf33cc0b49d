"""The convolution that goes the other way: from small maps to larger ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

from pellucid import ops
from pellucid.errors import ConfigError, ShapeError, shown
from pellucid.layers.activation import activate, activate_backward
from pellucid.layers.conv import BaseConv2D, ConvNamed
from pellucid.layers.layer import Cache, Key
from pellucid.layers.one_row import OneRow
from pellucid.ops import Array, Pair, Shape
from pellucid.ops.geometry import (
    Convolution,
    expect_numbers,
    resolve_padding,
    transposed_size,
    whole,
    window_span,
)
from pellucid.ops.macs import conv2d_macs


class Conv2DTranspose(BaseConv2D):
    """Each pixel lays its filters' kernels down, stride pixels apart, and what overlaps is added.

    y[n,i*SH+a*DH-top,j*SW+b*DW-left,o] = f(bias[o] + sum over such (i,j), (a,b) and c of x[n,i,j,c] * k[a,b,o,c]): a
    Conv2D's gradient of its input, and this layer's gradient is that Conv2D. With a 2x2 kernel and stride 2, maps
    become twice as large and nothing overlaps.

    Shapes: x (N,H,W,C) -> y (N,OH,OW,O); kernel (KH,KW,O,C), bias (O,). OH = H*SH with padding="same"; else, for
        "valid" and numbers, (H-1)*SH + (KH-1)*DH + 1 - top - bottom + output_padding.
    Units: kernel_size, strides, padding, output_padding, dilation_rate in pixels. padding: as Conv2D's, cut off the
        result. output_padding: rows and columns more, below and right, less than the strides; None: what makes H*SH of
        "same", and of "valid" at least H*SH. With "same" and a number, OH = (H-1)*SH + (span % 2) + output_padding.
    Errors: ConfigError for arguments; ShapeError for a wrong channel count, or where padding leaves no pixel.
    Source: Zeiler, Krishnan, Taylor & Fergus 2010; Dumoulin & Visin 2016, chapter 4; sizes as in Keras.
    """

    role = "transposed convolution"
    noun = "transposed conv"

    def __init__(
        self,
        filters: int,
        kernel_size: int | Sequence[int],
        strides: int | Sequence[int] = 1,
        padding: str | int | Sequence[Any] = "valid",
        output_padding: int | Sequence[int] | None = None,
        **named: Unpack[ConvNamed],
    ) -> None:
        super().__init__(kernel_size, strides, padding, **named)
        self.filters = whole(filters, f"{type(self).__name__}: filters")
        where = f"{type(self).__name__}: output_padding"
        self.output_padding = None if output_padding is None else self._size_of(output_padding, "output_padding", 0)
        for stride, span, more in zip(self.strides, self._spans, self.output_padding or (), strict=False):
            if more >= stride:
                raise ConfigError(f"{where} must be less than the strides {self.strides}, got {shown(output_padding)}")
            if self.padding == "same" and span % 2 + more == 0:
                raise ConfigError(
                    f'{where} of 0 with padding="same" needs an odd kernel; use None, 1 or more, or padding="valid"'
                )

    @property
    def _spans(self) -> Pair:
        return window_span(self.kernel_size, self.dilation_rate)

    def filters_of(self, channels: int) -> int:
        return self.filters

    def groups_of(self, channels: int) -> int:
        return 1

    def _map_shape(self, input_shape: Shape) -> Shape:
        self._check_channels(input_shape)
        size = self._size(input_shape)
        if min(size) < 1:
            raise ShapeError(
                f"{self.place()} leaves no pixel of {input_shape[0]}x{input_shape[1]}{self.source()}; "
                "use less padding, or a larger picture"
            )
        shape = (*size, self.filters)
        expect_numbers(shape, f"{self.place()}: its output")
        return shape

    def _size(self, input_shape: Shape) -> Pair:
        size = input_shape[0], input_shape[1]
        return transposed_size(
            size, self.kernel_size, self.strides, self.padding, self.output_padding, self.dilation_rate
        )

    def options(self, input_shape: Shape) -> Convolution:
        """What the convolution back from this layer's output takes beside arrays. Shapes: input_shape (H,W,C)."""
        given = self.kernel_size, self.strides, self.dilation_rate
        pads = resolve_padding(self.padding, self._size(input_shape), *given)
        return {"strides": self.strides, "padding": pads, "dilation": self.dilation_rate}

    def forward(self, x: Array, *, training: bool = False, key: Key | None = None) -> tuple[Array, Cache]:
        shape = (len(x), *self._map_shape(x.shape[1:]))
        with ops.direct_convolution(self.exact_convolution):
            z = ops.conv2d_backward_input(
                x, self._kernel(), shape, bias=self.params.get("bias"), **self.options(x.shape[1:])
            )
        y, kept = activate(z, self.nonlinearity, in_place=True)
        return y, (x, kept)

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Array | None, dict[str, Array]]:
        x, kept = cache
        dz, kernel = activate_backward(dy, kept, self.nonlinearity), self._kernel()
        with ops.direct_convolution(self.exact_convolution):
            dkernel = ops.conv2d_backward_kernel(dz, x, kernel.shape, **self.options(x.shape[1:]))
        grads = {"dkernel": self._as_stored(dkernel)}
        if self.use_bias:
            grads["dbias"] = ops.bias_backward(dz)
        return (self._input_gradient(dz, x.shape) if need_dx else None), grads

    def _input_gradient(self, dz: Array, x_shape: Shape) -> Array:
        with ops.direct_convolution(self.exact_convolution):
            return ops.conv2d(dz, self._kernel(), **self.options(x_shape[1:]))

    @property
    def note(self) -> str:
        more = self.output_padding
        return "" if more is None else f"output padding {more[0]}" + ("" if more[0] == more[1] else f"x{more[1]}")

    def macs(self, input_shape: Shape) -> int:
        return conv2d_macs(input_shape, self._kernel().shape)

    def window(self) -> None:  # type: ignore[override]  # no window slides evenly over its input
        return None

    @property
    def enlarges(self) -> tuple[Pair, int]:
        return self.strides, max(-(-span // stride) for span, stride in zip(self._spans, self.strides, strict=True))

    def filter_kernel(self, channel: int) -> Array:
        return self._kernel()[:, :, channel]

    def _kernel_shape(self, channels: int) -> Shape:
        return (*self.kernel_size, self.filters, channels)

    def _built_channels(self) -> int | None:
        return self.params["kernel"].shape[-1] if self.params else None


class Conv1DTranspose(OneRow, Conv2DTranspose):
    """Each sample lays its filters' kernels down, stride samples apart: y[n,j*S+b*D-left,o] = f(bias[o] + sum over such
    j, b and c of x[n,j,c] * k[b,o,c]). A Conv2DTranspose of pictures one pixel high.

    Shapes: x (N,W,C) -> y (N,OW,O); kernel (K,O,C), bias (O,). OW as Conv2DTranspose's.
    Units: kernel_size, strides, padding, output_padding, dilation_rate in samples; padding a word, a number, or
        (left, right).
    Errors: as Conv2DTranspose.
    """
