"""The end of a training step: penalties, clipping, and the optimizer over the flat vectors."""

from __future__ import annotations

from collections.abc import Sequence

from pellucid._fixed import is_own
from pellucid.layers import Layer
from pellucid.layers.constraint import Constraint
from pellucid.layers.parameters import FlatParameters, Span
from pellucid.layers.penalty import Penalty
from pellucid.layers.store import each_once
from pellucid.ops import native
from pellucid.ops.geometry import Array
from pellucid.optimizers import Optimizer
from pellucid.plan.control import LOSS, RATE, STEP
from pellucid.plan.work import Work


def update_work(
    layers: Sequence[Layer],
    parameters: FlatParameters,
    optimizer: Optimizer,
    slots: dict[str, Array],
    control: Array,
    totals: Array,
    *,
    capacity: int,
) -> list[Work]:
    """Penalties into gradients and loss, clipping, each span of parameters through the optimizer, then constraints."""
    work = _penalties(layers, parameters, totals, capacity)
    work.extend(_clipping(parameters, optimizer))
    for span in parameters.spans(optimizer.no_decay):
        work.append(_update(parameters, optimizer, slots, control, span))
    for layer in each_once(layers):
        segments = parameters.of(layer)
        for name, constraint in layer.constraints().items():
            if segments[name].trainable:
                work.append(_constrain(constraint, parameters.view(segments[name])))
    return work


def _constrain(constraint: Constraint, param: Array) -> Work:
    def work(n: int) -> None:
        param[...] = constraint(param)

    return work


def _penalties(layers: Sequence[Layer], parameters: FlatParameters, totals: Array, capacity: int) -> list[Work]:
    """l1 * sum |w| + l2 * sum w^2 of each regularised kernel, added to the loss; its gradient to the gradient."""
    work: list[Work] = []
    for layer in each_once(layers):
        segments = parameters.of(layer)
        for name, penalty in layer.penalties().items():
            if segments[name].trainable:
                param, grad = parameters.view(segments[name]), parameters.gradient(segments[name])
                work.append(_penalise(penalty, param, grad, totals, capacity))
    return work


def penalty_loss(layers: Sequence[Layer]) -> float:
    """What the penalties of the layers being trained add to the loss."""
    trained = [layer for layer in each_once(layers) if layer.trainable]
    return sum(p.loss(layer.params[name]) for layer in trained for name, p in layer.penalties().items())


def _penalise(penalty: Penalty, param: Array, grad: Array, totals: Array, capacity: int) -> Work:
    if native.available:
        return native.add_penalty(param, grad, totals, l1=penalty.l1, l2=penalty.l2, pictures=capacity)

    def work(n: int) -> None:
        totals[LOSS] += n * penalty.loss(param)
        grad[...] += penalty.gradient(param)

    return work


def _clipping(parameters: FlatParameters, optimizer: Optimizer) -> list[Work]:
    """Gradients limited by value, by each parameter's norm, or by the norm of all together."""
    if optimizer.clipvalue is None and optimizer.clipnorm is None and optimizer.global_clipnorm is None:
        return []
    gradients = [parameters.gradient(segment) for segment in parameters.segments if segment.trainable]
    if not native.available:
        return [lambda n: optimizer.clip(gradients)]
    if optimizer.clipvalue is not None:
        return [native.clip_by_value(parameters.gradients, limit=optimizer.clipvalue)]
    if optimizer.clipnorm is not None:
        return [native.clip_by_norm(gradient, limit=optimizer.clipnorm) for gradient in gradients]
    # the flat vector is padded with zeros, which change no norm
    return [native.clip_by_norm(parameters.gradients, limit=optimizer.global_clipnorm)]


def _update(
    parameters: FlatParameters, optimizer: Optimizer, slots: dict[str, Array], control: Array, span: Span
) -> Work:
    param = parameters.vector[span.offset : span.offset + span.length]
    piece = slice(span.gradient_offset, span.gradient_offset + span.length)
    grad = parameters.gradients[piece]
    moments = {name: vector[piece] for name, vector in slots.items()}
    decay = (optimizer.weight_decay or 0.0) if span.decay else 0.0
    if native.available and optimizer.rule and not is_own(optimizer):  # one of a user's own may override anything
        vectors = [moments.get(name) for name in optimizer.moments]
        kernel = getattr(native, optimizer.rule)
        return kernel(  # type: ignore[no-any-return]
            param,
            grad,
            *vectors,
            control,
            weight_decay=decay,
            decoupled=optimizer.decoupled_weight_decay,
            **optimizer.options(),
        )

    def update(n: int) -> None:
        optimizer.update(
            param, grad, moments, learning_rate=float(control[RATE]), step=int(control[STEP]), weight_decay=decay
        )

    return update
