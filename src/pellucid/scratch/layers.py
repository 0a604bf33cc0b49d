"""The book's layers: `forward(x)`, `backward(dout)`, and what they keep between the two.

Shapes: pictures are (N, C, H, W), filters W (FN, C, FH, FW), weights of Affine (inputs, units).
A layer works in the dtype of x: float32 on the compiled kernels, float64 on the NumPy reference, whole numbers as NumPy
promotes them. W and b are read anew at each forward pass, so that whoever changes them in place is seen.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic

import numpy as np

from pellucid import ops
from pellucid.errors import ConfigError, ShapeError
from pellucid.ops import Array, Shape
from pellucid.ops.geometry import Convolution as Window
from pellucid.ops.geometry import Pooling as PoolingWindow
from pellucid.ops.geometry import conv2d_shape, pair
from pellucid.scratch.columns import im2col
from pellucid.scratch.layout import (
    Kept,
    as_floats,
    bias_of,
    expect_pictures,
    gradient_of,
    lies_as_nhwc,
    like_memory,
    of_forward,
    pads_of,
    to_nchw,
    to_nhwc,
)

__all__ = ["Affine", "Convolution", "Dropout", "Pooling", "Relu", "Sigmoid"]


class Replayed(Generic[Kept]):
    """What keeps of a forward pass what backward needs, or makes it when somebody asks for it."""

    def __init__(self) -> None:
        self._passed: Kept | None = None
        self._replay: Callable[[], object] | None = None

    def keep(self, passed: Kept) -> None:
        """What backward needs of a forward pass."""
        self._passed, self._replay = passed, None

    def pass_later(self, replay: Callable[[], object]) -> None:
        """A merged pass went by; `replay` makes this layer's own as soon as somebody asks what it kept."""
        self._passed, self._replay = None, replay

    def _last(self) -> Kept | None:
        if self._replay is not None:
            self._replay()
        return self._passed


class Convolution:
    """y[n,f,i,j] = b[f] + sum over (c,a,b) of x[n,c, i*stride + a - pad, j*stride + b - pad] * W[f,c,a,b].

    The book's layer: `x`, `dW` and `db` are kept; the columns of im2col, `col` and `col_W`, are made for who asks.
    Computed as the sum it is, never by Winograd's algorithm, so that a window of black pixels gives b exactly: on a
    ReLU's edge, where most of a digit's picture lies at first, rounding would let gradients through.

    Shapes: W (FN,C,FH,FW), b (FN,) or one number, x (N,C,H,W) -> y (N,FN,OH,OW), OH = (H + 2*pad - FH) // stride + 1.
    Units: stride and pad in pixels.
    Errors: ShapeError if x, W and b do not fit; ConfigError for a stride below 1 or a negative pad.
    """

    def __init__(self, W: Array, b: Any, stride: int = 1, pad: int = 0) -> None:
        if np.ndim(W) != 4:
            raise ShapeError(f"Convolution: W must be filters (FN, C, FH, FW), got shape {np.shape(W)}")
        self.W, self.b = W, b
        self.stride, self.pad = stride, pad
        self.window()
        self.x: Array | None = None
        self.dW: Array | None = None
        self.db: Array | None = None
        self._passed: tuple[Array, Array, Window] | None = None

    @property
    def col(self) -> Array | None:
        """im2col of what came in at the last forward pass."""
        if self.x is None:
            return None
        height, width = np.shape(self.W)[2:]
        return im2col(self.x, height, width, self.stride, self.pad)

    @property
    def col_W(self) -> Array | None:
        """The filters as the columns of a matrix, after a forward pass."""
        return None if self.x is None else np.asarray(self.W).reshape(len(self.W), -1).T

    def window(self) -> Window:
        """Stride and padding as the kernels take them."""
        return {"strides": pair(self.stride, "stride"), "padding": pads_of(self.pad)}

    def operands(self, x: Any) -> tuple[Array, Array, Array]:
        """x (N,H,W,C), the kernel (FH,FW,C,FN) and the bias, in the dtype of x."""
        x = as_floats(self, x)
        expect_pictures(self, x)
        W = np.asarray(self.W)
        if x.shape[1] != W.shape[1]:
            raise ShapeError(
                f"Convolution: filters W {W.shape} look at {W.shape[1]} channels, got {x.shape[1]} in x {x.shape}"
            )
        bias = bias_of(self, self.b, len(W), "filter", x.dtype)
        kernel = np.ascontiguousarray(W.transpose(2, 3, 1, 0), x.dtype)
        return to_nhwc(x), kernel, bias

    def forward(self, x: Any) -> Array:
        """y, a view of the kernels' (N,OH,OW,FN)."""
        rows, kernel, bias = self.operands(x)
        window = self.window()
        self.keep(x, rows, kernel, window)
        with ops.direct_convolution():
            return to_nchw(ops.conv2d(rows, kernel, bias, **window))

    def keep(self, x: Any, rows: Array, kernel: Array, window: Window) -> None:
        """What backward needs of a forward pass."""
        self.x, self._passed = x, (rows, kernel, window)

    def backward(self, dout: Any) -> Array:
        """dx; dW and db are kept, shaped like W and b."""
        rows, kernel, window = of_forward(self, self._passed)
        n, oh, ow, filters = conv2d_shape(rows.shape, kernel.shape, **window)
        dy = to_nhwc(gradient_of(self, dout, rows.dtype, (n, filters, oh, ow)))
        with ops.direct_convolution():
            self.set_gradients(ops.conv2d_backward_kernel(rows, dy, kernel.shape, **window), ops.bias_backward(dy))
            return to_nchw(ops.conv2d_backward_input(dy, kernel, rows.shape, **window))

    def set_gradients(self, dkernel: Array, dbias: Array) -> None:
        """dW and db from what the kernels gave."""
        self.dW, self.db = np.ascontiguousarray(dkernel.transpose(3, 2, 0, 1)), dbias


