"""Losses with their gradients: `losses` is one number a picture, the gradient is that of mean(weights * losses)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pellucid.ops.geometry import Array
from pellucid.ops.reference.nonlinear import sigmoid
from pellucid.ops.table import call, op

IGNORED = 255
"""The label of pixels that are not counted, as the field's data sets have it."""
NONE_IGNORED = 2**31
"""No label is as large: all are counted."""


@op(
    fields={"targets": ("labels", "targets")},
    typical=[
        call("1024 x 1000", logits=(1024, 1000), targets=(1024,), weights=None),
        call(
            "32 x 128x128x11", logits=(32, 128, 128, 11), targets=(32, 128, 128), weights=None, answers=(32, 128, 128)
        ),
    ],
)
def softmax_cross_entropy(
    logits: Array,
    targets: Array,
    weights: Array | None,
    losses: Array,
    hits: Array | None,
    dlogits: Array | None,
    class_weights: Array | None = None,
    answers: Array | None = None,
    *,
    label_smoothing: float = 0.0,
    ignored: int = NONE_IGNORED,
) -> None:
    """losses = -sum of t * log softmax(logits); dlogits = weights * (softmax(logits) - t) / N.

    t is the target smoothed to t * (1 - s) + s / K; hits = 1 where the largest logit (first on ties) is the target's.
    Where a picture has a row of logits for each pixel, all of this is a mean over its pixels, without those whose label
    is `ignored`. class_weights: of labels, what a row counts in losses and dlogits. answers: the largest logits.
    """
    classes = logits.shape[-1]
    shifted = logits - logits.max(axis=-1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    numbered = targets.ndim < logits.ndim
    counted = targets != ignored if numbered else np.ones(logits.shape[:-1], bool)
    wanted = np.equal(targets[..., None], np.arange(classes)).astype(logits.dtype) if numbered else targets
    said, inner = logits.argmax(axis=-1), tuple(range(1, logits.ndim - 1))
    pixels = np.maximum(counted.sum(axis=inner, dtype=logits.dtype), 1)
    if answers is not None:
        answers[...] = said
    if hits is not None:
        hits[...] = (counted & (said == wanted.argmax(axis=-1))).sum(axis=inner) / pixels
    if label_smoothing:
        wanted = wanted * (1 - label_smoothing) + label_smoothing / classes
    factors = counted.astype(logits.dtype)
    if class_weights is not None and numbered:
        factors *= class_weights[np.where(counted, targets, 0)]
    losses[...] = 0 - (np.where(wanted == 0, 0, wanted * log_p).sum(axis=-1) * factors).sum(axis=inner) / pixels
    if dlogits is not None:
        means = (factors / pixels.reshape(-1, *[1] * len(inner)))[..., None]
        dlogits[...] = _weighted((np.exp(log_p) - wanted) * means, weights) / len(logits)


@op(
    passes={"counts": 2},
    typical=[call("32 x 128x128, 11", labels=(32, 128, 128), answers=(32, 128, 128), counts=(3, 11))],
)
def count_classes(labels: Array, answers: Array, counts: Array, *, ignored: int = NONE_IGNORED) -> None:
    """counts += for each class the pixels where it is label and answer, where it is label, and where it is answer."""
    counted = labels != ignored
    truth, said = labels[counted], answers[counted]
    for row, numbers in enumerate((truth[truth == said], truth, said)):
        counts[row] += np.bincount(numbers, minlength=counts.shape[1])


@op(
    kernel="elementwise_loss",
    fields={"logits": "prediction", "dlogits": "dprediction"},
    fixed={"LOSS": "binary_cross_entropy"},
    typical=[call("binary cross-entropy, 1024 x 1000", logits=(1024, 1000), weights=None, hits=None)],
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
) -> None:
    """losses = mean of max(z, 0) - z*t + log(1 + exp(-|z|)); dlogits = weights * (sigmoid(z) - t) / (entries of z).

    t is the target smoothed to t * (1 - s) + s / 2.
    """
    wanted = targets * (1 - label_smoothing) + label_smoothing / 2 if label_smoothing else targets
    each = np.maximum(logits, 0) - logits * wanted + np.log1p(np.exp(-np.abs(logits)))
    _finish(each, sigmoid(logits) - wanted, logits, targets, weights, losses, hits, dlogits, accuracy)


def elementwise(terms: Callable[[Array], tuple[Array, Array]]) -> Callable[..., None]:
    """The twin of a loss that is the mean of terms: they, and their derivatives, follow from prediction - targets."""

    def loss(
        prediction: Array,
        targets: Array,
        weights: Array | None,
        losses: Array,
        hits: Array | None,
        dprediction: Array | None,
        *,
        accuracy: str | None = None,
    ) -> None:
        each, derivative = terms(prediction - targets)
        _finish(each, derivative, prediction, targets, weights, losses, hits, dprediction, accuracy)

    loss.__name__, loss.__doc__ = terms.__name__, terms.__doc__
    return loss


@op(kernel="elementwise_loss", fixed={"LOSS": "mean_squared_error"})
@elementwise
def mean_squared_error(difference: Array) -> tuple[Array, Array]:
    """losses = mean of (p - t)^2 over all but the first axis; dprediction = weights * 2 (p - t) / (entries of p)."""
    return difference * difference, 2 * difference


@op(kernel="elementwise_loss", fixed={"LOSS": "mean_absolute_error"})
@elementwise
def mean_absolute_error(difference: Array) -> tuple[Array, Array]:
    """losses = mean of |p - t| over all but the first axis; dprediction = weights * sign(p - t) / (entries of p)."""
    return np.abs(difference), np.sign(difference)


def _finish(
    each: Array,
    derivative: Array,
    prediction: Array,
    targets: Array,
    weights: Array | None,
    losses: Array,
    hits: Array | None,
    gradient: Array | None,
    accuracy: str | None,
) -> None:
    """losses = means over a picture; hits = 1 where the largest entries agree ("categorical"), or the share of entries
    on their target's side of one half ("binary": logits against 0), or 0.
    """
    losses[...] = each.reshape(len(each), -1).mean(axis=1)
    if hits is not None:
        z, t = (array.reshape(len(array), -1) for array in (prediction, targets))
        if accuracy == "categorical":
            hits[...] = z.argmax(axis=1) == t.argmax(axis=1)
        else:
            hits[...] = ((z > 0) == (t > 0.5)).mean(axis=1) if accuracy == "binary" else 0
    if gradient is not None:
        gradient[...] = _weighted(derivative, weights) / prediction.size


def _weighted(gradient: Array, weights: Array | None) -> Array:
    return gradient if weights is None else gradient * weights.reshape(-1, *([1] * (gradient.ndim - 1)))
