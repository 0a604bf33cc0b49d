"""A convolution with batch norm behind it, of which residual networks and their relatives are made."""

from __future__ import annotations

from typing import Any

from pellucid.layers import BatchNorm, Conv2D, DepthwiseConv2D, Layer
from pellucid.layers.penalty import L2, Penalty
from pellucid.layers.symbolic import Symbolic


def l2(decay: float) -> Penalty | None:
    """The penalty whose gradient is decay * weight: what papers call weight decay."""
    return L2(decay / 2) if decay else None


def normed(
    x: Symbolic,
    filters: int | None,
    size: int,
    strides: int = 1,
    padding: Any = None,
    *,
    name: str,
    decay: float = 0.0,
    momentum: float = 0.9,
    epsilon: float = 1e-5,
) -> Symbolic:
    """The convolution `name`, without bias, and the batch norm `name`_norm.

    filters: None for one that sees one channel, for each. padding: as Conv2D takes it; None keeps the size where
    strides are 1, in PyTorch's way: size // 2 on every side.
    decay: of the kernel. momentum, epsilon: of the norm.
    """
    sliding, start, penalty = (size, strides, size // 2 if padding is None else padding), "he_normal", l2(decay)
    conv: Layer
    if filters is None:
        conv = DepthwiseConv2D(
            *sliding, depthwise_initializer=start, depthwise_regularizer=penalty, use_bias=False, name=name
        )
    else:
        conv = Conv2D(
            filters, *sliding, kernel_initializer=start, kernel_regularizer=penalty, use_bias=False, name=name
        )
    value: Symbolic = BatchNorm(momentum=momentum, epsilon=epsilon, name=f"{name}_norm")(conv(x))
    return value
