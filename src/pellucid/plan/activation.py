"""Activations by themselves as native steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from pellucid import ops
from pellucid.layers import Layer, PReLU, Softmax
from pellucid.ops import native
from pellucid.ops.geometry import Array
from pellucid.ops.rearranging import slope_shapes
from pellucid.plan.lowered import Context, Lowered, activation_of
from pellucid.plan.rearranging import permuted
from pellucid.plan.work import Work


def lower_activation(context: Context, layers: tuple[Layer, ...], before: Lowered) -> Lowered | None:
    """An activation by itself; it overwrites its input where neither the layer before nor its gradient reads it."""
    after = activation_of(layers[0])
    if after is None and layers[0].nonlinearity != Softmax.nonlinearity:
        return None
    if after is None:
        return _softmax(context, layers, before, before.y.ndim - 2)
    kind, numbers = after
    if kind == "linear":
        return Lowered(layers, before.y, in_place=True, needs_output=before.needs_output)
    x = before.y
    reads_input = context.training and kind in ops.READ_INPUT
    y = context.output(x.shape[1:]) if before.needs_output or reads_input else x
    kept = x if reads_input else y
    return Lowered(
        layers,
        y,
        (native.activation(x, y, kind, **numbers),),
        lambda dy, dx: (native.activation_backward(dy, kept, dy, kind, **numbers),),
        needs_output=not reads_input,
        in_place=True,
    )


def lower_softmax(context: Context, layers: tuple[Layer, ...], before: Lowered) -> Lowered:
    """Softmax, where no loss has taken it in."""
    return _softmax(context, layers, before, cast(Softmax, layers[0]).place_of(before.y.ndim - 1))


def _softmax(context: Context, layers: tuple[Layer, ...], before: Lowered, place: int) -> Lowered:
    """Over one axis of a picture; where it is not the last, it is brought there and back."""
    x = before.y
    axes = x.ndim - 1
    if place == axes - 1:
        y = context.output(x.shape[1:])
        forward: Sequence[Work] = (native.softmax(x, y),)
        return Lowered(layers, y, forward, lambda dy, dx: (native.softmax_backward(dy, y, dx),), needs_output=True)
    dims = list(range(1, axes + 1))
    dims[place], dims[-1] = dims[-1], dims[place]
    kept = context.output(tuple(x.shape[axis] for axis in dims))
    y = context.output(x.shape[1:])
    forward = (*permuted(context, x, kept, dims), native.softmax(kept, kept), *permuted(context, kept, y, dims))

    def backward(dy: Array, dx: Array | None) -> Sequence[Work]:
        if dx is None:
            return ()
        d = context.buffer(kept.shape)
        step = native.softmax_backward(d, kept, d)
        return (*permuted(context, dy, d, dims), step, *permuted(context, d, dx, dims))

    return Lowered(layers, y, forward, backward)


def lower_prelu(context: Context, layers: tuple[Layer, ...], before: Lowered) -> Lowered | None:
    """PReLU; training keeps its input."""
    prelu, x = cast(PReLU, layers[0]), before.y
    alpha, dalpha = context.parameter(prelu, "alpha"), context.gradient(prelu, "alpha")
    laid = None if alpha is None else slope_shapes(x.shape, alpha.shape)
    if alpha is None or laid is None:
        return None
    shape, slopes = laid
    y = x if not (context.training or before.needs_output) else context.output(x.shape[1:])
    step = native.prelu(x.reshape(shape), alpha.reshape(slopes), y.reshape(shape))

    def backward(dy: Array, dx: Array | None) -> Sequence[Work]:
        laid_dx, laid_dalpha = (None if a is None else a.reshape(s) for a, s in ((dx, shape), (dalpha, slopes)))
        given = dy.reshape(shape), x.reshape(shape), alpha.reshape(slopes), laid_dx, laid_dalpha
        return (native.prelu_backward(*given),)

    return Lowered(layers, y, (step,), backward, in_place=True)
