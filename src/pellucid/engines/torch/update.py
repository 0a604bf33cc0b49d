"""The end of a training step on a device: penalties, clipping, the optimizer over the vectors, constraints.

The optimizers' formulas are those of `ops.reference`, which take tensors as they take arrays. On the CPU, in float32,
our kernels run over the same memory: PyTorch would go through it ten times for one update.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from pellucid._fixed import is_own
from pellucid.engines.torch.device import Device
from pellucid.engines.torch.network import tensor_of
from pellucid.engines.torch.weights import Weights
from pellucid.errors import ConfigError
from pellucid.layers import Layer
from pellucid.ops.reference import optimizer as formulas
from pellucid.optimizers import Optimizer

PIECE = 2**18
"""Numbers that a formula takes at a time on the CPU, so that what it has in between stays in the cache."""


class Update:
    """Takes a step along the gradients in `weights`. Errors: ConfigError for an optimizer of somebody's own."""

    def __init__(self, layers: Sequence[Layer], weights: Weights, optimizer: Optimizer, device: Device) -> None:
        if is_own(optimizer):
            raise ConfigError(
                f"engine torch has no formula of {type(optimizer).__name__}, an optimizer of your own; leave engine "
                "out, or take one of pellucid.optimizers"
            )
        self._weights, self._optimizer, self._device = weights, optimizer, device
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
        self._spans = _spans(weights, optimizer)
        self._formula: Callable[..., None] = device.fused(getattr(formulas, optimizer.rule))
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
        self._clip()
        in_one_pass = self._by_kernels and not isinstance(step, Tensor)
        for start, end, decay in self._spans:
            piece = PIECE if self._weights.vector.device.type == "cpu" and not in_one_pass else end - start
            for first in range(start, end, piece):
                part = slice(first, min(first + piece, end))
                (self._run_kernel if in_one_pass else self._run_formula)(part, decay, learning_rate, step)
        weights = self._weights
        weights.keep_zeros()
        for place, constraint in self._constraints:
            parameter, layout = place.view(weights.vector), place.entry.layout
            kept = constraint(layout.read(parameter.cpu().contiguous().numpy()))
            parameter.copy_(tensor_of(layout.write(kept)))

    def _run_kernel(self, part: slice, decay: float, learning_rate: float, step: int) -> None:
        weights = self._weights
        moments = {name: moment[part].numpy() for name, moment in weights.moments.items()}
        vectors = weights.vector[part].numpy(), weights.gradients[part].numpy(), moments
        with self._device.between():
            self._optimizer.update(*vectors, learning_rate=learning_rate, step=step, weight_decay=decay)

    def _run_formula(self, part: slice, decay: float, learning_rate: Any, step: Any) -> None:
        weights, optimizer = self._weights, self._optimizer
        moments = [weights.moments[name][part] if name in weights.moments else None for name in optimizer.moments]
        how = {"weight_decay": decay, "decoupled": optimizer.decoupled_weight_decay, **optimizer.options()}
        self._formula(weights.vector[part], weights.gradients[part], *moments, (learning_rate, step, 1.0), **how)

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
    return vector.device.type == "cpu" and vector.dtype is torch.float32


def _shorten(gradient: Tensor, limit: float) -> None:
    gradient.mul_((limit / torch.linalg.vector_norm(gradient)).clamp(max=1))


def _spans(weights: Weights, optimizer: Optimizer) -> Sequence[tuple[int, int, float]]:
    """(start, end, weight decay) of neighbours that decay alike."""
    spans: list[tuple[int, int, float]] = []
    ends = [place.start for place in weights.places[1:]] + [len(weights.vector)]
    for place, end in zip(weights.places, ends, strict=True):
        decay = optimizer.weight_decay_of(place.segment.key)
        if spans and spans[-1][2] == decay:
            spans[-1] = spans[-1][0], end, decay
        else:
            spans.append((place.start, end, decay))
    return spans
