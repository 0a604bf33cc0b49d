"""The fully connected product, and the bias every layer shares."""

from __future__ import annotations

from typing import Unpack

import numpy as np

from pellucid.ops.geometry import Array
from pellucid.ops.reference.nonlinear import activation as activate
from pellucid.ops.table import DENSE_FLOPS, LONG, Numbers, call, op


@op(flops=DENSE_FLOPS, typical=[call("128 x 4096, 4096", x=(128, 4096), kernel=(4096, 4096), bias=None)])
def dense(
    x: Array, kernel: Array, bias: Array | None, y: Array, *, activation: str = "linear", **numbers: Unpack[Numbers]
) -> None:
    """y = x @ kernel + bias."""
    np.matmul(x, kernel, out=y)
    if bias is not None:
        y += bias
    if activation != "linear":
        activate(y, y, activation, **numbers)


@op(flops=DENSE_FLOPS, typical=[call("128 x 4096, 4096", kernel=(4096, 4096), dx=(128, 4096))])
def dense_backward_input(dy: Array, kernel: Array, dx: Array) -> None:
    """dx = dy @ kernel^T."""
    np.matmul(dy, kernel.T, out=dx)


@op(flops=DENSE_FLOPS, typical=[call("128 x 4096, 4096", x=(128, 4096), dkernel=(4096, 4096))])
def dense_backward_kernel(x: Array, dy: Array, dkernel: Array) -> None:
    """dkernel = x^T @ dy."""
    np.matmul(x.T, dy, out=dkernel)


@op(typical=[call("64 x 56x56x64", dy=LONG)])
def bias_backward(dy: Array, dbias: Array) -> None:
    """dbias[o] = the sum of dy over all other axes."""
    dbias[...] = dy.sum(axis=tuple(range(dy.ndim - 1)), dtype=np.float64)
