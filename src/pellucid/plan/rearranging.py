"""Axes in another order, and the same numbers under another shape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from pellucid.layers import Layer, Permute
from pellucid.ops import native
from pellucid.ops.geometry import Array
from pellucid.ops.rearranging import swaps
from pellucid.plan.lowered import Context, Lowered
from pellucid.plan.work import Work


def lower_renamed(context: Context, layers: tuple[Layer, ...], before: Lowered) -> Lowered:
    """The same memory under another shape: no work."""
    x = before.y
    return Lowered(
        layers, x.reshape(len(x), *context.shapes[layers[0].name]), needs_output=before.needs_output, in_place=True
    )


def permuted(context: Context, x: Array, y: Array, dims: Sequence[int]) -> list[Work]:
    """y = the axes of each picture of x in another order, counted from 1; of several exchanges with room between."""
    work: list[Work] = []
    forms = list(swaps(x.shape[1:], dims))
    if not forms:
        return [native.activation(x, y, "linear")]
    for number, (outer, a, inner, b, c) in enumerate(forms, 1):
        n = len(x)
        to = y if number == len(forms) else context.buffer(y.shape)
        work.append(native.permute(x.reshape(n, outer, a, inner, b, c), to.reshape(n, outer, b, inner, a, c)))
        x = to
    return work


def lower_permute(context: Context, layers: tuple[Layer, ...], before: Lowered) -> Lowered:
    """The axes in another order."""
    layer, x = cast(Permute, layers[0]), before.y
    y = context.output_of(layer)

    def backward(dy: Array, dx: Array | None) -> Sequence[Work]:
        return [] if dx is None else permuted(context, dy, dx, layer.inverse)

    return Lowered(layers, y, permuted(context, x, y, layer.dims), backward)
