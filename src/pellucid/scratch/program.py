"""SimpleConvNet's six layers as one native program each way: what Python does between kernels costs as much as some."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast

import numpy as np

from pellucid import ops
from pellucid.errors import ShapeError
from pellucid.ops import Array, native
from pellucid.ops.geometry import conv2d_shape, pool2d_shape
from pellucid.ops.memory import aligned_empty
from pellucid.scratch.layers import Affine, Convolution, Pooling, Relu
from pellucid.scratch.layout import gradient_of
from pellucid.scratch.merged import OneByOne, Settings

_TYPES = (Convolution, Relu, Pooling, Affine, Relu, Affine)


def _fits(weights: Any) -> bool:
    """Whether a kernel can read this array where it lies."""
    return isinstance(weights, np.ndarray) and weights.dtype == np.float32 and weights.flags.c_contiguous


class _Bound:
    """The arrays and programs for one size of batch, one way of convolving, and weights that lie where they lie.

    Errors: ShapeError where the weights do not fit the map, which the layers say better.
    """

    def __init__(self, rows: Array, kernel: Array, weights: tuple[Array, ...], settings: Settings) -> None:
        W1, b1, W2, b2 = self.weights = weights
        self.settings = settings
        unpooled = conv2d_shape(rows.shape, kernel.shape, **settings["convolution"])
        n, height, width, filters = pooled = pool2d_shape(unpooled, **settings["pooling"])
        inputs, hidden, units = height * width * filters, W1.shape[1], W2.shape[1]
        if W1.shape[0] != inputs or W2.shape[0] != hidden or b1.shape != (hidden,) or b2.shape != (units,):
            raise ShapeError(f"weights {W1.shape}, {W2.shape} do not fit {inputs} numbers")
        self.x, self.kernel, self.bias = (
            aligned_empty(rows.shape),
            aligned_empty(kernel.shape),
            aligned_empty((filters,)),
        )
        self.y, dy, routes = aligned_empty(pooled), aligned_empty(pooled), aligned_empty(pooled, np.uint8)
        by_channel = W1.reshape(filters, height * width, hidden)
        by_pixel, self.dby_pixel = (aligned_empty((height * width, filters, hidden)) for _ in range(2))
        self.by_pixel, dmatrix = by_pixel.reshape(inputs, hidden), self.dby_pixel.reshape(inputs, hidden)
        self.hidden, dh = aligned_empty((n, hidden)), aligned_empty((n, hidden))
        self.scores, self.dscores = aligned_empty((n, units)), aligned_empty((n, units))
        dkernel, dbias, dh_bias = aligned_empty(kernel.shape), aligned_empty((filters,)), aligned_empty((hidden,))
        dW2, db2 = aligned_empty(W2.shape), aligned_empty(b2.shape)
        self.gradients = (dkernel, dbias, dh_bias, dW2, db2)
        flat, dflat = self.y.reshape(n, inputs), dy.reshape(n, inputs)
        judge, forward = (
            [  # never Winograd's algorithm: see Convolution
                native.conv2d_pool(self.x, self.kernel, self.bias, self.y, places, algorithm="direct", **settings),
                native.swap_axes(by_channel, by_pixel),
                native.dense(flat, self.by_pixel, b1, self.hidden, activation="relu"),
                native.dense(self.hidden, W2, b2, self.scores),
            ]
            for places in (None, routes)
        )
        backward = [
            native.dense_backward_kernel(self.hidden, self.dscores, dW2),
            native.bias_backward(self.dscores, db2),
            native.dense_backward_input(self.dscores, W2, dh),
            native.activation_backward(dh, self.hidden, dh, "relu"),
            native.dense_backward_kernel(flat, dh, dmatrix),
            native.bias_backward(dh, dh_bias),
            native.dense_backward_input(dh, self.by_pixel, dflat),
            native.conv2d_pool_backward_kernel(
                self.x, dy, self.y, routes, dkernel, dbias, algorithm="direct", **settings
            ),
        ]
        self.judge, self.forward, self.backward = map(native.Program, (judge, forward, backward))


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
        return pool.pool_h * pool.pool_w <= ops.MAX_POOL_TAPS and all(map(_fits, weights))

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
            try:
                bound = self._bound = _Bound(rows, kernel, weights, settings)
            except ShapeError:
                self._bound = None
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
