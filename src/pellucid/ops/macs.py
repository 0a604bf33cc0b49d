"""What layers cost by their shapes: multiply-accumulates, and memory of what comes out."""

from __future__ import annotations

import math

from pellucid.ops.geometry import Shape


def conv2d_macs(y_shape: Shape, kernel_shape: Shape) -> int:
    """Multiply-accumulates of a convolution: OH * OW * O * KH * KW * C/G for each picture.

    >>> conv2d_macs((24, 24, 30), (5, 5, 1, 30))
    432000

    Shapes: y (OH,OW,O), or (N,OH,OW,O) for a whole batch; kernel (KH,KW,C/G,O).
    """
    return math.prod(y_shape) * math.prod(kernel_shape[:3])


def dense_macs(y_shape: Shape, kernel_shape: Shape) -> int:
    """Multiply-accumulates of a dense layer: inputs * units for each row.

    Shapes: y (units,), or (N,units) for a whole batch; kernel (inputs,units).
    """
    return math.prod(y_shape) * kernel_shape[0]


def activation_bytes(shape: Shape, itemsize: int = 4) -> int:
    """Memory of one array of activations. Units: bytes."""
    return math.prod(shape) * itemsize
