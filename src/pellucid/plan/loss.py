"""The end of the forward pass: from outputs and targets to losses, right answers and the first gradient."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid import ops
from pellucid.losses import (
    CROSS_ENTROPIES,
    BinaryCrossentropy,
    CategoricalCrossentropy,
    Loss,
    MeanAbsoluteError,
    MeanSquaredError,
)
from pellucid.ops import native, reference
from pellucid.ops.geometry import Array
from pellucid.plan.control import counts_of
from pellucid.plan.feed import Feed
from pellucid.plan.lowered import Context
from pellucid.plan.work import Work


def loss_work(
    context: Context,
    loss: Loss,
    outputs: Array,
    feed: Feed,
    totals: Array,
    gradient: Array | None = None,
    *,
    accuracy: str | None,
) -> list[Work]:
    """Losses of a batch, added to `totals`; d(mean loss)/d(outputs) into `gradient` unless it is None.

    accuracy: what counts as a right answer, see `accuracy_kind`.
    Shapes: outputs (N, K) or (N, H, W, K), totals float64 (see `control`), gradient like outputs. With a gradient, the
    run ends here when the sum of losses is not finite, so that no such gradient reaches the parameters.
    """
    losses, hits = context.buffer((context.capacity,)), context.buffer((context.capacity,))
    sums, counts = totals[:3], counts_of(totals)
    answers = context.buffer(outputs.shape[:-1], np.int32) if counts.size else None
    step = _native_step(loss, outputs, feed, losses, hits, gradient, accuracy, answers) if native.available else None
    if step is not None:
        counted = [] if answers is None else [native.count_classes(feed.targets, answers, counts, ignored=ops.IGNORED)]
        end = [] if gradient is None else [native.stop_unless_finite(sums)]
        return [step, native.accumulate(losses, hits, feed.weights, sums), *counted, *end]
    further = {} if feed.class_weights is None else {"class_weights": feed.class_weights}

    def judge(n: int) -> bool:
        weights = None if feed.weights is None else feed.weights[:n]
        targets = feed.targets[:n]
        values, d = loss.value_and_gradient(targets, outputs[:n], weights, **further)
        if gradient is not None:
            gradient[:n] = d
        total = float(np.sum(values if weights is None else values * weights, dtype=np.float64))
        if counts.size:
            reference.loss.count_classes(targets, outputs[:n].argmax(axis=-1), counts, ignored=ops.IGNORED)
        sums[:] += (total, 0 if counts.size else hits_of(accuracy, outputs[:n], targets), n)
        return gradient is None or bool(np.isfinite(total))

    return [judge]


def _native_step(
    loss: Loss,
    outputs: Array,
    feed: Feed,
    losses: Array,
    hits: Array,
    gradient: Array | None,
    accuracy: str | None,
    answers: Array | None,
) -> native.Step | None:
    """The kernel of a loss, None for one of the user's own; exact types, so that an override wins."""
    arguments = outputs, feed.targets, feed.weights, losses, hits, gradient
    if isinstance(loss, CategoricalCrossentropy) and type(loss) in CROSS_ENTROPIES:
        options = {"label_smoothing": loss.label_smoothing, "ignored": loss.ignored(outputs)}
        return native.softmax_cross_entropy(*arguments, feed.class_weights, answers, **options)
    if feed.targets.shape != outputs.shape:
        return None
    if type(loss) is BinaryCrossentropy:
        return native.binary_cross_entropy(*arguments, accuracy=accuracy, label_smoothing=loss.label_smoothing)
    if type(loss) is MeanSquaredError:
        return native.mean_squared_error(*arguments, accuracy=accuracy)
    if type(loss) is MeanAbsoluteError:
        return native.mean_absolute_error(*arguments, accuracy=accuracy)
    return None


def accuracy_kind(joint_activation: str | None, targets: Array) -> str | None:
    """How answers are counted: "categorical" (the largest output is the class), "binary" (each output by itself,
    against a half), or None where targets are no classes.

    Class numbers and one-hot rows are categorical under any loss; other targets are binary under a sigmoid's loss.
    """
    if targets.dtype.kind in "iu" or joint_activation == "softmax":
        return "categorical"
    rows = targets.reshape(len(targets), -1)
    if rows.shape[1] > 1 and bool(((rows == 0) | (rows == 1)).all()) and bool((rows.sum(axis=1) == 1).all()):
        return "categorical"
    return "binary" if joint_activation == "sigmoid" else None


def hits_of(accuracy: str | None, logits: Any, targets: Any) -> Any:
    """Right answers in a batch, of arrays or of another engine's tensors; a picture with several counts by the share
    that is right."""
    if accuracy is None:
        return 0.0
    if accuracy == "categorical":
        right = logits.argmax(-1) == (targets if targets.ndim < logits.ndim else targets.argmax(-1))
    else:
        right = (logits > 0) == (targets > 0.5)
    right = right.reshape(len(right), -1)
    return right.sum() / right.shape[1]
