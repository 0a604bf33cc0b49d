"""The fully connected product, and the bias every layer shares."""

from __future__ import annotations

from pellucid.errors import ShapeError
from pellucid.ops.dispatch import array, arrays, expect_axes, expect_shape, optional, result, run
from pellucid.ops.geometry import Array


def dense(x: Array, kernel: Array, bias: Array | None = None, *, out: Array | None = None) -> Array:
    """y[n,u] = bias[u] + sum over i of x[n,i] * kernel[i,u].

    Shapes: x (N,inputs), kernel (inputs,units), bias (units,) -> y (N,units).
    Errors: ShapeError if the inputs or the bias do not match; ConfigError for other dtypes.
    """
    x, kernel = arrays("dense", x=x, kernel=kernel)
    expect_axes("dense", "x", x, "N, inputs")
    expect_axes("dense", "kernel", kernel, "inputs, units")
    if x.shape[1] != kernel.shape[0]:
        raise ShapeError(
            f"dense: a kernel {kernel.shape} expects {kernel.shape[0]} inputs, got {x.shape[1]} in x {x.shape}; "
            "flatten the pictures, or build the kernel for this size"
        )
    bias = optional("dense", "bias", bias, x.dtype, kernel.shape[1:], "one number for each unit")
    y = result("dense", (x.shape[0], kernel.shape[1]), (x, kernel, bias), out)
    run("dense", x, kernel, bias, y)
    return y


def dense_backward_input(dy: Array, kernel: Array, *, out: Array | None = None) -> Array:
    """dx[n,i] = sum over u of dy[n,u] * kernel[i,u].

    Shapes: dy (N,units), kernel (inputs,units) -> dx (N,inputs).
    Errors: ShapeError if the units do not match.
    """
    op = "dense_backward_input"
    dy, kernel = arrays(op, dy=dy, kernel=kernel)
    expect_axes(op, "kernel", kernel, "inputs, units")
    expect_shape(op, "dy", dy, (*dy.shape[:1], kernel.shape[1]), "it is the gradient of dense's output")
    dx = result(op, (dy.shape[0], kernel.shape[0]), (dy, kernel), out)
    run(op, dy, kernel, dx)
    return dx


def dense_backward_kernel(x: Array, dy: Array, *, out: Array | None = None) -> Array:
    """dkernel[i,u] = sum over n of x[n,i] * dy[n,u].

    Shapes: x (N,inputs), dy (N,units) -> dkernel (inputs,units).
    Errors: ShapeError if the batches differ.
    """
    op = "dense_backward_kernel"
    x, dy = arrays(op, x=x, dy=dy)
    expect_axes(op, "x", x, "N, inputs")
    expect_axes(op, "dy", dy, "N, units")
    expect_shape(op, "dy", dy, (x.shape[0], dy.shape[1]), "x and dy belong to the same batch")
    dkernel = result(op, (x.shape[1], dy.shape[1]), (x, dy), out)
    run(op, x, dy, dkernel)
    return dkernel


def bias_backward(dy: Array, *, out: Array | None = None) -> Array:
    """dbias[o] = sum of dy over all axes but the last.

    Shapes: dy (N,...,O) -> dbias (O,).
    Errors: ShapeError if dy has fewer than two axes.
    """
    dy = array("bias_backward", "dy", dy)
    if dy.ndim < 2:
        raise ShapeError(f"bias_backward: dy must have the axes (N, ..., O), got shape {dy.shape}; add the batch axis")
    dbias = result("bias_backward", dy.shape[-1:], (dy,), out)
    run("bias_backward", dy, dbias)
    return dbias
