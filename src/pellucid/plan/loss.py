"""The end of the forward pass: from outputs and targets to losses, right answers and the first gradient."""

from __future__ import annotations

import numpy as np

from pellucid.losses import Loss
from pellucid.ops import native
from pellucid.ops.geometry import Array
from pellucid.plan.control import HALT
from pellucid.plan.feed import Feed
from pellucid.plan.lowering import Context
from pellucid.plan.work import Work


def loss_work(
    context: Context,
    loss: Loss,
    outputs: Array,
    feed: Feed,
    totals: Array,
    gradient: Array | None,
    control: Array | None,
) -> list[Work]:
    """Losses of a batch, added to `totals`; d(mean loss)/d(outputs) into `gradient` unless it is None.

    Shapes: outputs (N, K), totals (3,) float64 (see `control`), gradient (N, K). control[HALT] becomes 1 when the
    sum of losses is not finite, and the optimizer then leaves the parameters alone.
    """
    losses, hits = context.buffer((context.capacity,)), context.buffer((context.capacity,))
    if native.available and loss.joint == "softmax" and outputs.ndim == 2:
        return [
            native.softmax_cross_entropy(
                outputs, feed.targets, feed.weights, losses, hits, gradient, label_smoothing=loss.label_smoothing
            ),
            native.accumulate(losses, hits, feed.weights, totals, control),
        ]

    def judge(n: int) -> None:
        weights = None if feed.weights is None else feed.weights[:n]
        values, d = loss(outputs[:n], feed.targets[:n], weights)
        if gradient is not None:
            gradient[:n] = d
        total = float(np.sum(values if weights is None else values * weights, dtype=np.float64))
        totals += (total, float(np.sum(loss.hits(outputs[:n], feed.targets[:n]))), n)
        if control is not None and not np.isfinite(total):
            control[HALT] = 1

    return [judge]
