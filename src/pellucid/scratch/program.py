"""SimpleConvNet's six layers as one native program each way: what Python does between kernels costs as much as some."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from pellucid.ops import Array, native
from pellucid.ops.geometry import conv2d_shape, pool2d_shape
from pellucid.ops.memory import aligned_empty
from pellucid.scratch.layers import Affine, Convolution, Pooling, Relu
from pellucid.scratch.layout import gradient_of
from pellucid.scratch.merged import MAX_TAPS, OneByOne, Settings

_TYPES = (Convolution, Relu, Pooling, Affine, Relu, Affine)


def _fits(weights: Any) -> bool:
    """Whether a kernel can read this array where it lies."""
    return isinstance(weights, np.ndarray) and weights.dtype == np.float32 and weights.flags.c_contiguous


@dataclass(eq=False)
class _Bound:
    """The arrays and programs for one size of batch, one way of convolving, and weights that lie where they lie."""

    weights: tuple[Array, ...]
    settings: Settings
    x: Array
    kernel: Array
    bias: Array
    y: Array
    by_pixel: Array
    hidden: Array
    scores: Array
    dscores: Array
    gradients: tuple[Array, ...]
    dby_pixel: Array
    judge: native.Program
    forward: native.Program
    backward: native.Program


class WholeNetwork:
    """conv - relu - pool - affine - relu - affine in float32, over arrays of its own that each pass overwrites.

    The layers keep what they keep after passes of their own, as long as the next pass through here.
    """

    def __init__(self, layers: Sequence[Any]) -> None:
        self.layers = tuple(layers)
        self._bound: _Bound | None = None

    @staticmethod
    def covers(layers: Iterable[Any]) -> bool:
        """Exact types, never subclasses, so that an override wins."""
        found = tuple(layers)
        if not native.available or tuple(type(layer) for layer in found) != _TYPES:
            return False
        pool, *affines = found[2], found[3], found[5]
        weights = [array for affine in affines for array in (affine.W, affine.b)]
        return pool.pool_h * pool.pool_w <= MAX_TAPS and all(map(_fits, weights))

    def __getstate__(self) -> dict[str, Any]:
        return {"layers": self.layers, "_bound": None}  # programs are made again, not copied

    def forward(self, x: Any, *, back: bool) -> Array | None:
        """Scores (N, units), or None where the layers have to do it one by one: another dtype, nothing, odd weights.

        back: `backward` comes next, and needs to know which pixels won, which costs a sixth of the convolution.
        """
        conv, relu, pool, first, second, last = self._typed()
        rows, kernel, bias = conv.operands(x)
        if rows.dtype != np.float32 or not len(rows):
            return None
        settings: Settings = {"convolution": conv.window(), "pooling": pool.window(), "activation": "relu"}
        bound = self._bound
        weights = (first.W, first.b, last.W, last.b)
        if (
            bound is None
            or bound.x.shape != rows.shape
            or bound.kernel.shape != kernel.shape
            or bound.settings != settings
            or any(a is not b for a, b in zip(bound.weights, weights, strict=True))
        ):
            bound = self._bound = _bind(rows, kernel, weights, settings)
            if bound is None:
                return None
        bound.x[...], bound.kernel[...], bound.bias[...] = rows, kernel, bias
        (bound.forward if back else bound.judge).run()

        conv.keep(x, bound.x, bound.kernel, settings["convolution"])
        one_by_one = OneByOne(relu, pool, bound.x, bound.kernel, bound.bias, settings["convolution"])
        relu.pass_later(one_by_one)
        pool.pass_later(one_by_one)
        n, height, width, filters = bound.y.shape
        first.keep((n, filters, height, width), bound.y.reshape(n, -1), bound.by_pixel, by_pixel=True)
        second.keep(bound.hidden)
        last.keep(bound.hidden.shape, bound.hidden, last.W, by_pixel=False)
        return bound.scores.copy()

    def backward(self, dout: Any) -> None:
        """Sets dW and db of the layers that have weights; nobody needs the gradient of the pictures."""
        conv, _, _, first, _, last = self._typed()
        bound = cast(_Bound, self._bound)
        bound.dscores[...] = gradient_of(last, dout, np.dtype(np.float32), bound.scores.shape)
        bound.backward.run()
        dkernel, dbias, dfirst, dlast, dlast_bias = bound.gradients
        conv.set_gradients(dkernel.copy(), dbias.copy())
        first.dW, first.db = np.empty(first.W.shape, np.float32), dfirst.copy()
        channels = bound.y.shape[3]
        native.run(native.swap_axes(bound.dby_pixel, first.dW.reshape(channels, -1, first.W.shape[1])))
        last.dW, last.db = dlast.copy(), dlast_bias.copy()

    def _typed(self) -> tuple[Convolution, Relu, Pooling, Affine, Relu, Affine]:
        return cast("tuple[Convolution, Relu, Pooling, Affine, Relu, Affine]", self.layers)


def _bind(rows: Array, kernel: Array, weights: tuple[Array, ...], settings: Settings) -> _Bound | None:
    """Arrays and programs; None where the weights do not fit the map, which the layers say better."""
    W1, b1, W2, b2 = weights
    unpooled = conv2d_shape(rows.shape, kernel.shape, **settings["convolution"])
    n, height, width, filters = pooled = pool2d_shape(unpooled, **settings["pooling"])
    inputs, hidden, units = height * width * filters, W1.shape[1], W2.shape[1]
    if W1.shape[0] != inputs or W2.shape[0] != hidden or b1.shape != (hidden,) or b2.shape != (units,):
        return None

    x, y, dy = (
        aligned_empty(rows.shape, np.float32),
        aligned_empty(pooled, np.float32),
        aligned_empty(pooled, np.float32),
    )
    own_kernel, bias = aligned_empty(kernel.shape, np.float32), aligned_empty((filters,), np.float32)
    routes = aligned_empty(pooled, np.uint8)
    by_channel = W1.reshape(filters, height * width, hidden)
    by_pixel, dby_pixel = (aligned_empty((height * width, filters, hidden), np.float32) for _ in range(2))
    matrix, dmatrix = by_pixel.reshape(inputs, hidden), dby_pixel.reshape(inputs, hidden)
    h, dh = (aligned_empty((n, hidden), np.float32) for _ in range(2))
    scores, dscores = (aligned_empty((n, units), np.float32) for _ in range(2))
    dkernel, dbias = aligned_empty(kernel.shape, np.float32), aligned_empty((filters,), np.float32)
    dh_bias, dW2, db2 = (
        aligned_empty((hidden,), np.float32),
        aligned_empty(W2.shape, np.float32),
        aligned_empty(b2.shape, np.float32),
    )
    flat, dflat = y.reshape(n, inputs), dy.reshape(n, inputs)

    judge, forward = (
        native.Program(
            [  # never Winograd's algorithm: see Convolution
                native.conv2d_pool(x, own_kernel, bias, y, places, algorithm="direct", **settings),
                native.swap_axes(by_channel, by_pixel),
                native.dense(flat, matrix, b1, h, activation="relu", slope=0.0),
                native.dense(h, W2, b2, scores),
            ]
        )
        for places in (None, routes)
    )
    backward = native.Program(
        [
            native.dense_backward_kernel(h, dscores, dW2),
            native.bias_backward(dscores, db2),
            native.dense_backward_input(dscores, W2, dh),
            native.activation_backward(dh, h, dh, "relu", slope=0.0),
            native.dense_backward_kernel(flat, dh, dmatrix),
            native.bias_backward(dh, dh_bias),
            native.dense_backward_input(dh, matrix, dflat),
            native.conv2d_pool_backward_kernel(x, dy, y, routes, dkernel, dbias, algorithm="direct", **settings),
        ]
    )
    gradients = (dkernel, dbias, dh_bias, dW2, db2)
    return _Bound(
        weights=weights,
        settings=settings,
        x=x,
        kernel=own_kernel,
        bias=bias,
        y=y,
        by_pixel=matrix,
        hidden=h,
        scores=scores,
        dscores=dscores,
        gradients=gradients,
        dby_pixel=dby_pixel,
        judge=judge,
        forward=forward,
        backward=backward,
    )
