"""Borders added and cut off, and pictures made larger, as native steps."""

from __future__ import annotations

from typing import Any, cast

from pellucid.layers import Cropping2D, Layer, Padding2D, UpSampling2D
from pellucid.ops import native
from pellucid.plan.lowered import Context, Lowered


def lower_padding2d(context: Context, layers: tuple[Layer, ...], before: Lowered) -> Lowered | None:
    """A border around each picture."""
    layer, x = cast(Padding2D, layers[0]), before.y
    how: dict[str, Any] = {"padding": layer.padding, "mode": layer.mode}
    y = context.output_of(layer)
    return Lowered(layers, y, (native.pad2d(x, y, **how),), lambda dy, dx: (native.pad2d_backward(dy, dx, **how),))


def lower_cropping2d(context: Context, layers: tuple[Layer, ...], before: Lowered) -> Lowered | None:
    """A border cut off: the way back of one of zeros."""
    layer, x = cast(Cropping2D, layers[0]), before.y
    y = context.output_of(layer)
    forward = (native.pad2d_backward(x, y, padding=layer.cropping),)
    return Lowered(layers, y, forward, lambda dy, dx: (native.pad2d(dy, dx, padding=layer.cropping),))


def lower_upsampling2d(context: Context, layers: tuple[Layer, ...], before: Lowered) -> Lowered | None:
    """Pictures made larger by whole factors."""
    layer, x = cast(UpSampling2D, layers[0]), before.y
    how: dict[str, Any] = {"factors": layer.size, "interpolation": layer.interpolation}
    y = context.output_of(layer)
    return Lowered(
        layers, y, (native.upsample2d(x, y, **how),), lambda dy, dx: (native.upsample2d_backward(dy, dx, **how),)
    )
