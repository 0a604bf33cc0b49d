"""The end of a training step: penalties, clipping, and the optimizer over the flat vectors."""

from __future__ import annotations

from collections.abc import Sequence

from pellucid.layers import Layer
from pellucid.layers.penalty import Penalty
from pellucid.ops import native
from pellucid.ops.geometry import Array
from pellucid.optimizers import SGD, Adam, AdamW, Optimizer
from pellucid.parameters import FlatParameters, Span
from pellucid.plan.control import LOSS, RATE, STEP
from pellucid.plan.work import Work


def update_work(
    layers: Sequence[Layer],
    parameters: FlatParameters,
    optimizer: Optimizer,
    slots: dict[str, Array],
    control: Array,
    totals: Array,
) -> list[Work]:
    """Penalties into gradients and loss, clipping, then each span of parameters through the optimizer."""
    work = _penalties(layers, parameters, totals)
    work.extend(_clipping(parameters, optimizer))
    for span in parameters.spans(optimizer.no_decay):
        work.append(_update(parameters, optimizer, slots, control, span))
    return work


def _penalties(layers: Sequence[Layer], parameters: FlatParameters, totals: Array) -> list[Work]:
    """l1 * sum |w| + l2 * sum w^2 of each regularised kernel, added to the loss; its gradient to the gradient."""
    work: list[Work] = []
    for layer in layers:
        segments = parameters.of(layer)
        for name, penalty in layer.penalties().items():
            if segments[name].trainable:
                work.append(
                    _penalise(penalty, parameters.view(segments[name]), parameters.gradient(segments[name]), totals)
                )
    return work


def penalty_loss(layers: Sequence[Layer]) -> float:
    """What the penalties of the layers being trained add to the loss."""
    trained = [layer for layer in layers if layer.trainable]
    return sum(p.loss(layer.params[name]) for layer in trained for name, p in layer.penalties().items())


def _penalise(penalty: Penalty, param: Array, grad: Array, totals: Array) -> Work:
    def work(n: int) -> None:
        totals[LOSS] += n * penalty.loss(param)
        grad[...] += penalty.gradient(param)

    return work


def _clipping(parameters: FlatParameters, optimizer: Optimizer) -> list[Work]:
    """Gradients limited by value, by each parameter's norm, or by the norm of all together."""
    if optimizer.clipvalue is None and optimizer.clipnorm is None and optimizer.global_clipnorm is None:
        return []
    gradients = [parameters.gradient(segment) for segment in parameters.segments if segment.trainable]

    def clip(n: int) -> None:
        optimizer.clip(gradients)

    return [clip]


def _update(
    parameters: FlatParameters, optimizer: Optimizer, slots: dict[str, Array], control: Array, span: Span
) -> Work:
    param = parameters.vector[span.offset : span.offset + span.length]
    piece = slice(span.gradient_offset, span.gradient_offset + span.length)
    grad = parameters.gradients[piece]
    moments = {name: vector[piece] for name, vector in slots.items()}
    decay = (optimizer.weight_decay or 0.0) if span.decay else 0.0
    if native.available and type(optimizer) is SGD:
        return native.sgd(
            param,
            grad,
            moments.get("velocity"),
            control,
            momentum=optimizer.momentum,
            nesterov=optimizer.nesterov,
            weight_decay=decay,
        )
    if native.available and (type(optimizer) is Adam or type(optimizer) is AdamW):
        return native.adam(
            param,
            grad,
            moments["m"],
            moments["v"],
            control,
            beta1=optimizer.beta_1,
            beta2=optimizer.beta_2,
            epsilon=optimizer.epsilon,
            weight_decay=decay,
            decoupled=optimizer.decoupled,
        )

    def update(n: int) -> None:
        optimizer.update(
            param, grad, moments, learning_rate=float(control[RATE]), step=int(control[STEP]), weight_decay=decay
        )

    return update
