"""Formulas of one's own as losses, (y_true, y_pred) -> numbers as Keras has them. A tape takes their gradient."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from pellucid.autodiff import Node, gradients, recording, tensor
from pellucid.errors import ConfigError, shown
from pellucid.losses.targets import numbers
from pellucid.ops import Array, Shape

Call = Callable[..., Any]


def by_tape(name: str, call: Call, targets: Array, predictions: Array, weights: Array | None) -> tuple[Array, Array]:
    """(losses, gradient of mean(weights * losses)), in float64.

    A formula that gives one number for the whole batch gives it for each picture.
    Shapes: predictions (N, ...) -> (N,), as predictions.
    Errors: ConfigError for a formula that gives neither one number nor one for each picture, or pixel, and for one
    whose gradient is not known.
    """
    at = tensor(predictions.astype(np.float64))
    at.node = Node()
    truth = tensor(targets.astype(np.float64) if targets.dtype.kind == "f" else targets)
    with recording():
        losses = each_of_call(name, call, truth, at)
    if losses.node is None:
        raise ConfigError(
            f"{name}: its gradient is not known; calculate with y_pred itself, by NumPy's functions or keras.ops, and "
            "not with y_pred.numpy() or np.asarray(y_pred)"
        )
    share = np.full(len(losses), 1 / len(losses)) if weights is None else weights.astype(np.float64) / len(losses)
    back = gradients([(losses.node, share)], [at.node])
    slopes = back.get(at.node, np.zeros(at.shape))
    return np.asarray(losses, predictions.dtype), slopes.astype(predictions.dtype)


def each_of_call(name: str, call: Call, truth: Any, predictions: Any) -> Any:
    """What a formula gives for each picture, recorded where what it reads is."""
    found = tensor(call(truth, predictions))
    if not found.ndim:
        found = tensor(found + np.zeros(len(predictions)))
    if found.shape != predictions.shape[: found.ndim]:
        raise ConfigError(
            f"{name}: a loss must give one number for each picture, of shape ({len(predictions)},), or one for the "
            f"batch, got shape {found.shape}; take the mean over the last axis (axis=-1)"
        )
    return found.astype(np.float64).reshape(len(found), -1).mean(axis=1)


def labels_for_call(labels: Any, units: int | Shape, examples: int | None) -> Array:
    """Labels as they were given: class numbers int32 (N,), of pixels uint8 (N, H, W), else float32; one number, of a
    formula that reads none, for each picture.

    Errors: DataError as for all labels; ConfigError for masks of numbers that are no bytes.
    """
    given = numbers(np.full(examples, labels) if examples and np.ndim(labels) == 0 else labels, examples)
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
