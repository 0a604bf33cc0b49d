"""Gradients of a user's own formula for a loss, which is written as Keras has it: (y_true, y_pred) -> numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from pellucid.errors import ConfigError, shown
from pellucid.losses.targets import numbers
from pellucid.ops import Array, Shape

Call = Callable[..., Any]

MAX_OUTPUTS = 1000
"""Numbers that a network may give for a picture: each needs two calls of the formula in every step."""


def by_differences(
    name: str, call: Call, targets: Array, predictions: Array, weights: Array | None
) -> tuple[Array, Array]:
    """(losses, gradient of mean(weights * losses)), central differences in float64: two calls for each output.

    Shapes: predictions (N, ...) -> (N,), as predictions.
    Errors: ConfigError for a formula that gives anything but one number for each picture, or pixel, and for a network
    with too many outputs.
    """
    count = math.prod(predictions.shape[1:])
    if count > MAX_OUTPUTS:
        raise ConfigError(
            f"{name}: a formula of your own is tried twice for each of a picture's outputs, {count:,} are too many "
            f"(at most {MAX_OUTPUTS:,}); derive from pellucid.losses.Loss and write value_and_gradient"
        )
    at = predictions.astype(np.float64).reshape(len(predictions), count)
    truth = targets.astype(np.float64) if targets.dtype.kind == "f" else targets
    losses = _losses(name, call, truth, at.reshape(predictions.shape))
    slopes = np.empty_like(at)
    steps = 1e-3 * np.abs(at) + 1e-8
    for k in range(count):
        ends = []
        for sign in (1, -1):
            moved = at.copy()
            moved[:, k] += sign * steps[:, k]
            ends.append(_losses(name, call, truth, moved.reshape(predictions.shape)))
        slopes[:, k] = (ends[0] - ends[1]) / (2 * steps[:, k])
    share = 1 / len(predictions) if weights is None else weights[:, None] / len(predictions)
    return losses.astype(predictions.dtype), (slopes * share).reshape(predictions.shape).astype(predictions.dtype)


def _losses(name: str, call: Call, targets: Array, predictions: Array) -> Array:
    """One number for each picture: the mean over its pixels where there is one for each of these."""
    found = np.asarray(call(targets, predictions), np.float64)
    if not found.ndim or found.shape != predictions.shape[: found.ndim]:
        raise ConfigError(
            f"{name}: a loss must give one number for each picture, of shape ({len(predictions)},), got shape "
            f"{found.shape}; take the mean over the last axis alone (axis=-1), the one over the batch is taken for you"
        )
    return np.asarray(found.reshape(len(found), -1).mean(axis=1))


def labels_for_call(labels: Any, units: int | Shape, examples: int | None) -> Array:
    """Labels as they were given: class numbers int32 (N,), of pixels uint8 (N, H, W), else float32.

    Errors: DataError as for all labels; ConfigError for masks of numbers that are no bytes.
    """
    given = numbers(labels, examples)
    shape = (units,) if isinstance(units, int) else tuple(units)
    if given.ndim > 1 and given.shape[-1] == 1 and shape[-1] > 1:
        given = given[..., 0]
    if given.dtype.kind == "f" or given.shape[1:] == shape or (given.ndim == 1 and shape == (1,)):
        same = given.reshape(len(given), *shape) if given.size == len(given) * math.prod(shape) else given
        return np.ascontiguousarray(same, np.float32)
    if given.ndim == 1:
        return np.ascontiguousarray(given, np.int32)
    if given.size and (given.min() < 0 or given.max() > 255):
        raise ConfigError(f"masks of class numbers hold 0 to 255, got {shown([int(given.min()), int(given.max())])}")
    return np.ascontiguousarray(given, np.uint8)


def given_to_call(targets: Array, predictions: Array) -> Array:
    """Labels as Keras hands them to a formula: with as many axes as the predictions."""
    return targets[..., None] if targets.ndim == predictions.ndim - 1 else targets
