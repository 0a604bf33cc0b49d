"""Pooling by itself as native steps: over windows, and over whole pictures."""

from __future__ import annotations

import math
from typing import cast

import numpy as np

from pellucid import ops
from pellucid.layers import AvgPool2D, Layer, MaxPool2D
from pellucid.ops import Array, native
from pellucid.plan.lowered import Context, Lowered


def lower_max_pool2d(context: Context, layers: tuple[Layer, ...], before: Lowered) -> Lowered | None:
    """Max pooling; training keeps each window's winner as one byte."""
    pool, x = cast(MaxPool2D, layers[0]), before.y
    if math.prod(pool.pool_size) > ops.MAX_POOL_TAPS:
        return None
    settings = pool.options(x.shape[1:])
    y = context.output_of(pool)
    argmax = context.record(y.shape, np.uint8)
    forward = (native.max_pool2d(x, y, argmax, **settings),)
    return Lowered(layers, y, forward, lambda dy, dx: (native.max_pool2d_backward(dy, argmax, dx, **settings),))


def lower_avg_pool2d(context: Context, layers: tuple[Layer, ...], before: Lowered) -> Lowered:
    """Average pooling."""
    pool, x = cast(AvgPool2D, layers[0]), before.y
    settings = {**pool.options(x.shape[1:]), "counted": pool.counted(x.shape[1:])}
    y = context.output_of(pool)
    forward = (native.avg_pool2d(x, y, **settings),)
    return Lowered(layers, y, forward, lambda dy, dx: (native.avg_pool2d_backward(dy, dx, **settings),))


def lower_global_avg_pool2d(context: Context, layers: tuple[Layer, ...], before: Lowered) -> Lowered:
    """The mean of each map."""
    x = before.y
    y = context.output_of(layers[0])
    forward = (native.global_avg_pool2d(x, _rows(y)),)
    return Lowered(layers, y, forward, lambda dy, dx: (native.global_avg_pool2d_backward(_rows(dy), dx),))


def lower_global_max_pool2d(context: Context, layers: tuple[Layer, ...], before: Lowered) -> Lowered:
    """The largest of each map; training keeps where it was."""
    x = before.y
    y = context.output_of(layers[0])
    argmax = context.record(_rows(y).shape, np.int32)
    forward = (native.global_max_pool2d(x, _rows(y), argmax),)
    return Lowered(layers, y, forward, lambda dy, dx: (native.global_max_pool2d_backward(_rows(dy), argmax, dx),))


def _rows(y: Array) -> Array:
    """Maps of one place as rows (N,C)."""
    return y.reshape(len(y), -1)
