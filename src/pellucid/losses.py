"""Losses: one number for each picture, and the gradient of their (weighted) mean.

A loss always sees logits. Where a model ends in softmax or sigmoid, that last step is left out in training and done
here together with the logarithm, which never overflows; `joint_activation` says which ending that is. `from_logits` is
accepted as in Keras and changes nothing.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from pellucid import ops
from pellucid.errors import ConfigError, DataError, unknown_name
from pellucid.ops import Array, Shape


class Loss:
    """losses[n], and d of mean(weights * losses), from logits and targets as `prepare_targets` gives them."""

    joint_activation: str | None = None
    """The final activation that belongs to this loss: "softmax", "sigmoid", or None."""

    def __call__(self, logits: Array, targets: Array, weights: Array | None = None) -> tuple[Array, Array]:
        """(losses, dlogits). Shapes: logits (N,...), weights (N,) -> losses (N,), dlogits as logits."""
        raise NotImplementedError

    def prepare_targets(self, labels: Any, units: int | Shape, *, examples: int | None = None) -> Array:
        """Labels in any accepted form as the one the loss computes with; checked here, once, and not in every step.

        Shapes: units is the shape that comes out of the network, without the batch.
        Errors: DataError naming the first label at fault, or if there are not `examples` of them.
        """
        raise NotImplementedError

    def config(self) -> dict[str, Any]:
        """What `get` turns back into this loss, ready for JSON."""
        arguments = [name for name in inspect.signature(type(self).__init__).parameters if name != "self"]
        return {"type": type(self).__name__, **{name: getattr(self, name) for name in arguments if hasattr(self, name)}}


class CategoricalCrossentropy(Loss):
    """losses[n] = -sum over k of t[n,k] * log softmax(logits)[n,k]; t one-hot, smoothed to t * (1 - s) + s / K.

    Labels may be integers (N,) or (N,1), one-hot rows, or rows of probabilities.

    Shapes: logits (N,K) -> losses (N,).
    Units: nats.
    Errors: ConfigError for smoothing outside [0, 1] or fewer than two units; DataError for labels.
    Source: Bridle 1990; label smoothing: Szegedy et al. 2016, section 7.
    """

    joint_activation = "softmax"

    def __init__(self, from_logits: bool = False, label_smoothing: float = 0.0) -> None:
        self.from_logits = bool(from_logits)
        self.label_smoothing = _smoothing(label_smoothing)

    def __call__(self, logits: Array, targets: Array, weights: Array | None = None) -> tuple[Array, Array]:
        return ops.softmax_cross_entropy(
            logits, _as(logits, targets), label_smoothing=self.label_smoothing, weights=_weights(logits, weights)
        )

    def prepare_targets(self, labels: Any, units: int | Shape, *, examples: int | None = None) -> Array:
        """Class numbers int32 (N,), or float32 (N,K) where the labels are probabilities."""
        given = _numbers(labels, examples)
        classes = _only_axis(units, "categorical cross-entropy")
        if classes < 2:
            raise ConfigError(
                f"categorical cross-entropy needs at least 2 units, the network has {classes}; "
                'give its last layer one unit a class, or use loss="binary_crossentropy"'
            )
        if given.ndim == 2 and given.shape[1] == 1:
            given = given[:, 0]
        if given.ndim == 1:
            return class_numbers(given, classes)
        if given.shape[1:] != (classes,):
            raise DataError(
                f"labels must be integers (N,) or rows of {classes} (N, {classes}), got shape {given.shape}; "
                "the last layer needs one unit a class"
            )
        wrong = np.flatnonzero(~((given >= 0).all(axis=1) & (np.abs(given.sum(axis=1) - 1.0) < 1e-3)))
        if wrong.size:
            row = int(wrong[0])
            raise DataError(
                f"labels of picture {row} are neither one-hot nor probabilities: {_short(given[row])}; "
                'each row must be 0 or more and sum to 1; for several classes at once use loss="binary_crossentropy"'
            )
        if ((given == 0) | (given == 1)).all():
            return np.ascontiguousarray(given.argmax(axis=1), np.int32)
        return np.ascontiguousarray(given, np.float32)


SparseCategoricalCrossentropy = CategoricalCrossentropy
"""The same loss under Keras's second name: integer and one-hot labels are both taken by both."""


