"""Layer and group normalisation as native steps: both are `group_norm` on arrays that are seen in another shape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from pellucid.layers import GroupNorm, Layer, LayerNorm
from pellucid.layers.normalization import Norm
from pellucid.ops import native
from pellucid.ops.api.group_norm import Laid, by_groups, by_places
from pellucid.ops.geometry import Array
from pellucid.plan.folding import gamma_beta
from pellucid.plan.lowered import Context, Lowered
from pellucid.plan.work import Work


def lower_layer_norm(context: Context, layers: tuple[Layer, ...], before: Lowered) -> Lowered:
    """Layer normalisation: over the last axes of each place."""
    norm, shape = cast(LayerNorm, layers[0]), before.y.shape
    return _lower(context, layers, before, by_places("layer_norm", shape, norm.weights_shape(shape[1:])))


def lower_group_norm(context: Context, layers: tuple[Layer, ...], before: Lowered) -> Lowered:
    """Group normalisation: over the places and channels of each group."""
    norm, shape = cast(GroupNorm, layers[0]), before.y.shape
    return _lower(context, layers, before, by_groups("group_norm", shape, norm.groups_of(shape[-1])))


def _lower(context: Context, layers: tuple[Layer, ...], before: Lowered, laid: Laid) -> Lowered:
    norm = cast(Norm, layers[0])
    gamma, beta = gamma_beta(context, norm, laid.x[-1])
    y = context.output(before.y.shape[1:])
    x, epsilon = before.y.reshape(laid.x), norm.epsilon
    mean, variance = context.record((2, *laid.statistics))
    step = native.group_norm(x, gamma, beta, y.reshape(laid.x), mean, variance, epsilon=epsilon)

    def backward(dy: Array, dx: Array | None) -> Sequence[Work]:
        places = [context.gradient(norm, name) for name in ("gamma", "beta")]
        dgamma, dbeta = (context.constant(gamma.size, 0) if d is None else d.reshape(-1) for d in places)
        laid_dx = None if dx is None else dx.reshape(laid.x)
        given = dy.reshape(laid.x), x, gamma, mean, variance, laid_dx, dgamma, dbeta
        return (native.group_norm_backward(*given, epsilon=epsilon),)

    return Lowered(layers, y, (step,), backward)
