"""Convolution, ReLU and pooling behind each other as one kernel, which never writes the map that pooling shrinks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypedDict, cast

import numpy as np

from pellucid import ops
from pellucid.ops import Array
from pellucid.ops.geometry import Convolution as Window
from pellucid.ops.geometry import Pooling as PoolingWindow
from pellucid.scratch.layers import Convolution, Pooling, Relu
from pellucid.scratch.layout import gradient_of, to_nchw, to_nhwc

Link = Any
"""A layer, or several as one: forward(x), and backward(dout)."""


class Settings(TypedDict):
    """How the merged kernel is called."""

    convolution: Window
    pooling: PoolingWindow
    activation: str


def links(layers: Iterable[Link]) -> list[Link]:
    """The layers, with every Convolution, Relu and Pooling in a row made one.

    Exact types are merged, never subclasses, so that an override wins.
    """
    left, found = list(layers), list[Link]()
    while left:
        three = left[:3]
        if [type(layer) for layer in three] == [Convolution, Relu, Pooling]:
            conv, relu, pool = cast(tuple[Convolution, Relu, Pooling], three)
            if pool.pool_h * pool.pool_w <= ops.MAX_POOL_TAPS:
                found.append(ConvReluPool(conv, relu, pool, first=not found))
                del left[:3]
                continue
        found.append(left.pop(0))
    return found


@dataclass(eq=False)
class OneByOne:
    """A merged pass done again by ReLU and Pooling themselves, for whoever asks what they kept.

    A class and no closure, so that a network can be copied and pickled with it.
    """

    relu: Relu
    pool: Pooling
    rows: Array
    kernel: Array
    bias: Array
    window: Window

    def __call__(self) -> None:
        with ops.direct_convolution():
            y = ops.conv2d(self.rows, self.kernel, self.bias, **self.window)
        self.pool.forward(self.relu.forward(to_nchw(y)))


class ConvReluPool:
    """The three layers in float32 as one kernel; in other dtypes one after the other.

    The convolution keeps its dW and db, as after its own backward pass. What the other two would keep of a pass is made
    when somebody asks for it.
    first: nobody needs dx, the gradient of the pictures themselves.
    """

    def __init__(self, conv: Convolution, relu: Relu, pool: Pooling, *, first: bool) -> None:
        self.conv, self.relu, self.pool, self.first = conv, relu, pool, first
        self._passed: tuple[Array, Array, Array, Array, Settings] | None = None

    def forward(self, x: Any) -> Array:
        rows, kernel, bias = self.conv.operands(x)
        if rows.dtype != np.float32:
            self._passed = None
            return self.pool.forward(self.relu.forward(self.conv.forward(x)))
        window = self.conv.window()
        settings: Settings = {"convolution": window, "pooling": self.pool.window(), "activation": "relu"}
        with ops.direct_convolution():  # as Convolution itself
            y, routes = ops.conv2d_max_pool2d(rows, kernel, bias, **settings)
        self._passed = (rows, kernel, y, routes, settings)
        self.conv.keep(x, rows, kernel, window)
        one_by_one = OneByOne(self.relu, self.pool, rows, kernel, bias, window)
        self.relu.pass_later(one_by_one)
        self.pool.pass_later(one_by_one)
        return to_nchw(y)

    def backward(self, dout: Any) -> Array | None:
        """dx, or None where nobody needs it."""
        if self._passed is None:
            return self.conv.backward(self.relu.backward(self.pool.backward(dout)))
        rows, kernel, y, routes, settings = self._passed
        dy = to_nhwc(gradient_of(self.pool, dout, y.dtype, to_nchw(y).shape))
        with ops.direct_convolution():
            gradients = ops.conv2d_max_pool2d_backward_kernel(rows, dy, y, routes, kernel.shape, **settings)
            self.conv.set_gradients(*gradients)
            if self.first:
                return None
            return to_nchw(ops.conv2d_max_pool2d_backward_input(dy, y, routes, kernel, rows.shape, **settings))
