"""The losses and their formulas."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any, ClassVar, Unpack

import numpy as np

from pellucid import ops
from pellucid._arguments import flag
from pellucid.errors import ConfigError, DataError, shown
from pellucid.losses.loss import Common, Loss
from pellucid.losses.targets import class_numbers, mask_numbers, numbers, rows_of, values
from pellucid.ops import Array, Shape
from pellucid.ops.geometry import above_zero


class _Crossentropy(Loss):
    """What the cross-entropies are given."""

    def __init__(self, from_logits: bool = False, label_smoothing: float = 0.0, **named: Unpack[Common]) -> None:
        super().__init__(**named)
        self.from_logits = flag(from_logits, f"{type(self).__name__}: from_logits")
        self.label_smoothing = smoothing(label_smoothing)


class CategoricalCrossentropy(_Crossentropy):
    """losses[n] = -sum over k of t[n,k] * log softmax(logits)[n,k]; t one-hot, smoothed to t * (1 - s) + s / K.

    Labels may be integers (N,) or (N,1), one-hot rows, or rows of probabilities. Under a network that gives scores for
    each pixel they are masks, integers (N,H,W) or (N,H,W,1), or rows (N,H,W,K): the loss is the mean over a picture's
    pixels. Pixels with the label 255 are not counted.

    Shapes: logits (N,K) or (N,H,W,K) -> losses (N,).
    Units: nats.
    Errors: ConfigError for smoothing outside [0, 1] or fewer than two units; DataError for labels.
    Source: Bridle 1990; label smoothing: Szegedy et al. 2016, section 7; pixels: Long, Shelhamer & Darrell 2015.
    """

    joint_activation = "softmax"

    def scores(self, predictions: Array) -> Array:
        """Logarithms of probabilities, kept off 0 and 1 as in Keras; with from_logits the predictions are scores."""
        if self.from_logits:
            return predictions
        _warn_unless_probabilities(predictions, "softmax", math.inf)
        with np.errstate(divide="ignore", invalid="ignore"):
            shares = predictions / predictions.sum(axis=-1, keepdims=True)
        return np.log(_off_the_ends(shares).astype(np.float64))

    def ignored(self, logits: Array) -> int:
        """The label that is not counted."""
        return ops.IGNORED if logits.ndim > 2 else ops.NONE_IGNORED

    def value_and_gradient(
        self, targets: Array, logits: Array, weights: Array | None = None, class_weights: Array | None = None
    ) -> tuple[Array, Array]:
        """As of every loss; class_weights: what pixels of each class count. Shapes: class_weights (K,)."""
        return ops.softmax_cross_entropy(
            _as(logits, targets),
            logits,
            label_smoothing=self.label_smoothing,
            weights=_weights(logits, weights),
            class_weights=_weights(logits, class_weights),
            ignored=self.ignored(logits),
        )

    def calculate(self, targets: Any, scores: Any) -> Any:
        classes, counted = scores.shape[-1], np.ones(scores.shape[:-1])
        if np.ndim(targets) < np.ndim(scores):
            counted = np.not_equal(targets, self.ignored(scores)).astype(np.float64)
            targets = np.equal(targets[..., None], np.arange(classes)).astype(np.float64)
        wanted = targets * (1 - self.label_smoothing) + self.label_smoothing / classes
        off = scores - np.max(np.asarray(scores), axis=-1, keepdims=True)
        logs = off - np.log(np.sum(np.exp(off), axis=-1, keepdims=True))
        each = np.reshape(np.sum(wanted * logs, axis=-1) * -counted, (len(scores), -1))
        return np.sum(each, axis=1) / np.maximum(counted.reshape(len(scores), -1).sum(axis=1), 1)

    def compared(self, targets: Array, logits: Array) -> tuple[Array, Array, Array]:
        given, classes = ops.softmax(logits.astype(np.float64)), logits.shape[-1]
        numbered = targets.ndim < logits.ndim
        wanted = np.equal(targets[..., None], np.arange(classes)) if numbered else targets
        wanted = wanted * (1 - self.label_smoothing) + self.label_smoothing / classes
        counted = targets != self.ignored(logits) if numbered else np.ones(logits.shape[:-1], bool)
        pixels = counted.reshape(len(logits), -1).sum(axis=1)
        return given, np.where(counted[..., None], wanted, given), len(logits) * np.maximum(pixels, 1)

    def prepare_targets(self, labels: Any, units: int | Shape, *, examples: int | None = None) -> Array:
        """Class numbers int32 (N,), of pixels uint8 (N,H,W), or float32 (N,K) or (N,H,W,K) for probabilities."""
        given = numbers(labels, examples)
        *pixels, classes = (units,) if isinstance(units, int) else units
        if classes < 2:
            raise ConfigError(
                f"categorical cross-entropy needs at least 2 units, the network has {classes}; "
                'give its last layer one unit a class, or use loss="binary_crossentropy"'
            )
        if pixels:
            masks = mask_numbers(given, (*pixels, classes))
            return rows_of(given, classes) if masks is None else masks
        if given.ndim == 2 and given.shape[1] == 1:
            given = given[:, 0]
        if given.ndim == 1:
            return class_numbers(given, classes)
        if given.shape[1:] != (classes,):
            raise DataError(
                f"labels must be integers (N,) or rows of {classes} (N, {classes}), got shape {given.shape}; "
                "the last layer needs one unit a class"
            )
        return rows_of(given, classes)

    def targets_by_hand(self, labels: Any, shape: Shape, count: int) -> Array:
        """Rows that sum to anything, too, as in Keras: a row's loss is in proportion to it."""
        given = numbers(labels, count)
        if given.ndim == 2 and given.shape[1:] == shape and not self.label_smoothing and (given >= 0).all():
            return given.astype(np.float32)
        return super().targets_by_hand(labels, shape, count)

    def _losses(self, targets: Array, scores: Any) -> Any:
        if targets.dtype.kind != "f" or targets.ndim > 2 or not (off := abs((sums := targets.sum(1)) - 1) > 1e-6).any():
            return super()._losses(targets, scores)
        shares = targets / np.where(sums > 0, sums, 1)[:, None]
        shares[sums == 0, 0] = 1  # any, it counts nothing
        return super()._losses(shares, scores) * np.where(off, sums, 1)


