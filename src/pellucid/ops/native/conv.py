"""What a plan asks before it decides which convolutions run together with what follows them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pellucid.errors import BackendError
from pellucid.ops import geometry
from pellucid.ops.geometry import Array, Convolution, Pooling, Shape
from pellucid.ops.native.algorithm import conv2d_algorithm
from pellucid.ops.native.steps import unbound
from pellucid.ops.table import row


def conv2d_choice(x: Array, kernel: Array, **window: Any) -> str:
    """The algorithm `conv2d` would choose for these shapes; whoever thinks of merging it with something asks first."""
    return conv2d_algorithm(unbound(row("conv2d"), {"x": x.shape, "kernel": kernel.shape}, window))


NORM_CHANNELS = 16
"""Channels that a convolution between batch norms normalises are a multiple of this."""


NORM_PICTURE_BYTES, NORM_KERNEL_BYTES = 2 << 20, 256 << 10
"""Of the larger map and of the kernel, at most, where a convolution between batch norms takes whole pictures."""


def conv2d_norm_runs(x: Shape, kernel: Shape, window: Convolution, *, in_front: bool, behind: bool) -> bool:
    """Whether conv2d_norm and its gradient can do this, with a batch norm in front of the convolution and behind it.

    And whether they gain by it: a convolution that is neither 1x1 nor depthwise where maps are not much larger than L2,
    nor is the kernel, whose gradient is added up a few pictures at a time.
    """
    if (in_front and x[-1] % NORM_CHANNELS) or (behind and kernel[-1] % NORM_CHANNELS):
        return False
    by_blocks = kernel[:2] == window["strides"] == (1, 1) or window.get("groups", 1) == x[-1]
    y = geometry.conv2d_shape(x, kernel, **window)
    small = 4 * max(math.prod(x[1:]), math.prod(y[1:])) <= NORM_PICTURE_BYTES
    return by_blocks or (small and 4 * math.prod(kernel) <= NORM_KERNEL_BYTES)


EXPANDED_NUMBERS = 2 << 20
"""Of the map between a convolution 1x1 and a depthwise one, at least, where its gradient is not written."""


def expanded_conv2d_norm_runs(x: Shape, expand: Shape, kernel: Shape, window: Convolution) -> bool:
    """Whether expanded_conv2d_norm_backward can do this, and gains by it: the wide map lies in no cache."""
    wide = (*x[:-1], expand[-1])
    alone = window.get("groups", 1) == wide[-1] == kernel[-1]
    small = expand[:2] == (1, 1) and not wide[-1] % NORM_CHANNELS
    if not (alone and small) or math.prod(wide) < EXPANDED_NUMBERS:
        return False
    y = geometry.conv2d_shape(wide, kernel, **window)
    shapes = {"dy": y, "y": y, "x": wide, "kernel": kernel, "input": x, "expand": expand[2:]}
    return _takes("expanded_conv2d_norm_backward", shapes, window)


def inverted_residual_runs(x: Shape, kernel: Shape, project: Shape, window: Convolution) -> bool:
    """Whether inverted_residual can do this."""
    return _takes("inverted_residual", {"x": x, "kernel": kernel, "project": project}, window)


def _takes(name: str, shapes: Mapping[str, Shape], window: Convolution) -> bool:
    try:
        unbound(row(name), shapes, window)
    except BackendError:
        return False
    return True


def conv2d_pool_map_pays(x: Array, kernel: Array, *, convolution: Convolution, pooling: Pooling) -> bool:
    """Whether conv2d_pool_map and its gradient can do this, and faster than the steps one by one.

    They can where windows lie side by side, without padding, behind a convolution in one group.
    """
    unpooled = geometry.conv2d_shape(x.shape, kernel.shape, **convolution)
    if convolution.get("groups", 1) != 1 or not geometry.windows_side_by_side(unpooled, **pooling):
        return False
    shapes, windows = {"x": x.shape, "kernel": kernel.shape}, {"convolution": convolution, "pooling": pooling}
    return conv2d_algorithm(unbound(row("conv2d_pool_map"), shapes, windows)) == "few_filters"
