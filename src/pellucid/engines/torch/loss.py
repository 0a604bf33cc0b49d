"""Losses on a device, by the formulas of `ops.reference`; those without a row run on the host, by their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from pellucid.losses import (
    CROSS_ENTROPIES,
    BinaryCrossentropy,
    CategoricalCrossentropy,
    Loss,
    MeanAbsoluteError,
    MeanSquaredError,
)
from pellucid.ops.geometry import Array


@dataclass
class Judged:
    """What a batch came to. losses: of each picture; back: goes the way back, of a share of the mean of weights *
    losses."""

    losses: Tensor
    back: Callable[[float], None]


def cross_entropy(loss: CategoricalCrossentropy, logits: Tensor, targets: Tensor, classes: Tensor | None) -> Tensor:
    """As `softmax_cross_entropy`. classes: what pixels of each count."""
    log_p = F.log_softmax(logits, -1)
    smoothing = loss.label_smoothing
    if targets.ndim < logits.ndim:
        counted = targets != loss.ignored(logits)
        labels = torch.where(counted, targets, 0).long()
        right = log_p.gather(-1, labels[..., None])[..., 0]
        factors = counted.to(log_p.dtype) if classes is None else counted * classes[labels]
    else:
        counted = torch.ones(logits.shape[:-1], dtype=torch.bool, device=logits.device)
        right, factors = torch.where(targets == 0, 0.0, targets * log_p).sum(-1), counted.to(log_p.dtype)
    if smoothing:
        right = right * (1 - smoothing) + smoothing * log_p.mean(-1)
    count = len(logits)
    return -(right * factors).reshape(count, -1).sum(1) / counted.reshape(count, -1).sum(1).clamp(min=1)


def binary_cross_entropy(loss: BinaryCrossentropy, logits: Tensor, targets: Tensor, classes: Tensor | None) -> Tensor:
    """As `binary_cross_entropy`."""
    smoothing = loss.label_smoothing
    wanted = targets * (1 - smoothing) + smoothing / 2
    return _mean(F.binary_cross_entropy_with_logits(logits, wanted, reduction="none"))


def mean_squared_error(loss: Loss, outputs: Tensor, targets: Tensor, classes: Tensor | None) -> Tensor:
    """As `mean_squared_error`."""
    return _mean((outputs - targets).square())


def mean_absolute_error(loss: Loss, outputs: Tensor, targets: Tensor, classes: Tensor | None) -> Tensor:
    """As `mean_absolute_error`."""
    return _mean((outputs - targets).abs())


def _mean(each: Tensor) -> Tensor:
    return each.reshape(len(each), -1).mean(1)


FORMULAS: Mapping[type[Loss], Callable[..., Tensor]] = {
    **dict.fromkeys(CROSS_ENTROPIES, cross_entropy),
    BinaryCrossentropy: binary_cross_entropy,
    MeanSquaredError: mean_squared_error,
    MeanAbsoluteError: mean_absolute_error,
}
"""By exact type, as where kernels are chosen: a loss made of one of them may compute something else."""


def judge(loss: Loss, outputs: Tensor, targets: Tensor, weights: Tensor | None, classes: Tensor | None) -> Judged:
    """The losses of a batch. classes: what pixels of each count.

    Shapes: outputs (N, ..., K) as ours, with the channels last; targets and weights as of a feed.
    """
    count = len(outputs)
    formula = FORMULAS.get(type(loss))
    if formula is None or (formula is not cross_entropy and targets.shape != outputs.shape):
        return _on_host(loss, outputs, targets, weights, classes)
    losses = formula(loss, outputs, targets, classes)
    mean = (losses if weights is None else losses * weights).sum() / count
    return Judged(losses.detach(), lambda share: (mean * share).backward())


def _on_host(loss: Loss, outputs: Tensor, targets: Tensor, weights: Tensor | None, classes: Tensor | None) -> Judged:
    given = [np.ascontiguousarray(tensor.detach().cpu().numpy()) for tensor in (targets, outputs)]
    further: dict[str, Any] = {} if classes is None else {"class_weights": classes.cpu().numpy()}
    compute: Callable[..., tuple[Array, Array]] = loss.value_and_gradient
    losses, gradient = compute(*given, None if weights is None else weights.cpu().numpy(), **further)
    losses, gradient = (
        torch.as_tensor(each, dtype=outputs.dtype, device=outputs.device) for each in (losses, gradient)
    )
    return Judged(losses, lambda share: outputs.backward(gradient * share))


def stays_on_device(loss: Loss) -> bool:
    """Whether it is computed there."""
    return type(loss) in FORMULAS
