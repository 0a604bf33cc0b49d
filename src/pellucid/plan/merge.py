"""Layers that read several values, as native steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np

from pellucid.layers import Concatenate, Layer, Multiply
from pellucid.ops import native
from pellucid.ops.geometry import Array
from pellucid.ops.rearranging import columns, product_shapes
from pellucid.plan.lowered import Context, Lowered
from pellucid.plan.work import Work


def lower_add(context: Context, layers: tuple[Layer, ...], *before: Lowered) -> Lowered:
    """The sum of several values, in the memory of the first that nobody else needs."""
    free = next((value for value in before if not value.needs_output), None)
    y = context.output(before[0].y.shape[1:]) if free is None else free.y
    rest = [value.y for value in before if value is not free]
    forward = [native.activation(rest.pop(0), y, "linear")] if free is None else []
    forward += [native.add(x, y) for x in rest]

    def backward(dy: Array, *passed: Array | None) -> Sequence[Work]:
        copies = [dx for dx in passed if dx is not None and not np.may_share_memory(dx, dy)]
        return [native.activation(dy, dx, "linear") for dx in copies]

    return Lowered(layers, y, forward, backward, in_place=True)


def lower_multiply(context: Context, layers: tuple[Layer, ...], *before: Lowered) -> Lowered:
    """The product of several values, one factor after another; training keeps the products between."""
    order = Multiply.order([value.y.shape for value in before])
    x, *factors = (before[i].y for i in order)
    products, forward = [x], list[Work]()
    for factor in factors:
        y = context.output(x.shape[1:]) if context.training or len(products) == 1 else products[-1]
        laid, row = product_shapes(x.shape, factor.shape, layers[0].place())
        forward.append(native.multiply(products[-1].reshape(laid), factor.reshape(row), y.reshape(laid)))
        products.append(y)

    def backward(dy: Array, *passed: Array | None) -> Sequence[Work]:
        dx, *dfactors = (passed[i] for i in order)
        work: list[Work] = []
        for number in range(len(factors), 0, -1):
            factor, dfactor, through = factors[number - 1], dfactors[number - 1], dx if number == 1 else dy
            laid, row = product_shapes(x.shape, factor.shape, layers[0].place())
            given = dy.reshape(laid), products[number - 1].reshape(laid), factor.reshape(row)
            made = (None if d is None else d.reshape(s) for d, s in ((through, laid), (dfactor, row)))
            work.append(native.multiply_backward(*given, *made))
        return work

    return Lowered(layers, products[-1], forward, backward)


def lower_concatenate(context: Context, layers: tuple[Layer, ...], *before: Lowered) -> Lowered:
    """Values behind one another: each is copied to its columns, and its gradient from there."""
    layer = cast(Concatenate, layers[0])
    y = context.output_of(layer)
    axis = layer.axis % y.ndim
    ((laid, _),) = columns([y.shape], axis)
    places = list(columns([value.y.shape for value in before], axis))

    def backward(dy: Array, *passed: Array | None) -> Sequence[Work]:
        parts = zip(passed, places, strict=True)
        return [native.split(dy.reshape(laid), dx.reshape(x), first) for dx, (x, first) in parts if dx is not None]

    forward = [
        native.concatenate(value.y.reshape(x), y.reshape(laid), first)
        for value, (x, first) in zip(before, places, strict=True)
    ]
    return Lowered(layers, y, forward, backward)
