"""Pooling: each window becomes its largest value, or its mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Unpack

import numpy as np

from pellucid import ops
from pellucid._arguments import flag
from pellucid.errors import ConfigError, shown
from pellucid.layers.calculation import first_largest, windows
from pellucid.layers.layer import Cache, Key, Layer, Named
from pellucid.layers.one_row import OneRow
from pellucid.layers.window import Windowed, describe_padding, describe_strides
from pellucid.ops import Array, Pads, Pair, Shape
from pellucid.ops.geometry import NO_PADS, Pooling, ceil_padding


class Pool(Layer):
    """What all pooling has in common: of many numbers of a channel it makes one."""

    role = "pooling"
    reduction: ClassVar[str]
    """ "max", "mean" or "sum", in captions and where a number is taken apart, which refuses others."""

    def channels_seen(self, channel: int, channels: int) -> tuple[int, ...]:
        return (channel,)

    def counted(self, input_shape: Shape) -> Pads:
        """What counts in a mean, as zeros, of the padding around pictures (H,W,C)."""
        return NO_PADS


class Pool2D(Pool, Windowed):
    """A window sliding over each channel by itself.

    ceil_mode: whether a last window that begins on the picture is taken though it ends outside. What it finds there
    counts as nothing.
    """

    def __init__(
        self,
        pool_size: int | Sequence[int] = 2,
        strides: int | Sequence[int] | None = None,
        padding: str | int | Sequence[Any] = "valid",
        *,
        ceil_mode: bool = False,
        **named: Unpack[Named],
    ) -> None:
        super().__init__(**named)
        self.ceil_mode = flag(ceil_mode, f"{type(self).__name__}: ceil_mode")
        self.pool_size = self._size_of(pool_size, "pool_size")
        self.strides = self.pool_size if strides is None else self._size_of(strides, "strides")
        self.padding = self._padding_of(padding)
        if not isinstance(self.padding, str):
            for pads, size in zip(self.padding, self.pool_size, strict=True):
                if max(pads) >= size:
                    rows, columns = self.pool_size
                    raise ConfigError(
                        f"{type(self).__name__}: padding must be smaller than the window {rows}x{columns}, "
                        f"got {shown(padding)}; a window of nothing but padding has no value"
                    )

    def output_shape(self, input_shape: Shape) -> Shape:
        return self._map_shape(input_shape)

    def window(self) -> tuple[Pair, Pair, Pair]:
        return self.pool_size, self.strides, (1, 1)

    def pads(self, input_shape: Shape) -> Pads:
        pads = super().pads(input_shape)
        size = input_shape[0], input_shape[1]
        return ceil_padding(pads, size, self.pool_size, self.strides) if self.ceil_mode else pads

    def detail(self) -> str:
        end = ", ceil" if self.ceil_mode else ""
        return f"{self.pool_size[0]}x{self.pool_size[1]}{self._step()}, {describe_padding(self.padding)}{end}"

    @property
    def caption(self) -> tuple[str, ...]:
        return (f"{self.reduction} pool {self._size_words(self.pool_size)}{self._step()}",)

    def _step(self) -> str:
        return "" if self.strides == self.pool_size else describe_strides(self.strides) or ", stride 1"

    def options(self, input_shape: Shape) -> Pooling:
        """What `ops.max_pool2d` takes beside arrays. Shapes: input_shape (H,W,C)."""
        return {"pool_size": self.pool_size, "strides": self.strides, "padding": self.pads(input_shape)}

    def _map_shape(self, input_shape: Shape) -> Shape:
        """(OH,OW,C) for pictures (H,W,C)."""
        self.check_rank(input_shape, "H, W, C", "add the missing axes; after Flatten there is nothing to pool")
        return self._fit(input_shape, input_shape[2])


class MaxPool2D(Pool2D):
    """Largest value in each window: y[n,i,j,c] = max over (a,b) of x[n, i*SH+a, j*SW+b, c].

    Shapes: x (N,H,W,C) -> y (N,OH,OW,C), OH = (H + top + bottom - PH) // SH + 1, OW likewise.
    With ceil_mode=True OH is rounded up instead of down, as long as the last window begins on the picture.
    Units: pool_size, strides (None: pool_size), padding in pixels. Padding counts as minus infinity: never picked.
    Errors: ShapeError if a window does not fit; ConfigError for sizes below 1, or padding that fills a window.
    Source: Scherer, Muller & Behnke 2010; ties go to the first in row order.
    """

    reduction = "max"

    def forward(self, x: Array, *, training: bool = False, key: Key | None = None) -> tuple[Array, Cache]:
        self._map_shape(x.shape[1:])
        y, argmax = ops.max_pool2d(x, **self.options(x.shape[1:]))
        return y, (argmax, x.shape)

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Array | None, dict[str, Array]]:
        if not need_dx:
            return None, {}
        argmax, x_shape = cache
        return ops.max_pool2d_backward(dy, argmax, x_shape, **self.options(x_shape[1:])), {}

    def calculate(self, x: Any, weights: Mapping[str, Any], *, training: bool, key: Key | None) -> Any:
        pictures = x if x.ndim == 4 else x[:, np.newaxis]
        y = first_largest(windows(pictures, **self.options(pictures.shape[1:])))
        return y if x.ndim == 4 else y[:, 0]


class AvgPool2D(Pool2D):
    """Mean of each window: y[n,i,j,c] = mean over (a,b) of x[n, i*SH+a, j*SW+b, c]; padding is not counted.

    With count_include_pad=True the padding counts as zeros: PyTorch's default, where ours is TensorFlow's rule. What
    ceil_mode adds below and right never counts.

    Shapes: x (N,H,W,C) -> y (N,OH,OW,C), OH = (H + top + bottom - PH) // SH + 1, rounded up with ceil_mode=True.
    Units: pool_size, strides (None: pool_size), padding in pixels.
    Errors: ShapeError if a window does not fit; ConfigError for sizes below 1, or padding that fills a window.
    Source: LeCun et al. 1998, section II-B, without its coefficients; TensorFlow's rule for padding.
    """

    reduction = "mean"
    linear = True

    def __init__(
        self,
        pool_size: int | Sequence[int] = 2,
        strides: int | Sequence[int] | None = None,
        padding: str | int | Sequence[Any] = "valid",
        *,
        ceil_mode: bool = False,
        count_include_pad: bool = False,
        **named: Unpack[Named],
    ) -> None:
        super().__init__(pool_size, strides, padding, ceil_mode=ceil_mode, **named)
        self.count_include_pad = flag(count_include_pad, f"{type(self).__name__}: count_include_pad")

    def counted(self, input_shape: Shape) -> Pads:
        return Windowed.pads(self, input_shape) if self.count_include_pad else NO_PADS

    def detail(self) -> str:
        return super().detail() + (", padding counted" if self.count_include_pad else "")

    def forward(self, x: Array, *, training: bool = False, key: Key | None = None) -> tuple[Array, Cache]:
        shape = x.shape[1:]
        self._map_shape(shape)
        return ops.avg_pool2d(x, counted=self.counted(shape), **self.options(shape)), x.shape

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Array | None, dict[str, Array]]:
        if not need_dx:
            return None, {}
        shape = cache[1:]
        return ops.avg_pool2d_backward(dy, cache, counted=self.counted(shape), **self.options(shape)), {}


class GlobalPool2D(Pool):
    """One number of each channel for the whole picture, or series; with keepdims=True as maps of one place."""

    axes: ClassVar[str] = "H, W, C"

    def __init__(self, *, keepdims: bool = False, **named: Unpack[Named]) -> None:
        super().__init__(**named)
        self.keepdims = flag(keepdims, f"{type(self).__name__}: keepdims")

    def output_shape(self, input_shape: Shape) -> Shape:
        self.check_rank(input_shape, self.axes, "add the missing axes; after Flatten there is nothing to pool")
        return (*([1] * (len(input_shape) - 1) if self.keepdims else []), input_shape[-1])

    def detail(self) -> str:
        return "axes kept" if self.keepdims else ""

    def _shaped(self, y: Array, x: Array) -> Array:
        """Rows (N,C) as what it gives for x."""
        return y.reshape(len(x), *self.output_shape(x.shape[1:]))

    def pictures(self, x: Array) -> Array:
        """The input, checked; a series as pictures one pixel high. Shapes: -> (N,H,W,C)."""
        self.output_shape(x.shape[1:])
        return x if x.ndim == 4 else x[:, np.newaxis]

    @property
    def caption(self) -> tuple[str, ...]:
        return (f"global {self.reduction} pool",)


class GlobalAvgPool2D(GlobalPool2D):
    """Mean of each channel over the whole picture: y[n,c] = mean over (i,j) of x[n,i,j,c].

    Shapes: x (N,H,W,C) -> y (N,C), (N,1,1,C) with keepdims=True.
    Source: Lin, Chen & Yan 2014 (Network in Network), section 3.2.
    """

    reduction = "mean"
    linear = True

    def forward(self, x: Array, *, training: bool = False, key: Key | None = None) -> tuple[Array, Cache]:
        return self._shaped(ops.global_avg_pool2d(self.pictures(x)), x), x.shape

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Array | None, dict[str, Array]]:
        dx = ops.global_avg_pool2d_backward(_as_rows(dy), _as_pictures(cache)) if need_dx else None
        return None if dx is None else dx.reshape(cache), {}


class GlobalMaxPool2D(GlobalPool2D):
    """Largest value of each channel in the whole picture: y[n,c] = max over (i,j) of x[n,i,j,c].

    Shapes: x (N,H,W,C) -> y (N,C), (N,1,1,C) with keepdims=True. The gradient goes to the first of several largest, in
        row order.
    Source: Oquab, Bottou, Laptev & Sivic 2015, section 3.
    """

    reduction = "max"

    def forward(self, x: Array, *, training: bool = False, key: Key | None = None) -> tuple[Array, Cache]:
        y, argmax = ops.global_max_pool2d(self.pictures(x))
        return self._shaped(y, x), (argmax, x.shape)

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Array | None, dict[str, Array]]:
        if not need_dx:
            return None, {}
        argmax, x_shape = cache
        return ops.global_max_pool2d_backward(_as_rows(dy), argmax, _as_pictures(x_shape)).reshape(x_shape), {}

    def calculate(self, x: Any, weights: Mapping[str, Any], *, training: bool, key: Key | None) -> Any:
        rows = x.reshape(len(x), -1, x.shape[-1]).transpose(0, 2, 1)
        return first_largest(rows).reshape(len(x), *self.output_shape(x.shape[1:]))


class GlobalAvgPool1D(GlobalAvgPool2D):
    """Mean of each channel over the whole series: y[n,c] = mean over j of x[n,j,c].

    Shapes: x (N,W,C) -> y (N,C), (N,1,C) with keepdims=True.
    """

    averages_steps = True

    axes = "W, C"


class GlobalMaxPool1D(GlobalMaxPool2D):
    """Largest value of each channel in the whole series: y[n,c] = max over j of x[n,j,c].

    Shapes: x (N,W,C) -> y (N,C), (N,1,C) with keepdims=True. The gradient goes to the first of several largest.
    """

    axes = "W, C"


def _as_rows(dy: Array) -> Array:
    return dy.reshape(len(dy), -1)


def _as_pictures(x_shape: Shape) -> Shape:
    return x_shape if len(x_shape) == 4 else (x_shape[0], 1, *x_shape[1:])


class MaxPool1D(OneRow, MaxPool2D):
    """Largest value in each stretch: y[n,j,c] = max over b of x[n, j*S+b, c]; a MaxPool2D one pixel high.

    Shapes: x (N,W,C) -> y (N,OW,C).
    Units: pool_size, strides (None: pool_size), padding (a word, a number, or (left, right)) in samples.
    Errors: as MaxPool2D.
    """


class AvgPool1D(OneRow, AvgPool2D):
    """Mean of each stretch: y[n,j,c] = mean over b of x[n, j*S+b, c]; an AvgPool2D one pixel high.

    Shapes: x (N,W,C) -> y (N,OW,C).
    Units: pool_size, strides (None: pool_size), padding (a word, a number, or (left, right)) in samples.
    Errors: as AvgPool2D.
    """