class SparseCategoricalCrossentropy(CategoricalCrossentropy):
    """The same loss under Keras's second name: integer and one-hot labels are both taken by both.

    ignore_class: the label of pixels that are not counted, besides 255.

    Shapes: logits (N,K) or (N,H,W,K) -> losses (N,).
    Errors: ConfigError for an ignore_class that is no whole number, or of a network that gives one answer a picture;
    and as CategoricalCrossentropy.
    """

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        *,
        label_smoothing: float = 0.0,
        **named: Unpack[Common],
    ) -> None:
        if not (ignore_class is None or (isinstance(ignore_class, int) and not isinstance(ignore_class, bool))):
            raise ConfigError(
                f"SparseCategoricalCrossentropy: ignore_class must be a class number or None, got {shown(ignore_class)}"
            )
        super().__init__(from_logits, label_smoothing, **named)
        self.ignore_class = ignore_class

    def prepare_targets(self, labels: Any, units: int | Shape, *, examples: int | None = None) -> Array:
        """As of CategoricalCrossentropy, `ignore_class` as 255."""
        if self.ignore_class is None:
            return super().prepare_targets(labels, units, examples=examples)
        if isinstance(units, int) or len(units) < 2:
            raise ConfigError(
                f"SparseCategoricalCrossentropy: ignore_class={self.ignore_class} is of pixels, this network gives one "
                "answer a picture; give pictures of that class sample_weight=0, or leave them out"
            )
        given = numbers(labels, examples)
        counted = np.where(given == self.ignore_class, ops.IGNORED, given)
        return super().prepare_targets(counted, units, examples=examples)


CROSS_ENTROPIES = (CategoricalCrossentropy, SparseCategoricalCrossentropy)
"""The types whose kernel is `softmax_cross_entropy`."""


