"""Losses with their gradients: `losses` is one number a picture, the gradient is that of mean(weights * losses)."""

from __future__ import annotations

import numpy as np

from pellucid.ops.geometry import Array
from pellucid.ops.reference.nonlinear import sigmoid


def softmax_cross_entropy(
    logits: Array,
    targets: Array,
    weights: Array | None,
    losses: Array,
    hits: Array | None,
    dlogits: Array | None,
    *,
    label_smoothing: float = 0.0,
) -> None:
    """losses = -sum of t * log softmax(logits); dlogits = weights * (softmax(logits) - t) / N.

    t is the target smoothed to t * (1 - s) + s / K; hits = 1 where the largest logit (first on ties) is the target's.
    """
    n, classes = logits.shape
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    if targets.ndim == 1:
        wanted = np.zeros_like(logits)
        wanted[np.arange(n), targets] = 1
    else:
        wanted = targets
    if hits is not None:
        hits[...] = logits.argmax(axis=1) == wanted.argmax(axis=1)
    if label_smoothing:
        wanted = wanted * (1 - label_smoothing) + label_smoothing / classes
    losses[...] = 0 - np.where(wanted == 0, 0, wanted * log_p).sum(axis=1)
    if dlogits is not None:
        dlogits[...] = _weighted(np.exp(log_p) - wanted, weights) / n


def binary_cross_entropy(
    logits: Array, targets: Array, weights: Array | None, losses: Array, dlogits: Array | None
) -> None:
    """losses = mean of max(z, 0) - z*t + log(1 + exp(-|z|)); dlogits = weights * (sigmoid(z) - t) / (entries of z)."""
    each = np.maximum(logits, 0) - logits * targets + np.log1p(np.exp(-np.abs(logits)))
    losses[...] = each.reshape(len(logits), -1).mean(axis=1)
    if dlogits is not None:
        dlogits[...] = _weighted(sigmoid(logits) - targets, weights) / logits.size


def mean_squared_error(
    prediction: Array, targets: Array, weights: Array | None, losses: Array, dprediction: Array | None
) -> None:
    """losses = mean of (p - t)^2 over all but the first axis; dprediction = weights * 2 (p - t) / (entries of p)."""
    difference = prediction - targets
    losses[...] = (difference * difference).reshape(len(prediction), -1).mean(axis=1)
    if dprediction is not None:
        dprediction[...] = _weighted(2 * difference, weights) / prediction.size


def mean_absolute_error(
    prediction: Array, targets: Array, weights: Array | None, losses: Array, dprediction: Array | None
) -> None:
    """losses = mean of |p - t| over all but the first axis; dprediction = weights * sign(p - t) / (entries of p)."""
    difference = prediction - targets
    losses[...] = np.abs(difference).reshape(len(prediction), -1).mean(axis=1)
    if dprediction is not None:
        dprediction[...] = _weighted(np.sign(difference), weights) / prediction.size


def _weighted(gradient: Array, weights: Array | None) -> Array:
    return gradient if weights is None else gradient * weights.reshape(-1, *([1] * (gradient.ndim - 1)))