class MAPCriterion(CategoricalCrossentropy):
    """losses[n] = -sum over k of t[n,k] * z[n,k] + log(exp(-j) + sum over k of exp(z[n,k])).

    Cross-entropy with one class more, for what is no class at all, whose score stands fixed at -j. With scores that are
    minus squared distances (RBF) a picture must come near its own code, not only nearer than to the others, and codes
    further than about j are pushed no further away. The paper gives no number for j.

    Shapes: z (N,K) -> losses (N,). Units: rubbish_penalty, j, in squared distances.
    Errors: ConfigError for a rubbish_penalty that is not above 0; labels as CategoricalCrossentropy.
    Source: LeCun, Bottou, Bengio & Haffner 1998, equation 9.
    """

    def __init__(self, rubbish_penalty: float = 5.0) -> None:
        super().__init__()
        if not isinstance(rubbish_penalty, int | float) or not 0 < rubbish_penalty < math.inf:
            raise ConfigError(f"MAPCriterion: rubbish_penalty must be a number above 0, got {rubbish_penalty!r}")
        self.rubbish_penalty = float(rubbish_penalty)

    def __call__(self, logits: Array, targets: Array, weights: Array | None = None) -> tuple[Array, Array]:
        rubbish = np.full((len(logits), 1), -self.rubbish_penalty, logits.dtype)
        if targets.ndim == 2:  # probabilities: none for the class that is no class
            targets = np.hstack([targets, np.zeros_like(targets[:, :1])])
        losses, dlogits = super().__call__(np.hstack([logits, rubbish]), targets, weights)
        return losses, np.ascontiguousarray(dlogits[:, :-1])


class BinaryCrossentropy(Loss):
    """losses[n] = mean over units of -(t * log p + (1 - t) * log(1 - p)), p = sigmoid(logits).

    Smoothing s takes t to t * (1 - s) + s / 2.

    Labels are 0 to 1, one for each unit; integers (N,) under K > 1 units are class numbers.

    Shapes: logits (N,...) -> losses (N,).
    Units: nats.
    Errors: ConfigError for smoothing outside [0, 1]; DataError for labels outside [0, 1].
    """

    joint_activation = "sigmoid"

    def __init__(self, from_logits: bool = False, label_smoothing: float = 0.0) -> None:
        self.from_logits = bool(from_logits)
        self.label_smoothing = _smoothing(label_smoothing)

    def __call__(self, logits: Array, targets: Array, weights: Array | None = None) -> tuple[Array, Array]:
        return ops.binary_cross_entropy(
            logits,
            targets.astype(logits.dtype, copy=False),
            label_smoothing=self.label_smoothing,
            weights=_weights(logits, weights),
        )

    def prepare_targets(self, labels: Any, units: int | Shape, *, examples: int | None = None) -> Array:
        """float32 of the network's output shape."""
        target = _values(labels, units, examples)
        wrong = np.argwhere(~((target >= 0) & (target <= 1)))
        if wrong.size:
            place = tuple(int(index) for index in wrong[0])
            raise DataError(
                f"label {target[place]:g} of picture {place[0]} is outside 0 to 1; binary cross-entropy takes 0, 1 "
                'or a probability; for numbered classes use loss="categorical_crossentropy" and one unit a class'
            )
        return target


class MeanSquaredError(Loss):
    """losses[n] = mean over all entries of (prediction - target)^2, also called L2.

    Integers (N,) under K > 1 units are class numbers and become one-hot.

    Shapes: prediction (N,...) -> losses (N,).
    """

    def __call__(self, logits: Array, targets: Array, weights: Array | None = None) -> tuple[Array, Array]:
        target = targets.astype(logits.dtype, copy=False)
        return ops.mean_squared_error(logits, target, weights=_weights(logits, weights))

    def prepare_targets(self, labels: Any, units: int | Shape, *, examples: int | None = None) -> Array:
        """float32 of the network's output shape."""
        return _values(labels, units, examples)


class MeanAbsoluteError(Loss):
    """losses[n] = mean over all entries of |prediction - target|, also called L1; its gradient at 0 is 0.

    Integers (N,) under K > 1 units are class numbers and become one-hot.

    Shapes: prediction (N,...) -> losses (N,).
    """

    def __call__(self, logits: Array, targets: Array, weights: Array | None = None) -> tuple[Array, Array]:
        target = targets.astype(logits.dtype, copy=False)
        return ops.mean_absolute_error(logits, target, weights=_weights(logits, weights))

    def prepare_targets(self, labels: Any, units: int | Shape, *, examples: int | None = None) -> Array:
        """float32 of the network's output shape."""
        return _values(labels, units, examples)


_CLASSES: dict[str, type[Loss]] = {
    cls.__name__: cls
    for cls in (CategoricalCrossentropy, MAPCriterion, BinaryCrossentropy, MeanSquaredError, MeanAbsoluteError)
}
NAMES: dict[str, type[Loss]] = {
    "categorical_crossentropy": CategoricalCrossentropy,
    "sparse_categorical_crossentropy": CategoricalCrossentropy,
    "cross_entropy": CategoricalCrossentropy,
    "crossentropy": CategoricalCrossentropy,
    "map_criterion": MAPCriterion,
    "binary_crossentropy": BinaryCrossentropy,
    "mean_squared_error": MeanSquaredError,
    "mse": MeanSquaredError,
    "l2": MeanSquaredError,
    "mean_absolute_error": MeanAbsoluteError,
    "mae": MeanAbsoluteError,
    "l1": MeanAbsoluteError,
}
"""Every loss by its names."""


