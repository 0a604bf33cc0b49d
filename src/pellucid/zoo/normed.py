"""A convolution with batch norm behind it, of which residual networks and their relatives are made."""

from __future__ import annotations

from typing import Any

from pellucid.layers import BatchNorm, Conv2D
from pellucid.layers.penalty import L2, Penalty
from pellucid.layers.symbolic import Symbolic


def l2(decay: float) -> Penalty | None:
    """The penalty whose gradient is decay * weight: what papers call weight decay."""
    return L2(decay / 2) if decay else None


def normed(
    x: Symbolic,
    filters: int,
    size: int,
    strides: int = 1,
    padding: Any = None,
    *,
    groups: int = 1,
    name: str,
    decay: float = 0.0,
    momentum: float = 0.9,
    epsilon: float = 1e-5,
) -> Symbolic:
    """The convolution `name`, without bias, and the batch norm `name`_norm.

    padding: as Conv2D takes it; None keeps the size where strides are 1, in PyTorch's way: size // 2 on every side.
    decay: of the kernel. momentum, epsilon: of the norm.
    """
    conv = Conv2D(
        filters,
        size,
        strides,
        size // 2 if padding is None else padding,
        groups=groups,
        use_bias=False,
        kernel_initializer="he_normal",
        kernel_regularizer=l2(decay),
        name=name,
    )
    value: Symbolic = BatchNorm(momentum=momentum, epsilon=epsilon, name=f"{name}_norm")(conv(x))
    return value
