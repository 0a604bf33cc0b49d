"""Batch norm by Keras's rule, and on the CPU by statistics that do not depend on where the channels lie.

PyTorch adds the numbers of a channel one after the other where channels lie last in memory: of 8,192 of them the mean
is wrong by 5e-6, and ReLUs behind it end on the other side of 0, so gradients by 1e-3. `Tensor.mean` adds in pairs.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

PIECE = 2**20
"""Numbers whose squares are in memory at a time."""


class BatchNorm(nn.modules.batchnorm._BatchNorm):
    """As PyTorch's, with the running variance of the batch's own, which divides by the count, as in Keras.

    Frozen, it takes the running numbers while training, too.
    """

    frozen = deferred = False
    """deferred: the running numbers change when `apply_state` is called, and not with each pass."""
    _passed: tuple[Tensor, Tensor] | None = None
    """What the running numbers are after the calls of this pass so far."""

    def _check_input_dim(self, x: Tensor) -> None:
        """Any number of axes."""

    def forward(self, x: Tensor) -> Tensor:
        mean, variance = self._passed or (self.running_mean, self.running_var)
        if self.frozen or not self.training:
            return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, False, 0.0, self.eps)
        if x.device.type == "cpu" and x.dtype == torch.float32:
            now = statistics(x.detach())
            y: Tensor = _Normalized.apply(x, self.weight, self.bias, *now, self.eps)
            self._passed = mean.lerp(now[0], self.momentum), variance.lerp(now[1], self.momentum)
        else:
            before, mean, variance = variance * (1 - self.momentum), mean.clone(), variance.clone()
            y = torch.batch_norm(x, self.weight, self.bias, mean, variance, True, self.momentum, self.eps, True)
            with torch.no_grad():
                count = x.numel() // x.shape[1]
                # PyTorch divides by count - 1; a single number has no variance
                variance = before if count == 1 else before + (variance - before) * ((count - 1) / count)
            self._passed = mean, variance
        if not self.deferred:
            self.apply_state()
        return y

    def apply_state(self) -> None:
        """Take the last pass into the running numbers."""
        if self._passed is not None:
            for running, now in zip((self.running_mean, self.running_var), self._passed, strict=True):
                running.copy_(now)


def statistics(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of each channel. Shapes: x (N, C, ...) -> (C,) each."""
    axes = [0, *range(2, x.ndim)]
    mean, total = x.mean(axes), x.new_zeros(x.shape[1])
    for part in x.split(max(1, PIECE * len(x) // x.numel())):
        total += (part - mean.view(-1, *[1] * (x.ndim - 2))).square_().sum(axes)
    return mean, total * (x.shape[1] / x.numel())


class _Normalized(torch.autograd.Function):
    """weight * (x - mean) / sqrt(variance + epsilon) + bias, of statistics that are those of x."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Any, bias: Any, mean: Tensor, variance: Tensor, epsilon: float) -> Tensor:
        ctx.save_for_backward(x, weight, mean, variance)
        ctx.epsilon = epsilon
        return F.batch_norm(x, mean, variance, weight, bias, False, 0.0, epsilon)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> Any:
        x, weight, mean, variance = ctx.saved_tensors
        wanted, deviation = ctx.needs_input_grad[:3], (variance + ctx.epsilon).rsqrt()
        found = torch.ops.aten.native_batch_norm_backward(
            dy, x, weight, None, None, mean, deviation, True, ctx.epsilon, wanted
        )
        return *found, None, None, None
