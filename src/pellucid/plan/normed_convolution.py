"""Training: convolutions 1x1 and depthwise with batch norm between them, whose maps are never written normalised.

Each convolution normalises what it reads, and sums up mean and variance of what it writes; back, it makes the gradient
of its result from that of the batch norm behind it. So a map is written once and read once each time it is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from pellucid import ops
from pellucid.layers import BatchNorm, Layer
from pellucid.layers.conv import BaseConv2D
from pellucid.ops import native
from pellucid.ops.geometry import Array, Convolution, conv2d_shape
from pellucid.ops.table import Numbers
from pellucid.plan.folding import gamma_beta
from pellucid.plan.lowered import Context, Lowered, activation_of
from pellucid.plan.work import Work


@dataclass(frozen=True)
class _Norm:
    """A batch norm and the activation behind it; mean and variance are the batch's."""

    layer: BatchNorm
    gamma: Array
    beta: Array
    mean: Array
    variance: Array
    kind: str
    numbers: Numbers

    def in_front(self) -> dict[str, Any]:
        """As the convolution takes it whose input it is."""
        return {
            "x_gamma": self.gamma,
            "x_beta": self.beta,
            "x_mean": self.mean,
            "x_variance": self.variance,
            "x_epsilon": self.layer.epsilon,
            "activation": self.kind,
            **self.numbers,
        }

    def gradients(self, context: Context) -> tuple[Array, Array]:
        """Where those of gamma and beta go."""
        dgamma, dbeta = context.gradient(self.layer, "gamma"), context.gradient(self.layer, "beta")
        size = self.mean.size
        return (
            context.constant(size, 0) if dgamma is None else dgamma,
            context.constant(size, 0) if dbeta is None else dbeta,
        )


@dataclass(frozen=True)
class _Stage:
    """A convolution of x, perhaps normalised, to z."""

    conv: BaseConv2D
    kernel: Array
    settings: Convolution
    front: _Norm | None
    x: Array
    z: Array


def lower_normed_convolutions(context: Context, layers: tuple[Layer, ...], before: Lowered) -> Lowered | None:
    """[convolution], then (batch norm, activation, convolution) once or more often."""
    norms = [layer for layer in layers if isinstance(layer, BatchNorm)]
    convs = [layer for layer in layers if isinstance(layer, BaseConv2D)]
    if not context.training or not all(norm.trainable for norm in norms):
        return None
    activations = [activation_of(layers[layers.index(norm) + 1]) for norm in norms]
    if any(after is None or after[0] in ops.READ_INPUT for after in activations):
        return None
    leads = layers[0] is norms[0]
    kernels = [_filters(context, conv) for conv in convs]
    if any(kernel is None or conv.nonlinearity is not None for conv, kernel in zip(convs, kernels, strict=True)):
        return None
    shape, windows = before.y.shape, list[tuple[Convolution, ops.Shape]]()
    for k, (conv, kernel) in enumerate(zip(convs, kernels, strict=True)):
        settings = conv.options(shape[1:])
        if not native.conv2d_norm_runs(
            shape, cast(Array, kernel).shape, settings, in_front=leads or k > 0, behind=k < len(convs) - 1
        ):
            return None
        shape = conv2d_shape(shape, cast(Array, kernel).shape, **settings)
        windows.append((settings, shape))

    forward, stages, x = list[Work](), list[_Stage](), before.y
    front: _Norm | None = None
    pending = [
        _norm(context, norm, *cast("tuple[str, Numbers]", after))
        for norm, after in zip(norms, activations, strict=True)
    ]
    if leads:
        front = pending.pop(0)
        forward.append(
            native.batch_norm(x, front.gamma, front.beta, None, front.mean, front.variance, epsilon=front.layer.epsilon)
        )
    for conv, kernel, (settings, after) in zip(convs, kernels, windows, strict=True):
        z = context.output(after[1:])
        stages.append(_Stage(conv, cast(Array, kernel), settings, front, x, z))
        given = {} if front is None else front.in_front()
        front = pending.pop(0) if pending else None
        measured = {} if front is None else {"mean": front.mean, "variance": front.variance}
        forward.append(native.conv2d_norm(x, stages[-1].kernel, z, **settings, **given, **measured))
        x = z
    inner = max(stage.x.size for stage in stages)
    return Lowered(layers, x, forward, _Backward(context, stages), inner=inner)


def _filters(context: Context, conv: BaseConv2D) -> Array | None:
    kernel = context.parameter(conv, "kernel")
    return None if kernel is None or context.parameter(conv, "bias") is not None else conv.as_filters(kernel)


def _norm(context: Context, layer: BatchNorm, kind: str, numbers: Numbers) -> _Norm:
    size = layer.state["mean"].size
    mean, variance = context.constant(size, 0), context.constant(size, 0)
    # after the loss, which ends a step that is no number: the running statistics then stay what they were
    context.finish += (
        native.update_running(mean, layer.state["mean"], momentum=layer.momentum),
        native.update_running(variance, layer.state["variance"], momentum=layer.momentum),
    )
    return _Norm(layer, *gamma_beta(context, layer, size), mean, variance, kind, numbers)


@dataclass(frozen=True)
class _Backward:
    """From the last convolution to the first; gradients between them lie in areas of the plan."""

    context: Context
    stages: Sequence[_Stage]

    def __call__(self, dy: Array, dx: Array | None) -> Sequence[Work]:
        context, work = self.context, list[Work]()
        behind: dict[str, Any] = {}
        for stage in reversed(self.stages):
            front, first = stage.front, stage is self.stages[0]
            kernel = context.gradient(stage.conv, "kernel")
            dkernel = None if kernel is None else stage.conv.as_filters(kernel)
            target = dx if first else None
            taken: dict[str, Any] = {}
            if front is not None:
                target = context.gradient_area(stage.x.shape, dy) if target is None else target
                dgamma, dbeta = front.gradients(context)
                taken = {**front.in_front(), "x_dgamma": dgamma, "x_dbeta": dbeta}
            if dkernel is not None or target is not None:
                work.append(
                    native.conv2d_norm_backward(
                        dy, stage.x, stage.kernel, dkernel, target, **stage.settings, **behind, **taken
                    )
                )
            if front is None or target is None:
                break
            behind = {
                "y": stage.x,
                "gamma": front.gamma,
                "mean": front.mean,
                "variance": front.variance,
                "dgamma": dgamma,
                "dbeta": dbeta,
                "epsilon": front.layer.epsilon,
            }
            dy = target
        if front is not None and dx is not None:
            work.append(
                native.batch_norm_backward(
                    dx, stage.x, front.gamma, front.mean, front.variance, dx, dgamma, dbeta, epsilon=front.layer.epsilon
                )
            )
        return work
