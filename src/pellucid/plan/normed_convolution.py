"""Training: convolutions with batch norm behind them, whose maps are written once, and read once each time.

Each convolution sums up mean and variance of what it writes. Where another one follows, the result of the batch norm
between them is never written: that convolution normalises what it reads. Back, each makes the gradient of its result
from that of the batch norm behind it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from pellucid import ops
from pellucid.layers import BatchNorm, Layer
from pellucid.layers.conv import BaseConv2D
from pellucid.ops import native
from pellucid.ops.geometry import Array, Convolution, conv2d_shape
from pellucid.ops.table import Numbers
from pellucid.plan.batch_norm import Norm, activation_after, normalise
from pellucid.plan.lowered import Context, Lowered, activation_of
from pellucid.plan.work import Work


def _in_front(norm: Norm) -> dict[str, Any]:
    """A batch norm as the convolution takes it that reads its result."""
    of_x = {"x_gamma": norm.gamma, "x_beta": norm.beta, "x_mean": norm.mean, "x_variance": norm.variance}
    return {**of_x, "x_epsilon": norm.layer.epsilon, "activation": norm.kind, **norm.numbers}


def _behind(norm: Norm, y: Array) -> dict[str, Any]:
    """The same for the gradient of the convolution that gave y."""
    of_y = {"gamma": norm.gamma, "mean": norm.mean, "variance": norm.variance, "epsilon": norm.layer.epsilon}
    return {**of_y, "y": y, "dgamma": norm.dgamma, "dbeta": norm.dbeta}


@dataclass(frozen=True)
class _Stage:
    """A convolution of x, perhaps normalised, to z."""

    conv: BaseConv2D
    kernel: Array
    settings: Convolution
    front: Norm | None
    x: Array
    z: Array


def lower_normed_convolutions(
    context: Context, layers: tuple[Layer, ...], before: Lowered, *added: Lowered
) -> Lowered | None:
    """[convolution], (batch norm, activation, convolution) any number of times, [batch norm, [sum], [activation]]."""
    convs = [layer for layer in layers if isinstance(layer, BaseConv2D)]
    norms = [layer for layer in layers if isinstance(layer, BatchNorm)]
    last = layers.index(convs[-1])
    between = [activation_of(layers[layers.index(norm) + 1]) for norm in norms if layers.index(norm) < last]
    tail = layers[last + 1 :]
    after = [*between, *([activation_after(tail, added)] if tail else [])]
    if not context.training or not all(norm.trainable for norm in norms):
        return None
    if any(each is None or each[0] in ops.READ_INPUT for each in after):
        return None
    leads = layers[0] is norms[0]
    kernels = [_filters(context, conv) for conv in convs]
    if any(kernel is None or conv.nonlinearity is not None for conv, kernel in zip(convs, kernels, strict=True)):
        return None
    shape, windows = before.y.shape, list[tuple[Convolution, ops.Shape]]()
    for k, (conv, kernel) in enumerate(zip(convs, kernels, strict=True)):
        settings = conv.options(shape[1:])
        in_front, behind = leads or k > 0, bool(tail) or k < len(convs) - 1
        if not native.conv2d_norm_runs(shape, cast(Array, kernel).shape, settings, in_front=in_front, behind=behind):
            return None
        shape = conv2d_shape(shape, cast(Array, kernel).shape, **settings)
        windows.append((settings, shape))

    forward, stages, x = list[Work](), list[_Stage](), before.y
    channels = [*([x.shape[-1]] if leads else []), *(shape[-1] for _, shape in windows)]
    pending = [
        normalise(context, norm, size, *cast("tuple[str, Numbers]", each))
        for norm, size, each in zip(norms, channels, after, strict=False)
    ]
    front: Norm | None = None
    if leads:
        front = pending.pop(0)
        forward.append(
            native.batch_norm(x, front.gamma, front.beta, None, front.mean, front.variance, epsilon=front.layer.epsilon)
        )
    for conv, kernel, (settings, shape) in zip(convs, kernels, windows, strict=True):
        z = context.output(shape[1:])
        stages.append(_Stage(conv, cast(Array, kernel), settings, front, x, z))
        given = {} if front is None else _in_front(front)
        front = pending.pop(0) if pending else None
        measured = {} if front is None else {"mean": front.mean, "variance": front.variance}
        forward.append(native.conv2d_norm(x, stages[-1].kernel, z, **settings, **given, **measured))
        x = z
    inner = max(stage.x.size for stage in stages)
    if front is None:
        return Lowered(layers, x, forward, _Backward(context, stages), adds=not leads, inner=inner)
    y, addend = context.output(x.shape[1:]), added[0].y if added else None
    known = (front.gamma, front.beta, front.mean, front.variance)
    forward.append(native.batch_norm_inference(x, *known, y, addend=addend, **front.settings))
    return Lowered(
        layers,
        y,
        forward,
        _Backward(context, stages, front, y if added else None, added_input=bool(added) and added[0] is before),
        needs_output=bool(added) and front.kind != "linear",
        in_place=bool(added),
        adds=not leads,
        inner=inner,
    )


def _filters(context: Context, conv: BaseConv2D) -> Array | None:
    kernel = context.parameter(conv, "kernel")
    return None if kernel is None or context.parameter(conv, "bias") is not None else conv.as_filters(kernel)


@dataclass(frozen=True)
class _Backward:
    """From the last convolution to the first; gradients between them lie in areas of the plan.

    last: the batch norm behind them all; y: its result, where something was added. added_input: that was what the first
    convolution reads.
    """

    context: Context
    stages: Sequence[_Stage]
    last: Norm | None = None
    y: Array | None = None
    added_input: bool = False

    def __call__(
        self, dy: Array, dx: Array | None, daddend: Array | None = None, *, addend: Array | None = None
    ) -> Sequence[Work]:
        context, work = self.context, list[Work]()
        behind: dict[str, Any] = {}
        if self.last is not None:
            z, through = self.stages[-1].z, self._through(dy, dx, daddend)
            work.append(self.last.backward(dy, z, None, self.y, through))
            behind = _behind(self.last, z)
            dy = dy if through is None else through
            addend = dy if self.added_input else addend
        held = [array for array in (dx, addend) if array is not None]
        for stage in reversed(self.stages):
            front, first = stage.front, stage is self.stages[0]
            kernel = context.gradient(stage.conv, "kernel")
            dkernel = None if kernel is None else stage.conv.as_filters(kernel)
            target = dx if first else None
            taken: dict[str, Any] = {}
            if front is not None:
                target = context.gradient_area(stage.x.shape, dy, *held) if target is None else target
                taken = {**_in_front(front), "x_dgamma": front.dgamma, "x_dbeta": front.dbeta}
            elif target is not None:
                taken = {"addend": addend}
            if dkernel is not None or target is not None:
                work.append(
                    native.conv2d_norm_backward(
                        dy, stage.x, stage.kernel, dkernel, target, **stage.settings, **behind, **taken
                    )
                )
            if front is None or target is None:
                break
            behind = _behind(front, stage.x)
            dy = target
        if front is not None and dx is not None:
            work.append(
                native.batch_norm_backward(
                    dx, stage.x, front.gamma, front.mean, front.variance, dx, front.dgamma, front.dbeta,
                    epsilon=front.layer.epsilon,
                )
            )  # fmt: skip
        return work

    def _through(self, dy: Array, dx: Array | None, daddend: Array | None) -> Array | None:
        """Where dy goes when it is taken through the last activation; None: it stays as it is."""
        if dx is not None and np.may_share_memory(dx, dy):
            return self.context.gradient_area(dy.shape, dy)
        if daddend is not None and not np.may_share_memory(daddend, dy):
            return daddend
        return None if cast(Norm, self.last).kind == "linear" else dy
