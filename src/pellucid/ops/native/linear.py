"""Steps of dense layers and of biases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pellucid.ops.geometry import Array
from pellucid.ops.native.runtime import activation_code, expect_axes, expect_shape, pixels, step

if TYPE_CHECKING:
    from pellucid.ops._native import Step


def bias_backward(dy: Array, dbias: Array) -> Step:
    """dbias = sum of dy over all axes but the last."""
    sizes = pixels("bias_backward", dy)
    expect_shape("bias_backward", (sizes["C"],), dbias=dbias)
    return step("bias_backward", dy=dy, dbias=dbias, **sizes)


def _dense_sizes(op: str, x: Array, kernel: Array, y: Array) -> dict[str, int]:
    expect_axes(op, 2, x=x, kernel=kernel, y=y)
    n, inputs, units = x.shape[0], kernel.shape[0], kernel.shape[1]
    expect_shape(op, (n, inputs), x=x)
    expect_shape(op, (n, units), y=y)
    return {"N": n, "INPUTS": inputs, "UNITS": units}


def dense(
    x: Array, kernel: Array, bias: Array | None, y: Array, *, activation: str = "linear", slope: float = 0.0
) -> Step:
    """y = activation(x . kernel + bias)."""
    sizes = _dense_sizes("dense", x, kernel, y)
    expect_shape("dense", (sizes["UNITS"],), bias=bias)
    kind = activation_code("dense", activation)
    return step("dense", x=x, kernel=kernel, bias=bias, y=y, **sizes, ACTIVATION=kind, slope=slope)


def dense_backward_input(dy: Array, kernel: Array, dx: Array) -> Step:
    """dx = dy . kernel^T."""
    sizes = _dense_sizes("dense_backward_input", dx, kernel, dy)
    return step("dense_backward_input", dy=dy, kernel=kernel, dx=dx, **sizes)


def dense_backward_kernel(x: Array, dy: Array, dkernel: Array) -> Step:
    """dkernel = x^T . dy."""
    sizes = _dense_sizes("dense_backward_kernel", x, dkernel, dy)
    return step("dense_backward_kernel", x=x, dy=dy, dkernel=dkernel, **sizes)
