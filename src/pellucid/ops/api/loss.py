"""Losses: one number a picture, and the gradient of mean(weights * losses). Targets come first, as in Keras."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.errors import ConfigError, DataError, ShapeError
from pellucid.ops.dispatch import array, expect_axes, expect_shape, optional, result, run
from pellucid.ops.geometry import Array
from pellucid.ops.reference.loss import IGNORED as IGNORED
from pellucid.ops.reference.loss import NONE_IGNORED as NONE_IGNORED


def _weights(op: str, weights: Array | None, prediction: Array) -> Array | None:
    return optional(op, "weights", weights, prediction.dtype, prediction.shape[:1], "one weight for each picture")


def _labels(targets: Array, logits: Array, ignored: int) -> Array:
    """Integer targets (N, ...) as int32, or float targets (N, ..., K) that sum to one in each row."""
    op = "softmax_cross_entropy"
    if not isinstance(targets, np.ndarray):
        raise ConfigError(f"{op}: targets must be a NumPy array, got {type(targets).__name__}; use np.asarray(...)")
    classes = logits.shape[-1]
    if targets.dtype.kind in "iu":
        expect_shape(op, "integer targets", targets, logits.shape[:-1], "one label for each row of logits")
        flat = targets.reshape(-1)
        wrong = np.flatnonzero(((flat < 0) | (flat >= classes)) & (flat != ignored))
        if wrong.size:
            raise DataError(
                f"{op}: label {int(flat[wrong[0]])} at position {int(wrong[0])} is not among the {classes} classes; "
                f"expected 0 to {classes - 1}; mend the labels or give the last layer more units"
            )
        return np.ascontiguousarray(targets, np.int32)
    targets = array(op, "targets", targets, logits.dtype)
    expect_shape(op, "float targets", targets, logits.shape, "one probability for each class")
    sums = targets.reshape(-1, classes).sum(axis=1)
    wrong = np.flatnonzero(~(np.abs(sums - 1) < 1e-3))
    if wrong.size:
        raise DataError(
            f"{op}: the targets of row {int(wrong[0])} sum to {float(sums[wrong[0]]):.6g}; expected 1, "
            "as probabilities do; divide each row by its sum"
        )
    return targets


def softmax_cross_entropy(
    targets: Array,
    logits: Array,
    *,
    label_smoothing: float = 0.0,
    weights: Array | None = None,
    class_weights: Array | None = None,
    ignored: int = NONE_IGNORED,
) -> tuple[Array, Array]:
    """losses[n] = -sum over k of t[n,k] * log softmax(logits)[n,k]; dlogits = weights * (softmax(logits) - t) / N.

    t is one at the label, or the given row, smoothed to t * (1 - s) + s / K. Logits of pixels, (N,...,K): the mean over
    a picture's pixels, those with the label `ignored` left out; 0 where none is left. class_weights: what a label
    counts.

    Shapes: targets int (N,...) or float (N,...,K), logits (N,...,K), weights (N,), class_weights (K,) -> losses (N,),
    dlogits like logits.
    Units: losses in nats.
    Errors: DataError for a label that is no class or a row that does not sum to one; ShapeError if sizes differ.
    Source: Bridle 1990; label smoothing: Szegedy et al. 2016, section 7; pixels: Long, Shelhamer & Darrell 2015.
    """
    op = "softmax_cross_entropy"
    if not 0 <= label_smoothing <= 1:
        raise ConfigError(f"{op}: label_smoothing must be from 0 to 1, got {label_smoothing}")
    logits = array(op, "logits", logits)
    if logits.ndim < 2:
        expect_axes(op, "logits", logits, "N, K")
    labels, weights = _labels(targets, logits, ignored), _weights(op, weights, logits)
    class_weights = optional(
        op, "class_weights", class_weights, logits.dtype, logits.shape[-1:], "one weight for each class"
    )
    losses, hits, dlogits = (
        np.empty(shape, logits.dtype) for shape in (logits.shape[:1], logits.shape[:1], logits.shape)
    )
    given = logits, labels, weights, losses, hits, dlogits, class_weights
    run(op, *given, label_smoothing=label_smoothing, ignored=ignored)
    return losses, dlogits


def _elementwise(
    op: str, targets: Array, prediction: Array, weights: Array | None, **options: Any
) -> tuple[Array, Array]:
    prediction = array(op, "the prediction", prediction)
    if not isinstance(targets, np.ndarray):
        raise ConfigError(f"{op}: targets must be a NumPy array, got {type(targets).__name__}; use np.asarray(...)")
    if targets.dtype.kind in "biu":
        targets = targets.astype(prediction.dtype)
    targets = array(op, "targets", targets, prediction.dtype)
    if prediction.ndim < 1:
        raise ShapeError(f"{op}: the prediction must have a batch axis, got shape (); reshape it")
    expect_shape(op, "targets", targets, prediction.shape, "reshape the targets as the prediction")
    losses = result(op, prediction.shape[:1], (prediction,), None)
    gradient = result(op, prediction.shape, (prediction,), None)
    run(op, prediction, targets, _weights(op, weights, prediction), losses, None, gradient, **options)
    return losses, gradient


def binary_cross_entropy(
    targets: Array, logits: Array, *, label_smoothing: float = 0.0, weights: Array | None = None
) -> tuple[Array, Array]:
    """losses[n] = mean of -(t log s + (1-t) log(1-s)), s = sigmoid(logits); dlogits = weights * (s - t) / size.

    t is the target smoothed to t * (1 - label_smoothing) + label_smoothing / 2.

    Computed from the logits z as max(z, 0) - z*t + log(1 + exp(-|z|)), which never overflows.

    Shapes: targets, logits (N,...), weights (N,) -> losses (N,), dlogits like logits.
    Units: losses in nats.
    Errors: ShapeError if sizes differ.
    """
    if not 0 <= label_smoothing <= 1:
        raise ConfigError(f"binary_cross_entropy: label_smoothing must be from 0 to 1, got {label_smoothing}")
    return _elementwise("binary_cross_entropy", targets, logits, weights, label_smoothing=label_smoothing)


def mean_squared_error(targets: Array, prediction: Array, *, weights: Array | None = None) -> tuple[Array, Array]:
    """losses[n] = mean over all entries of picture n of (p - t)^2; gradient = weights * 2 (p - t) / size.

    Shapes: targets, prediction (N,...), weights (N,) -> losses (N,), gradient like prediction.
    Errors: ShapeError if sizes differ.
    """
    return _elementwise("mean_squared_error", targets, prediction, weights)


def mean_absolute_error(targets: Array, prediction: Array, *, weights: Array | None = None) -> tuple[Array, Array]:
    """losses[n] = mean over all entries of picture n of |p - t|; gradient = weights * sign(p - t) / size.

    Shapes: targets, prediction (N,...), weights (N,) -> losses (N,), gradient like prediction.
    Errors: ShapeError if sizes differ.
    """
    return _elementwise("mean_absolute_error", targets, prediction, weights)