class Pooling(Replayed[tuple[Array, Array]]):
    """y[n,c,i,j] = max over (a,b) of x[n,c, i*stride + a - pad, j*stride + b - pad].

    Differs from the book: its output size forgets `pad`, and its padding of zeros beats negative values. Here padding
    counts in the size and is never picked. The stride is 2 when not given; every program of the book gives it.

    Shapes: x (N,C,H,W) -> y, arg_max (N,C,OH,OW), OH = (H + 2*pad - pool_h) // stride + 1.
    Units: all arguments in pixels. arg_max is the place in the window, a*pool_w + b; the first one on ties.
    Errors: ShapeError if a window does not fit; ConfigError for sizes below 1, or a pad as large as the window.
    """

    def __init__(self, pool_h: int, pool_w: int, stride: int = 2, pad: int = 0) -> None:
        self.pool_h, self.pool_w = pool_h, pool_w
        self.stride, self.pad = stride, pad
        self.window()
        super().__init__()

    def window(self) -> PoolingWindow:
        """Sizes, stride and padding as the kernels take them."""
        size = pair((self.pool_h, self.pool_w), "pool_h, pool_w")
        return {"pool_size": size, "strides": pair(self.stride, "stride"), "padding": pads_of(self.pad)}

    @property
    def x(self) -> Array | None:
        """What came in at the last forward pass."""
        passed = self._last()
        return None if passed is None else passed[0]

    @property
    def arg_max(self) -> Array | None:
        """Which place of each window won there."""
        passed = self._last()
        return None if passed is None else passed[1]

    def forward(self, x: Any) -> Array:
        """y, a view of the kernels' (N,OH,OW,C)."""
        x = as_floats(self, x)
        expect_pictures(self, x)
        y, places = ops.max_pool2d(to_nhwc(x), **self.window())
        self.keep((x, to_nchw(places)))
        return to_nchw(y)

    def backward(self, dout: Any) -> Array:
        """dx: each dout added to the pixel that its window picked."""
        x, places = of_forward(self, self._last())
        dy = to_nhwc(gradient_of(self, dout, x.dtype, places.shape))
        n, c, h, w = x.shape
        return to_nchw(ops.max_pool2d_backward(dy, to_nhwc(places), (n, h, w, c), **self.window()))


class Relu(Replayed[Array]):
    """y = max(x, 0); `mask` is true where x was not above 0.

    Differs from the book: dout is left as it is; the book's writes its zeros into it.

    Shapes: any.
    """

    @property
    def mask(self) -> Array | None:
        """Where no gradient goes through; None before the first forward pass."""
        y = self._last()
        return None if y is None else y <= 0

    def forward(self, x: Any) -> Array:
        y = each(as_floats(self, x), "relu")
        self.keep(y)
        return y

    def backward(self, dout: Any) -> Array:
        """dx = dout where x was above 0."""
        y = of_forward(self, self._last())
        return each_backward(gradient_of(self, dout, y.dtype, y.shape), y, "relu")


class Sigmoid:
    """y = 1 / (1 + exp(-x)), kept as `out`.

    Shapes: any.
    """

    def __init__(self) -> None:
        self.out: Array | None = None

    def forward(self, x: Any) -> Array:
        self.out = each(as_floats(self, x), "sigmoid")
        return self.out

    def backward(self, dout: Any) -> Array:
        """dx = dout * y * (1 - y)."""
        y = of_forward(self, self.out)
        return each_backward(gradient_of(self, dout, y.dtype, y.shape), y, "sigmoid")


def each(x: Array, kind: str) -> Array:
    """An activation of every number, in the memory order of x."""
    y = ops.activation(like_memory(x), kind)
    return to_nchw(y) if lies_as_nhwc(x) else y


def each_backward(dy: Array, y: Array, kind: str) -> Array:
    """dx, in the memory order of y."""
    if not lies_as_nhwc(y):
        return ops.activation_backward(dy, y, kind)
    return to_nchw(ops.activation_backward(to_nhwc(dy), to_nhwc(y), kind))


