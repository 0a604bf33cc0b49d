"""Steps of activations, softmax, its loss, and dropout."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pellucid.ops.geometry import Array
from pellucid.ops.native.runtime import activation_code, expect_shape, inner, step

if TYPE_CHECKING:
    from pellucid.ops._native import Step


def activation(x: Array, y: Array, kind: str, *, slope: float = 0.0) -> Step:
    """y = relu, leaky_relu, sigmoid or tanh of x; y may be x."""
    expect_shape("activation", x.shape, y=y)
    code = activation_code("activation", kind)
    return step("activation", x=x, y=y, N=x.shape[0], INNER=inner(x), KIND=code, slope=slope)


def activation_backward(dy: Array, y: Array, dx: Array, kind: str, *, slope: float = 0.0) -> Step:
    """dx = dy * f'(x), by y; dx may be dy."""
    op = "activation_backward"
    expect_shape(op, y.shape, dy=dy, dx=dx)
    return step(op, dy=dy, y=y, dx=dx, N=y.shape[0], INNER=inner(y), KIND=activation_code(op, kind), slope=slope)


def softmax(x: Array, y: Array) -> Step:
    """y = exp(x - max) / sum of exp(x - max) over the last axis; y may be x."""
    expect_shape("softmax", x.shape, y=y)
    classes = x.shape[-1]
    return step("softmax", x=x, y=y, N=x.size // classes if classes else 0, K=classes)


def softmax_backward(dy: Array, y: Array, dx: Array) -> Step:
    """dx = y * (dy - sum of dy * y) over the last axis; dx may be dy."""
    expect_shape("softmax_backward", y.shape, dy=dy, dx=dx)
    classes = y.shape[-1]
    return step("softmax_backward", dy=dy, y=y, dx=dx, N=y.size // classes if classes else 0, K=classes)


def dropout(x: Array, y: Array, rate: float, counter: Array, layer: int) -> Step:
    """y = x / (1 - rate) where kept, else 0; counter = uint32 (seed, step), read when the step runs. y may be x."""
    expect_shape("dropout", x.shape, y=y)
    expect_shape("dropout", (2,), counter=counter)
    return step("dropout", x=x, y=y, counter=counter, N=x.shape[0], INNER=inner(x), LAYER=layer, rate=rate)
