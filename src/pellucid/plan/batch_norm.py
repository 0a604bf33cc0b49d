"""Batch normalisation as native steps, with what is added to it and the activation behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from pellucid import ops
from pellucid.layers import Add, BatchNorm, Layer
from pellucid.ops import native
from pellucid.ops.geometry import Array
from pellucid.ops.table import Numbers
from pellucid.plan.folding import gamma_beta
from pellucid.plan.lowered import Context, Lowered, activation_of
from pellucid.plan.work import Work


@dataclass(frozen=True)
class Norm:
    """A batch norm in training and the activation behind it; mean and variance are the batch's.

    dgamma, dbeta: where their gradients go, whether or not they are trained.
    """

    layer: BatchNorm
    gamma: Array
    beta: Array
    mean: Array
    variance: Array
    dgamma: Array
    dbeta: Array
    kind: str
    numbers: Numbers

    @property
    def settings(self) -> dict[str, Any]:
        """Epsilon and activation, as steps take them."""
        return {"epsilon": self.layer.epsilon, "activation": self.kind, **self.numbers}

    def backward(self, dy: Array, x: Array, dx: Array | None, y: Array | None, daddend: Array | None) -> Work:
        """The gradients of x, gamma, beta and of what was added; y tells of the activation where something was."""
        known = {"beta": self.beta} if y is None else {"y": y}
        norm, gradients = (self.gamma, self.mean, self.variance), (self.dgamma, self.dbeta)
        return native.batch_norm_backward(dy, x, *norm, dx, *gradients, daddend=daddend, **known, **self.settings)


@dataclass
class Ending:
    """A batch norm of x whose result y is written by a step of its own, the last of `forward`, or by its first reader.

    readers: of y. passed_back: the first reader's backward takes its gradient through activation and batch norm.
    """

    norm: Norm
    x: Array
    addend: Array | None
    y: Array
    forward: list[Work]
    readers: int = 1
    passed_back: bool = False

    def take(self) -> Norm:
        """The batch norm, for the first reader to apply."""
        self.forward.pop()
        return self.norm


def normalise(context: Context, layer: BatchNorm, channels: int, kind: str, numbers: Numbers) -> Norm:
    """A layer of a training plan, whose running statistics follow the batch's."""
    mean, variance = context.constant(channels, 0), context.constant(channels, 0)
    # after the loss, which ends a step that is no number: the running statistics then stay what they were
    context.finish += (
        native.update_running(mean, layer.state["mean"], momentum=layer.momentum),
        native.update_running(variance, layer.state["variance"], momentum=layer.momentum),
    )
    dgamma, dbeta = (
        context.constant(channels, 0) if place is None else place
        for place in (context.gradient(layer, "gamma"), context.gradient(layer, "beta"))
    )
    return Norm(layer, *gamma_beta(context, layer, channels), mean, variance, dgamma, dbeta, kind, numbers)


def activation_after(layers: Sequence[Layer], added: Sequence[Lowered]) -> tuple[str, Numbers] | None:
    """Of (batch norm, the sum with what is added, activation), each but the first perhaps absent; None: no such row."""
    sums = [type(layer) is Add for layer in layers]
    after = ("linear", Numbers()) if len(layers) == 1 or sums[-1] else activation_of(layers[-1])
    return None if len(added) != sum(sums) else after


def lower_batch_norm(context: Context, layers: tuple[Layer, ...], before: Lowered, *added: Lowered) -> Lowered | None:
    """Batch normalisation: by the running statistics in use; in training over the batch, + what is added + activation.

    Without an addend backward computes the result again from x, so y may be overwritten.
    """
    layer, x = cast(BatchNorm, layers[0]), before.y
    after = activation_after(layers, added)
    if after is None or (context.training and (not layer.trainable or after[0] in ops.READ_INPUT)):
        return None
    kind, numbers = after
    channels, addend = x.shape[-1], added[0].y if added else None
    y = context.output(x.shape[1:])
    if not context.training:
        known = (*gamma_beta(context, layer, channels), layer.state["mean"], layer.state["variance"])
        how: dict[str, Any] = {"epsilon": layer.epsilon, "activation": kind, **numbers}
        return Lowered(layers, y, (native.batch_norm_inference(x, *known, y, addend=addend, **how),))
    norm = normalise(context, layer, channels, kind, numbers)
    forward = native.batch_norm(x, norm.gamma, norm.beta, y, norm.mean, norm.variance, addend=addend, **norm.settings)

    def backward(dy: Array, dx: Array | None, daddend: Array | None = None) -> Sequence[Work]:
        return (norm.backward(dy, x, dx, y if added else None, daddend),)

    return Lowered(layers, y, (forward,), backward, needs_output=bool(added) and kind != "linear", in_place=True)
