"""Steps of losses: `losses` is one number a picture, the gradient is that of mean(weights * losses)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pellucid.errors import BackendError
from pellucid.ops.geometry import Array
from pellucid.ops.native.runtime import expect_axes, expect_shape, inner, step

if TYPE_CHECKING:
    from pellucid.ops._native import Step

# The numbers of arguments.hpp.
_KINDS = {"binary_cross_entropy": 0, "mean_squared_error": 1, "mean_absolute_error": 2}
_ACCURACIES = {None: 0, "categorical": 1, "binary": 2}


def softmax_cross_entropy(
    logits: Array,
    targets: Array,
    weights: Array | None,
    losses: Array,
    hits: Array | None,
    dlogits: Array | None,
    *,
    label_smoothing: float = 0.0,
) -> Step:
    """losses, hits (1 where the largest logit is the target's) and dlogits, which is divided by the N that runs.

    Shapes: logits, dlogits (N,K); targets int32 (N,) or float32 (N,K); weights, losses, hits (N,).
    """
    op = "softmax_cross_entropy"
    expect_axes(op, 2, logits=logits)
    n, classes = logits.shape
    expect_shape(op, logits.shape, dlogits=dlogits)
    expect_shape(op, (n,), weights=weights, losses=losses, hits=hits)
    labels = targets if targets.ndim == 1 else None
    expect_shape(op, (n,), labels=labels)
    dense_targets = targets if labels is None else None
    expect_shape(op, logits.shape, targets=dense_targets)
    return step(
        op,
        logits=logits,
        labels=labels,
        targets=dense_targets,
        weights=weights,
        losses=losses,
        hits=hits,
        dlogits=dlogits,
        N=n,
        K=classes,
        label_smoothing=label_smoothing,
    )


def _elementwise(
    op: str,
    prediction: Array,
    targets: Array,
    weights: Array | None,
    losses: Array,
    hits: Array | None,
    gradient: Array | None,
    accuracy: str | None,
    label_smoothing: float = 0.0,
) -> Step:
    """Shapes: prediction, targets, gradient (N,...); weights, losses, hits (N,)."""
    expect_shape(op, prediction.shape, targets=targets, gradient=gradient)
    expect_shape(op, prediction.shape[:1], weights=weights, losses=losses, hits=hits)
    if accuracy not in _ACCURACIES:
        raise BackendError(f"{op}: accuracy must be 'categorical', 'binary' or None, got {accuracy!r}")
    return step(
        "elementwise_loss",
        prediction=prediction,
        targets=targets,
        weights=weights,
        losses=losses,
        hits=hits,
        dprediction=gradient,
        N=prediction.shape[0],
        K=inner(prediction),
        KIND=_KINDS[op],
        ACCURACY=_ACCURACIES[accuracy],
        label_smoothing=label_smoothing,
    )


def binary_cross_entropy(
    logits: Array,
    targets: Array,
    weights: Array | None,
    losses: Array,
    hits: Array | None,
    dlogits: Array | None,
    *,
    accuracy: str | None = None,
    label_smoothing: float = 0.0,
) -> Step:
    """losses = mean of max(z, 0) - z*t + log(1 + exp(-|z|)); dlogits = weights * (sigmoid(z) - t) / (entries of z)."""
    op = "binary_cross_entropy"
    return _elementwise(op, logits, targets, weights, losses, hits, dlogits, accuracy, label_smoothing)


def mean_squared_error(
    prediction: Array,
    targets: Array,
    weights: Array | None,
    losses: Array,
    hits: Array | None,
    dprediction: Array | None,
    *,
    accuracy: str | None = None,
) -> Step:
    """losses = mean of (p - t)^2; dprediction = weights * 2 (p - t) / (entries of p)."""
    return _elementwise("mean_squared_error", prediction, targets, weights, losses, hits, dprediction, accuracy)


def mean_absolute_error(
    prediction: Array,
    targets: Array,
    weights: Array | None,
    losses: Array,
    hits: Array | None,
    dprediction: Array | None,
    *,
    accuracy: str | None = None,
) -> Step:
    """losses = mean of |p - t|; dprediction = weights * sign(p - t) / (entries of p)."""
    return _elementwise("mean_absolute_error", prediction, targets, weights, losses, hits, dprediction, accuracy)
