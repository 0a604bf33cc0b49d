"""Convolution over pictures, and over series as pictures one pixel high."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, TypedDict, Unpack

from pellucid import ops
from pellucid.errors import ConfigError, ShapeError
from pellucid.layers.activation import activate, activate_backward, with_activation
from pellucid.layers.layer import Cache, Key
from pellucid.layers.older import OLDER, kernel_of_two
from pellucid.layers.one_row import OneRow
from pellucid.layers.weighted import Weighted, WeightedNamed
from pellucid.layers.window import Windowed, describe_padding, describe_strides
from pellucid.ops import Array, Pair, Shape
from pellucid.ops.geometry import Convolution, whole
from pellucid.ops.macs import conv2d_macs


class SpreadNamed(TypedDict, total=False):
    """What constructors of convolutions take by name beside it, see `BaseConv2D`."""

    dilation_rate: int | Sequence[int]


class ConvNamed(SpreadNamed, WeightedNamed, total=False):
    """The same, and what is said of kernel and bias."""


class BaseConv2D(Windowed, Weighted):
    """What convolutions share: a kernel that slides over pictures, and how many channels it reads and gives."""

    role = "convolution"
    linear = True

    def __init__(
        self,
        kernel_size: int | Sequence[int],
        strides: int | Sequence[int] = 1,
        padding: str | int | Sequence[Any] = "valid",
        *,
        dilation_rate: int | Sequence[int] = 1,
        **named: Unpack[WeightedNamed],
    ) -> None:
        super().__init__(**named)
        self.kernel_size = self._size_of(kernel_size, "kernel_size")
        self.strides = self._size_of(strides, "strides")
        self.padding = self._padding_of(padding)
        self.dilation_rate = self._size_of(dilation_rate, "dilation_rate")

    @classmethod
    def _by_todays_names(cls, args: tuple[Any, ...], given: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        if not issubclass(cls, OneRow) and not given.keys().isdisjoint(OLDER):
            args, given = kernel_of_two(cls.__name__, args, given)
        return super()._by_todays_names(args, given)

    def groups_of(self, channels: int) -> int:
        """In how many groups, each seen by filters of its own."""
        raise NotImplementedError

    def output_shape(self, input_shape: Shape) -> Shape:
        return self._map_shape(input_shape)

    def options(self, input_shape: Shape) -> Convolution:
        """What `ops.conv2d` takes beside arrays. Shapes: input_shape (H,W,C)."""
        pads, groups = self.pads(input_shape), self.groups_of(input_shape[-1])
        return {"strides": self.strides, "padding": pads, "dilation": self.dilation_rate, "groups": groups}

    def forward(self, x: Array, *, training: bool = False, key: Key | None = None) -> tuple[Array, Cache]:
        self._map_shape(x.shape[1:])
        with ops.direct_convolution(self.exact_convolution):
            z = ops.conv2d(x, self._kernel(), self.params.get("bias"), **self.options(x.shape[1:]))
        y, kept = activate(z, self.nonlinearity, in_place=True)
        return y, (x, kept)

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Array | None, dict[str, Array]]:
        x, kept = cache
        dz = activate_backward(dy, kept, self.nonlinearity)
        with ops.direct_convolution(self.exact_convolution):
            dkernel = ops.conv2d_backward_kernel(x, dz, self._kernel().shape, **self.options(x.shape[1:]))
        grads = {"dkernel": self._as_stored(dkernel)}
        if self.use_bias:
            grads["dbias"] = ops.bias_backward(dz)
        return (self._input_gradient(dz, x.shape) if need_dx else None), grads

    def backward_input(self, dy: Array, cache: Cache) -> Array:
        x, kept = cache
        return self._input_gradient(activate_backward(dy, kept, self.nonlinearity), x.shape)

    def _input_gradient(self, dz: Array, x_shape: Shape) -> Array:
        with ops.direct_convolution(self.exact_convolution):
            return ops.conv2d_backward_input(dz, self._kernel(), x_shape, **self.options(x_shape[1:]))

    def macs(self, input_shape: Shape) -> int:
        return conv2d_macs(self._map_shape(input_shape), self._kernel().shape)

    def window(self) -> tuple[Pair, Pair, Pair]:
        return self.kernel_size, self.strides, self.dilation_rate

    noun: ClassVar[str] = "conv"
    """What captions call it."""

    @property
    def note(self) -> str:
        """What else tables say of it, in a word or two."""
        return ""

    def detail(self) -> str:
        rows, columns = self.dilation_rate
        window = f"{self.kernel_size[0]}x{self.kernel_size[1]}{describe_strides(self.strides)}"
        spread = (
            "" if rows == columns == 1 else f", dilation {rows}" if rows == columns else f", dilation {rows}x{columns}"
        )
        note = f", {self.note}" if self.note else ""
        return with_activation(f"{window}, {describe_padding(self.padding)}{spread}{note}", self.activation)

    @property
    def caption(self) -> tuple[str, ...]:
        spread = "" if self.dilation_rate == (1, 1) else f"dilation {self._size_words(self.dilation_rate)}"
        what = f"{self.noun} {self._size_words(self.kernel_size)}{describe_strides(self.strides)}"
        return (what, spread) if spread else (what,)

    # Which channels a filter sees, and how the kernel is kept: a layer that keeps it in another form overrides these

    def channels_seen(self, channel: int, channels: int) -> tuple[int, ...]:
        groups = self.groups_of(channels)
        each = channels // groups
        first = channel // (self.filters_of(channels) // groups) * each
        return tuple(range(first, first + each))

    def filter_kernel(self, channel: int) -> Array:
        """The weights of one filter, for the channels it sees. Shapes: (KH,KW,C')."""
        return self._kernel()[..., channel]

    def as_filters(self, kernel: Array) -> Array:
        return kernel.reshape(*self.kernel_size, *kernel.shape[-2:])

    def _kernel_shape(self, channels: int) -> Shape:
        return (*self.kernel_size, channels // self.groups_of(channels), self.filters_of(channels))

    def _kernel(self) -> Array:
        """The kernel as (KH,KW,C/groups,O)."""
        return self.as_filters(self.params["kernel"])

    def _as_stored(self, dkernel: Array) -> Array:
        """The gradient of `_kernel()` as that of the parameter."""
        return dkernel.reshape(self.params["kernel"].shape)

    def _built_channels(self) -> int | None:
        """The input channels that the kernel is made for; None before it is."""
        return self.params["kernel"].shape[-2] if self.params else None

    def _map_shape(self, input_shape: Shape) -> Shape:
        """(OH,OW,O) for pictures (H,W,C)."""
        self._check_channels(input_shape)
        return self._fit(input_shape, self.filters_of(input_shape[-1]))

    def _check_channels(self, input_shape: Shape) -> None:
        self.check_rank(input_shape, "H, W, C", "add the missing axes, e.g. a last axis of 1 for grey pictures")
        channels = input_shape[-1]
        expected = self._built_channels()
        if expected is not None and channels != expected:
            raise ShapeError(
                f"{self.place()} was built for {expected} input channels, got {channels}{self.source()}; "
                "give pictures with as many channels, or build a new layer"
            )
        groups = self.groups_of(channels)
        if channels % groups:
            raise ShapeError(
                f"{self.place()} cannot split {channels} input channels{self.source()} into {groups} groups; "
                "choose groups that divide the channels"
            )


class Conv2D(BaseConv2D):
    """Filters slide over the picture: y[n,i,j,o] = f(bias[o] + sum over (a,b,c) of x[n,i*SH+a,j*SW+b,c] * k[a,b,c,o]).

    The field says convolution; the operation is cross-correlation: the kernel is not flipped. Kernels 3x3 and 5x5 of
    stride 1 run by Winograd's algorithm where that is faster; docs/accuracy.md has the error bounds. A picture with
    numbers 256 times its others, NaN or infinity runs directly, and so does all of a model with exact_convolution=True.

    Shapes: x (N,H,W,C) -> y (N,OH,OW,O), OH = (H + top + bottom - (KH-1)*DH - 1) // SH + 1; kernel (KH,KW,C/groups,O),
        bias (O,). With groups, filters o of group g see only the channels of group g.
    Units: kernel_size, strides, padding, dilation_rate in pixels. padding: "valid" (none), "same" (OH = ceil(H / SH),
        an odd row below), a number, a pair (rows, columns), or ((top, bottom), (left, right)); padded with zeros.
    Errors: ConfigError for arguments; ShapeError for a wrong channel count, or a picture smaller than the kernel.
    Source: LeCun et al. 1998, section II-A; groups: Krizhevsky et al. 2012, section 3.2; dilation: Yu & Koltun 2016.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int | Sequence[int],
        strides: int | Sequence[int] = 1,
        padding: str | int | Sequence[Any] = "valid",
        *,
        groups: int = 1,
        **named: Unpack[ConvNamed],
    ) -> None:
        super().__init__(kernel_size, strides, padding, **named)
        where = type(self).__name__
        self.filters = whole(filters, f"{where}: filters")
        self.groups = whole(groups, f"{where}: groups")
        if self.filters % self.groups:
            raise ConfigError(
                f"{where}: {self.filters} filters do not divide into {self.groups} groups; "
                f"choose a multiple of {self.groups}"
            )

    def filters_of(self, channels: int) -> int:
        return self.filters

    def groups_of(self, channels: int) -> int:
        return self.groups

    @property
    def note(self) -> str:
        return f"groups {self.groups}" if self.groups > 1 else ""

    @property
    def caption(self) -> tuple[str, ...]:
        return (*super().caption, f"{self.groups} groups") if self.groups > 1 else super().caption

    def _built_channels(self) -> int | None:
        return self.params["kernel"].shape[-2] * self.groups if self.params else None


class Conv1D(OneRow, Conv2D):
    """Filters slide over a series: y[n,j,o] = f(bias[o] + sum over (b,c) of x[n, j*S+b, c] * k[b,c,o]).

    A Conv2D over pictures one pixel high.

    Shapes: x (N,W,C) -> y (N,OW,O); kernel (K,C/groups,O), bias (O,).
    Units: kernel_size, strides, padding, dilation_rate in samples; padding a word, a number, or (left, right).
    Errors: as Conv2D.
    """
