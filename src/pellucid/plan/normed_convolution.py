"""Training: convolutions with batch norm behind them, whose maps are written once, and read once each time.

Each convolution sums up mean and variance of what it writes. Where another one follows, the result of the batch norm
between them is never written: that convolution normalises what it reads. Where others read it too, the first that does
writes it. Back, each makes the gradient of its result from that of the batch norm behind it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from pellucid import ops
from pellucid.layers import BatchNorm, DepthwiseConv2D, Layer
from pellucid.layers.conv import BaseConv2D
from pellucid.ops import native
from pellucid.ops.geometry import Array, Convolution, conv2d_shape
from pellucid.ops.table import Numbers
from pellucid.plan.batch_norm import Ending, Norm, activation_after, normalise
from pellucid.plan.lowered import Context, Lowered, activation_of
from pellucid.plan.work import Work


def _in_front(stage: _Stage) -> dict[str, Any]:
    """The batch norm in front of a convolution, as that takes it."""
    norm = cast(Norm, stage.front)
    of_x = {"x_gamma": norm.gamma, "x_beta": norm.beta, "x_mean": norm.mean, "x_variance": norm.variance}
    return {**of_x, "x_y": stage.y, "x_epsilon": norm.layer.epsilon, "activation": norm.kind, **norm.numbers}


def _behind(norm: Norm, y: Array) -> dict[str, Any]:
    """A batch norm behind the convolution that gave y, as the gradient of that takes it."""
    of_y = {"gamma": norm.gamma, "mean": norm.mean, "variance": norm.variance, "epsilon": norm.layer.epsilon}
    return {**of_y, "y": y, "dgamma": norm.dgamma, "dbeta": norm.dbeta}


@dataclass(frozen=True)
class _Stage:
    """A convolution of x, perhaps normalised, to z; y: the normalised x, where others read it too."""

    conv: BaseConv2D
    kernel: Array
    settings: Convolution
    front: Norm | None
    x: Array
    y: Array | None
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
    kernels = [_filters(context, conv) for conv in convs]
    if any(kernel is None or conv.nonlinearity is not None for conv, kernel in zip(convs, kernels, strict=True)):
        return None
    leads, twice = layers[0] is norms[0], bool(added) and added[0] is before
    begun = None if leads or isinstance(convs[0], DepthwiseConv2D) else before.ending
    if begun is not None and twice and begun.readers > 2:  # more gradients come together than are added here
        begun = None
    shape, windows = before.y.shape, list[tuple[Convolution, ops.Shape]]()
    for k, (conv, kernel) in enumerate(zip(convs, kernels, strict=True)):
        settings = conv.options(shape[1:])
        in_front, behind = leads or begun is not None or k > 0, bool(tail) or k < len(convs) - 1
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
    addend = y = None
    if leads:
        front = pending.pop(0)
        forward.append(
            native.batch_norm(x, front.gamma, front.beta, None, front.mean, front.variance, epsilon=front.layer.epsilon)
        )
    elif begun is not None:
        front, x, y, addend = begun.take(), begun.x, begun.y, begun.addend
    for conv, kernel, (settings, shape) in zip(convs, kernels, windows, strict=True):
        z = context.output(shape[1:])
        stages.append(_Stage(conv, cast(Array, kernel), settings, front, x, y, z))
        given = {} if front is None else {**_in_front(stages[-1]), "x_addend": addend}
        front, x, addend, y = pending.pop(0) if pending else None, z, None, None
        measured = {} if front is None else {"mean": front.mean, "variance": front.variance}
        forward.append(native.conv2d_norm(stages[-1].x, stages[-1].kernel, z, **settings, **given, **measured))
    inner = max(stage.x.size for stage in stages)
    if front is None:
        return Lowered(layers, x, forward, _Backward(context, stages, begun), adds=not leads, inner=inner)
    y, addend = context.output(x.shape[1:]), added[0].y if added else None
    known = (front.gamma, front.beta, front.mean, front.variance)
    forward.append(native.batch_norm_inference(x, *known, y, addend=addend, **front.settings))
    ending = Ending(front, x, addend, y, forward)
    return Lowered(
        layers,
        y,
        forward,
        _Backward(context, stages, begun, ending, twice=twice),
        needs_output=True,
        in_place=bool(added),
        adds=not leads,
        inner=inner,
        ending=ending,
    )


def _filters(context: Context, conv: BaseConv2D) -> Array | None:
    kernel = context.parameter(conv, "kernel")
    return None if kernel is None or context.parameter(conv, "bias") is not None else conv.as_filters(kernel)


@dataclass(frozen=True)
class _Backward:
    """From the last convolution to the first; gradients between them lie in areas of the plan.

    begun: the batch norm in front of them all that the pattern before ends in, which this one has applied. ending: the
    one behind them all. twice: what is added there is what the first convolution reads.
    """

    context: Context
    stages: Sequence[_Stage]
    begun: Ending | None = None
    ending: Ending | None = None
    twice: bool = False

    def __call__(
        self, dy: Array, dx: Array | None, daddend: Array | None = None, *, addend: Array | None = None
    ) -> Sequence[Work]:
        context, work = self.context, list[Work]()
        behind: dict[str, Any] = {}
        if self.ending is not None:
            dy = self._back_to(self.ending, dy, dx, daddend, work)
            behind = _behind(self.ending.norm, self.ending.x)
            addend = dy if self.twice else addend
        held = [array for array in (dx, daddend, addend) if array is not None]
        for k, stage in reversed(list(enumerate(self.stages))):
            front, first = stage.front, k == 0
            dkernel = self._dkernel(stage)
            if k == 1 and dx is not None and behind and self._expands(self.stages[0], stage):
                work.append(self._expanded(self.stages[0], stage, dy, dx, behind, addend))
                return work
            target, taken = (dx, {"addend": addend}) if first else (None, {})
            if front is not None:
                if target is None and not (first and self.begun):
                    target = context.gradient_area(stage.x.shape, dy, *held)
                taken |= {**_in_front(stage), "x_dgamma": front.dgamma, "x_dbeta": front.dbeta}
            if dkernel is not None or target is not None:
                given: dict[str, Any] = {**stage.settings, **behind, **taken}
                work.append(native.conv2d_norm_backward(dy, stage.x, stage.kernel, dkernel, target, **given))
            if front is None or target is None:
                return work
            behind = _behind(front, stage.x)
            dy = target
        if self.begun is not None:
            self.begun.passed_back = True
        elif dx is not None:
            linear = replace(cast(Norm, self.stages[0].front), kind="linear", numbers=Numbers())
            work.append(linear.backward(dx, self.stages[0].x, dx, None, None))
        return work

    def _dkernel(self, stage: _Stage) -> Array | None:
        kernel = self.context.gradient(stage.conv, "kernel")
        return None if kernel is None else stage.conv.as_filters(kernel)

    def _expands(self, expansion: _Stage, stage: _Stage) -> bool:
        """Whether one step takes gradients through both, a depthwise convolution behind one 1x1 to more channels."""
        shapes = (expansion.x.shape, expansion.kernel.shape, stage.kernel.shape)
        trained = self._dkernel(expansion) is not None and self._dkernel(stage) is not None
        written = stage.y is None and (expansion.front is None or expansion.y is not None)
        return trained and written and native.expanded_conv2d_norm_runs(*shapes, stage.settings)

    def _expanded(
        self, expansion: _Stage, stage: _Stage, dy: Array, dx: Array, behind: dict[str, Any], addend: Array | None
    ) -> Work:
        front = cast(Norm, stage.front)
        read = expansion.x if expansion.front is None else cast(Array, expansion.y)
        dkernel, dexpand = cast(Array, self._dkernel(stage)), cast(Array, self._dkernel(expansion))
        taken = {name: value for name, value in _in_front(stage).items() if name != "x_y"}
        taken |= {"x_dgamma": front.dgamma, "x_dbeta": front.dbeta}
        narrow = (read, expansion.kernel[0, 0], dexpand[0, 0], dx)
        return native.expanded_conv2d_norm_backward(
            dy, stage.x, stage.kernel, dkernel, *narrow, addend=addend, **stage.settings, **behind, **taken
        )

    def _back_to(self, ending: Ending, dy: Array, dx: Array | None, daddend: Array | None, work: list[Work]) -> Array:
        """The gradient of the last batch norm's result before the sum and the activation: the addend's too."""
        place = dy
        if dx is not None and np.may_share_memory(dx, dy):
            place = self.context.gradient_area(dy.shape, dy)
        elif daddend is not None and not np.may_share_memory(daddend, dy):
            place = daddend
        if not ending.passed_back:
            stays = place is dy and ending.norm.kind == "linear"
            y = None if ending.addend is None else ending.y
            work.append(ending.norm.backward(dy, ending.x, None, y, None if stays else place))
        elif place is not dy:
            work.append(native.activation(dy, place, "linear"))
        return place