def get(spec: str | Loss | Mapping[str, Any]) -> Loss:
    """The loss that `spec` names: a name in any case, a Loss, or a stored config.

    Errors: ConfigError for an unknown name or anything else.
    """
    if isinstance(spec, Loss):
        return spec
    if isinstance(spec, type) and issubclass(spec, Loss):
        return spec()
    if isinstance(spec, str):
        name = spec.lower().replace("-", "_").replace("binary_cross_entropy", "binary_crossentropy")
        name = name.replace("categorical_cross_entropy", "categorical_crossentropy")
        known = {**NAMES, **{cls_name.lower(): cls for cls_name, cls in _CLASSES.items()}}
        if name not in known:
            raise unknown_name("loss", spec, NAMES)
        return known[name]()
    if isinstance(spec, Mapping):
        arguments = dict(spec)
        cls = _CLASSES.get(str(arguments.pop("type", None)))
        if cls is None:
            raise unknown_name("loss", spec.get("type"), _CLASSES)
        return cls(**arguments)
    raise ConfigError(f"a loss is a name or a Loss, got {spec!r}; known names: {', '.join(NAMES)}")


def class_numbers(labels: Array, classes: int) -> Array:
    """Labels (N,) as int32, each from 0 to classes - 1.

    Errors: DataError naming the first label that is no whole number, or no class.
    """
    if labels.dtype.kind == "f":
        wrong = np.flatnonzero(labels != np.floor(labels))
        if wrong.size:
            raise DataError(
                f"label {labels[wrong[0]]:g} of picture {int(wrong[0])} is not a class number; "
                f"expected whole numbers from 0 to {classes - 1}"
            )
    wrong = np.flatnonzero((labels < 0) | (labels >= classes))
    if wrong.size:
        fix = "the last layer needs one unit a class"
        if labels.min() == 1 and labels.max() == classes:
            fix = "these labels count from 1: subtract 1"
        raise DataError(
            f"label {int(labels[wrong[0]])} of picture {int(wrong[0])} is not one of the {classes} classes "
            f"0 to {classes - 1}; {fix}"
        )
    return np.ascontiguousarray(labels, np.int32)


def _numbers(labels: Any, examples: int | None) -> Array:
    """Labels as an array of finite numbers with a batch axis."""
    given = np.asarray(labels)
    if given.dtype.kind not in "fiub":
        raise DataError(f"labels must be numbers, got an array of {given.dtype}; number the classes from 0")
    if given.ndim == 0:
        raise DataError(f"labels must be an array with one entry a picture, got the number {given}")
    if examples is not None and len(given) != examples:
        raise DataError(f"{examples} pictures but {len(given)} labels; each picture needs exactly one label")
    if given.dtype.kind == "f" and not np.isfinite(given).all():
        place = tuple(int(index) for index in np.argwhere(~np.isfinite(given))[0])
        raise DataError(f"label {given[place]} of picture {place[0]} is not a finite number")
    return given.astype(np.uint8) if given.dtype.kind == "b" else given


def _values(labels: Any, units: int | Shape, examples: int | None) -> Array:
    """Labels as float32 of the network's output shape; class numbers become one-hot."""
    given = _numbers(labels, examples)
    shape = (units,) if isinstance(units, int) else tuple(units)
    size = math.prod(shape)
    if given.shape[1:] == shape or (size == 1 and given.size == len(given)):
        return np.ascontiguousarray(given.reshape(len(given), *shape), np.float32)
    if len(shape) == 1 and given.dtype.kind in "iu" and given.size == len(given):
        one_hot = np.zeros((len(given), size), np.float32)
        one_hot[np.arange(len(given)), class_numbers(given.reshape(-1), size)] = 1.0
        return one_hot
    raise DataError(
        f"labels must have shape (N, {', '.join(map(str, shape))}) as the network's output, got {given.shape}; "
        "change the last layer's units or the labels"
    )


def _only_axis(units: int | Shape, loss: str) -> int:
    if isinstance(units, int):
        return units
    if len(units) != 1:
        raise ConfigError(
            f"{loss} needs one row of scores a picture, the network gives {tuple(units)}; "
            "add Flatten() and Dense(classes)"
        )
    return int(units[0])


def _smoothing(value: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ConfigError(f"label_smoothing must be a number from 0 to 1, got {value!r}")
    return float(value)


def _weights(logits: Array, weights: Array | None) -> Array | None:
    return None if weights is None else np.asarray(weights, logits.dtype)


def _as(logits: Array, targets: Array) -> Array:
    return targets if targets.dtype.kind in "iu" else targets.astype(logits.dtype, copy=False)


def _short(row: Array) -> str:
    return np.array2string(row, precision=3, threshold=8, edgeitems=4)