class MAPCriterion(CategoricalCrossentropy):
    """losses[n] = -sum over k of t[n,k] * z[n,k] + log(exp(-j) + sum over k of exp(z[n,k])).

    Cross-entropy with one class more, for what is no class at all, whose score stands fixed at -j. With scores that are
    minus squared distances (RBF) a picture must come near its own code, not only nearer than to the others, and codes
    further than about j are pushed no further away. The paper gives no number for j.

    Shapes: z (N,K) -> losses (N,). Units: rubbish_penalty, j, in squared distances.
    Errors: ConfigError for a rubbish_penalty that is not above 0; labels as CategoricalCrossentropy.
    Source: LeCun, Bottou, Bengio & Haffner 1998, equation 9.
    """

    def __init__(self, rubbish_penalty: float = 5.0, **named: Unpack[Common]) -> None:
        super().__init__(**named)
        self.rubbish_penalty = above_zero(rubbish_penalty, "MAPCriterion: rubbish_penalty")

    def scores(self, predictions: Array) -> Array:
        return predictions  # minus squared distances, which no activation follows

    def prepare_targets(self, labels: Any, units: int | Shape, *, examples: int | None = None) -> Array:
        if not isinstance(units, int) and len(units) != 1:
            raise ConfigError(
                f"MAPCriterion needs one row of scores a picture, the network gives {tuple(units)}; add Flatten() and "
                "Dense(classes)"
            )
        return super().prepare_targets(labels, units, examples=examples)

    def value_and_gradient(
        self, targets: Array, logits: Array, weights: Array | None = None, class_weights: Array | None = None
    ) -> tuple[Array, Array]:
        losses, dlogits = super().value_and_gradient(*self._with_rubbish(targets, logits), weights)
        return losses, np.ascontiguousarray(dlogits[:, :-1])

    def calculate(self, targets: Any, scores: Any) -> Any:
        return super().calculate(*self._with_rubbish(targets, scores))

    def compared(self, targets: Array, logits: Array) -> tuple[Array, Array, Array]:
        given, wanted, counts = super().compared(*self._with_rubbish(targets, logits))
        return given[:, :-1], wanted[:, :-1], counts

    def _with_rubbish(self, targets: Array, logits: Array) -> tuple[Array, Array]:
        """Both with the class that is no class behind the others."""
        rubbish = np.full((len(logits), 1), -self.rubbish_penalty, logits.dtype)
        if targets.ndim == 2:  # probabilities: none for the class that is no class
            targets = np.hstack([targets, np.zeros_like(targets[:, :1])])
        return targets, np.hstack([logits, rubbish])


LABEL_NOISE = 0.5
"""How far labels of binary cross-entropy may lie outside 0 to 1; what is farther was meant for another loss."""


class BinaryCrossentropy(_Crossentropy):
    """losses[n] = mean over units of -(t * log p + (1 - t) * log(1 - p)), p = sigmoid(logits).

    Smoothing s takes t to t * (1 - s) + s / 2.

    Labels are 0 to 1, one for each unit, or beyond by less than LABEL_NOISE, as programs with noise on them have it;
    integers (N,) under K > 1 units are class numbers.

    Shapes: logits (N,...) -> losses (N,).
    Units: nats.
    Errors: ConfigError for smoothing outside [0, 1]; DataError for labels farther outside [0, 1].
    """

    joint_activation = "sigmoid"

    def targets_by_hand(self, labels: Any, shape: Shape, count: int) -> Array:
        """Labels beyond 0 to 1, too: programs add noise to them."""
        return values(labels, shape, count)

    def scores(self, predictions: Array) -> Array:
        """log(p / (1 - p)), p kept off 0 and 1 as in Keras; with from_logits the predictions are scores."""
        if self.from_logits:
            return predictions
        _warn_unless_probabilities(predictions, "sigmoid", 1.0)
        shares = _off_the_ends(predictions)
        return np.log(shares.astype(np.float64)) - np.log((1 - shares).astype(np.float64))

    def value_and_gradient(self, targets: Array, logits: Array, weights: Array | None = None) -> tuple[Array, Array]:
        return ops.binary_cross_entropy(
            targets.astype(logits.dtype, copy=False),
            logits,
            label_smoothing=self.label_smoothing,
            weights=_weights(logits, weights),
        )

    def calculate(self, targets: Any, scores: Any) -> Any:
        wanted = targets * (1 - self.label_smoothing) + self.label_smoothing / 2
        return _mean_of_each(np.logaddexp(scores, 0) - scores * wanted)

    def compared(self, targets: Array, logits: Array) -> tuple[Array, Array, Array]:
        wanted = targets * (1 - self.label_smoothing) + self.label_smoothing / 2
        return ops.activation(logits.astype(np.float64), "sigmoid"), wanted, np.full(len(logits), logits.size)

    def prepare_targets(self, labels: Any, units: int | Shape, *, examples: int | None = None) -> Array:
        """float32 of the network's output shape."""
        target = values(labels, units, examples)
        wrong = np.argwhere(~((target > -LABEL_NOISE) & (target < 1 + LABEL_NOISE)))
        if wrong.size:
            place = tuple(int(index) for index in wrong[0])
            raise DataError(
                f"label {target[place]:g} of picture {place[0]} is outside 0 to 1; binary cross-entropy takes 0, 1 "
                'or a probability; for numbered classes use loss="categorical_crossentropy" and one unit a class'
            )
        return target