class Affine:
    """y = x . W + b; pictures are flattened in the order (C, H, W).

    Shapes: x (N,...) with as many numbers a row as W has inputs, W (inputs,units), b (units,) or one number
        -> y (N,units).
    Errors: ShapeError if they do not fit.
    """

    def __init__(self, W: Array, b: Any) -> None:
        if np.ndim(W) != 2:
            raise ShapeError(f"Affine: W must be (inputs, units), got shape {np.shape(W)}")
        self.W, self.b = W, b
        self.original_x_shape: Shape | None = None
        self.dW: Array | None = None
        self.db: Array | None = None
        self._passed: tuple[Array, Array, bool] | None = None
        self._by_pixel: dict[str, Array] = {}

    @property
    def x(self) -> Array | None:
        """What came in at the last forward pass, as (N, inputs) in the order of W's rows."""
        if self._passed is None or self.original_x_shape is None:
            return None
        rows, _, by_pixel = self._passed
        return self._pictures(rows, by_pixel).reshape(len(rows), -1)

    def forward(self, x: Any) -> Array:
        x = as_floats(self, x)
        W = np.asarray(self.W)
        if x.ndim < 2 or x[0:1].size != W.shape[0] * min(len(x), 1):
            raise ShapeError(f"Affine: W {W.shape} takes {W.shape[0]} numbers a row, got x {x.shape}")
        bias = bias_of(self, self.b, W.shape[1], "unit", x.dtype)
        # Pictures that lie as (H, W, C) are multiplied as they lie, by the rows of W in that order: those are whole
        # stretches of memory, while the pictures would have to be turned number by number.
        by_pixel = lies_as_nhwc(x)
        if by_pixel:
            n, c, h, w = x.shape
            rows = to_nhwc(x).reshape(n, -1)
            kernel = self._buffer("kernel", W.shape, x.dtype)
            by_channel = np.ascontiguousarray(W, x.dtype).reshape(c, h * w, -1)
            ops.swap_axes(by_channel, out=kernel.reshape(h * w, c, -1))
        else:
            rows, kernel = x.reshape(len(x), -1), np.ascontiguousarray(W, x.dtype)
        self.keep(x.shape, rows, kernel, by_pixel=by_pixel)
        return ops.dense(rows, kernel, bias)

    def keep(self, x_shape: Shape, rows: Array, kernel: Array, *, by_pixel: bool) -> None:
        """What backward needs of a forward pass."""
        self.original_x_shape, self._passed = x_shape, (rows, kernel, by_pixel)

    def backward(self, dout: Any) -> Array:
        """dx, shaped like x; dW and db are kept, shaped like W and b."""
        rows, kernel, by_pixel = of_forward(self, self._passed)
        dy = gradient_of(self, dout, rows.dtype, (len(rows), kernel.shape[1]))
        if by_pixel:
            _, c, h, w = of_forward(self, self.original_x_shape)
            turned = ops.dense_backward_kernel(rows, dy, out=self._buffer("dkernel", kernel.shape, rows.dtype))
            self.dW = ops.swap_axes(turned.reshape(h * w, c, -1)).reshape(kernel.shape)
        else:
            self.dW = ops.dense_backward_kernel(rows, dy)
        self.db = ops.bias_backward(dy)
        return self._pictures(ops.dense_backward_input(dy, kernel), by_pixel)

    def _buffer(self, name: str, shape: Shape, dtype: np.dtype[Any]) -> Array:
        """An array of the layer's own, the same at every pass: fresh memory for so much costs as much as filling it."""
        held = self._by_pixel.get(name)
        if held is None or held.shape != shape or held.dtype != dtype:
            held = self._by_pixel[name] = np.empty(shape, dtype)
        return held

    def _pictures(self, rows: Array, by_pixel: bool) -> Array:
        """Rows (N, inputs) in the shape that x had."""
        shape = self.original_x_shape or rows.shape
        if not by_pixel:
            return rows.reshape(shape)
        n, c, h, w = shape
        return to_nchw(rows.reshape(n, h, w, c))


class Dropout:
    """y = x * mask in training, x * (1 - dropout_ratio) in a test: the book scales at the test, Keras in training.

    `mask` is drawn from np.random, as all of the book is.

    Shapes: any.
    Units: dropout_ratio is the fraction dropped.
    Errors: ConfigError unless dropout_ratio is from 0 to 1.
    """

    def __init__(self, dropout_ratio: float = 0.5) -> None:
        if not 0 <= dropout_ratio <= 1:
            raise ConfigError(f"Dropout: dropout_ratio must be from 0 to 1, got {dropout_ratio!r}")
        self.dropout_ratio = dropout_ratio
        self.mask: Array | None = None

    def forward(self, x: Any, train_flg: bool = True) -> Array:
        x = as_floats(self, x)
        if not train_flg:
            scaled: Array = x * x.dtype.type(1 - self.dropout_ratio)
            return scaled
        self.mask = np.random.rand(*x.shape) > self.dropout_ratio
        kept: Array = x * self.mask
        return kept

    def backward(self, dout: Any) -> Array:
        """dx = dout * mask."""
        dx: Array = np.asarray(dout) * of_forward(self, self.mask)
        return dx
