"""The end of a training step on a device: penalties, clipping, the optimizer over the vectors, constraints.

The optimizers' formulas are those of `ops.reference`, which take tensors as they take arrays. On the CPU, in float32, our
kernels run over the same memory: PyTorch would go through it ten times for one update.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from pellucid._fixed import is_own
from pellucid.engines.torch.network import tensor_of
from pellucid.engines.torch.weights import Weights
from pellucid.errors import ConfigError
from pellucid.layers import Layer
from pellucid.ops.reference import optimizer as formulas
from pellucid.optimizers import Optimizer


PIECE = 2**18
"""Numbers that an optimizer takes at a time on the CPU, so that what a formula has in between stays in the cache."""


class Update:
    """Takes a step along the gradients in `weights`. Errors: ConfigError for an optimizer of somebody's own."""

    def __init__(self, layers: Sequence[Layer], weights: Weights, optimizer: Optimizer) -> None:
        if is_own(optimizer):
            raise ConfigError(
                f"engine torch has no formula of {type(optimizer).__name__}, an optimizer of your own; leave engine "
                "out, or take one of pellucid.optimizers"
            )
        self._weights, self._optimizer = weights, optimizer
        named = {layer.name: layer for layer in layers}
        at = {(place.segment.layer, place.segment.name): place for place in weights.places}
        self._penalties, self._constraints = [], []
        for layer in named.values():
            for name, penalty in layer.penalties().items():
                if (layer.name, name) in at:
                    self._penalties.append((at[layer.name, name], penalty))
            for name, constraint in layer.constraints().items():
                if (layer.name, name) in at:
                    self._constraints.append((at[layer.name, name], constraint))
        self._spans = list(_spans(weights, optimizer))
        self._by_kernels = runs_kernels(weights.vector)
        self.stays_on_device = not self._constraints
        """Whether a step is the device's alone, with learning rate and step as tensors."""

    @torch.no_grad()
    def penalise(self, total: Tensor) -> Tensor:
        """Add the gradients of the penalties; `total` with what they add to the loss."""
        for place, penalty in self._penalties:
            parameter, gradient = place.view(self._weights.vector), place.view(self._weights.gradients)
            if penalty.l1:
                gradient.add_(parameter.sign(), alpha=penalty.l1)
                total = total + penalty.l1 * torch.linalg.vector_norm(parameter, 1)
            if penalty.l2:
                gradient.add_(parameter, alpha=2 * penalty.l2)
                total = total + penalty.l2 * torch.linalg.vector_norm(parameter).square()
        return total

    @torch.no_grad()
    def __call__(self, learning_rate: Any, step: Any) -> None:
        """Change weights and moments. step counts from 1; both may be tensors (see `stays_on_device`)."""
        weights, optimizer = self._weights, self._optimizer
        self._clip()
        for start, end, decay in self._spans:
            vector, gradient = weights.vector[start:end], weights.gradients[start:end]
            moments = {name: moment[start:end] for name, moment in weights.moments.items()}
            if self._by_kernels and not isinstance(step, Tensor):
                arrays = {name: moment.numpy() for name, moment in moments.items()}
                rates = {"learning_rate": learning_rate, "step": step, "weight_decay": decay}
                optimizer.update(vector.numpy(), gradient.numpy(), arrays, **rates)
                continue
            formula: Callable[..., None] = getattr(formulas, optimizer.rule)
            given = [moments.get(name) for name in optimizer.moments]
            control = learning_rate, step, 1.0
            how = {"weight_decay": decay, "decoupled": optimizer.decoupled_weight_decay, **optimizer.options()}
            formula(vector, gradient, *given, control, **how)
        weights.keep_zeros()
        for place, constraint in self._constraints:
            parameter, layout = place.view(weights.vector), place.entry.layout
            kept = constraint(layout.read(parameter.cpu().contiguous().numpy()))
            parameter.copy_(tensor_of(layout.write(kept)))

    def _clip(self) -> None:
        optimizer, gradients = self._optimizer, self._weights.gradients
        if optimizer.clipvalue is not None:
            gradients.clamp_(-optimizer.clipvalue, optimizer.clipvalue)
        if optimizer.clipnorm is not None:
            for place in self._weights.places:
                _shorten(place.view(gradients), optimizer.clipnorm)
        if optimizer.global_clipnorm is not None:
            _shorten(gradients, optimizer.global_clipnorm)


def runs_kernels(vector: Tensor) -> bool:
    """Whether our kernels can change it where it is."""
    return vector.device.type == "cpu" and vector.dtype == torch.float32


def _shorten(gradient: Tensor, limit: float) -> None:
    gradient.mul_((limit / torch.linalg.vector_norm(gradient)).clamp(max=1))


def _spans(weights: Weights, optimizer: Optimizer) -> Iterator[tuple[int, int, float]]:
    """(start, end, weight decay) of neighbours that decay alike, on the CPU in pieces."""
    spans: list[tuple[int, int, float]] = []
    ends = [place.start for place in weights.places[1:]] + [len(weights.vector)]
    for place, end in zip(weights.places, ends, strict=True):
        decay = optimizer.weight_decay_of(place.segment.key)
        if spans and spans[-1][2] == decay:
            spans[-1] = spans[-1][0], end, decay
        else:
            spans.append((place.start, end, decay))
    for start, end, decay in spans:
        piece = PIECE if weights.vector.device.type == "cpu" else end - start
        for first in range(start, end, piece):
            yield first, min(first + piece, end), decay