class _EntryByEntry(Loss):
    """A mean over all entries of how far each is off, by `_formula`."""

    _formula: ClassVar[Callable[..., tuple[Array, Array]]]
    _of_gap: ClassVar[Any]
    """The same of one entry, that is off so far, by a function of NumPy's."""

    def value_and_gradient(self, targets: Array, logits: Array, weights: Array | None = None) -> tuple[Array, Array]:
        target = targets.astype(logits.dtype, copy=False)
        return self._formula(target, logits, weights=_weights(logits, weights))

    def calculate(self, targets: Any, scores: Any) -> Any:
        return _mean_of_each(self._of_gap(scores - targets))

    def prepare_targets(self, labels: Any, units: int | Shape, *, examples: int | None = None) -> Array:
        """float32 of the network's output shape."""
        return values(labels, units, examples)


class MeanSquaredError(_EntryByEntry):
    """losses[n] = mean over all entries of (prediction - target)^2, also called L2.

    Integers (N,) under K > 1 units are class numbers and become one-hot.

    Shapes: prediction (N,...) -> losses (N,).
    """

    _formula, _of_gap = staticmethod(ops.mean_squared_error), np.square


class MeanAbsoluteError(_EntryByEntry):
    """losses[n] = mean over all entries of |prediction - target|, also called L1; its gradient at 0 is 0.

    Integers (N,) under K > 1 units are class numbers and become one-hot.

    Shapes: prediction (N,...) -> losses (N,).
    """

    _formula, _of_gap = staticmethod(ops.mean_absolute_error), np.absolute


def _mean_of_each(entries: Any) -> Any:
    """Of the entries of each picture. Shapes: (N,...) -> (N,)."""
    return np.mean(np.reshape(entries, (len(entries), -1)), axis=1)


def _off_the_ends(probabilities: Array) -> Array:
    """Between 1e-7 and 1 - 1e-7, whose logarithms are finite: Keras's numbers, in float32 like Keras's."""
    return np.clip(probabilities, np.float32(1e-7), np.float32(1 - 1e-7))


def _warn_unless_probabilities(predictions: Array, activation: str, high: float) -> None:
    low, high = -1e-6, high + 1e-6  # sums of float32
    if not ((predictions >= low) & (predictions <= high)).all():
        warnings.warn(
            f"y_pred holds {predictions.min():g} to {predictions.max():g}, which are no probabilities; give the loss "
            f"what comes out of a {activation}, or say from_logits=True",
            stacklevel=4,
        )


def smoothing(value: float) -> float:
    """A label_smoothing. Errors: ConfigError for anything but a number from 0 to 1."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ConfigError(f"label_smoothing must be a number from 0 to 1, got {shown(value)}")
    return float(value)


def _weights(logits: Array, weights: Array | None) -> Array | None:
    return None if weights is None else np.asarray(weights, logits.dtype)


def _as(logits: Array, targets: Array) -> Array:
    return targets if targets.dtype.kind in "iu" else targets.astype(logits.dtype, copy=False)
