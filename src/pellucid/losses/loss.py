"""What every loss is: a number for each picture with its gradient, in training; called by hand, Keras's mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, TypedDict

import numpy as np

from pellucid._fixed import Fixed, Taken, config_of, is_float32
from pellucid.autodiff import Node, Tensor, Variable, gradients, is_recording, node_of, recorded, recording, tensor
from pellucid.errors import ConfigError, DataError, ShapeError, shown
from pellucid.losses.own import Call, by_tape, each_of_call, given_to_call, labels_for_call
from pellucid.losses.targets import numbers
from pellucid.ops import Array, Shape, float32_array
from pellucid.ops.geometry import LARGEST, number

MEAN = "sum_over_batch_size"
WEIGHTED = "mean_with_sample_weight"
REDUCTIONS = {MEAN: MEAN, "auto": MEAN, "mean": MEAN, WEIGHTED: WEIGHTED, "sum": "sum", "none": "none", None: "none"}
"""Keras's words for what is made of the losses of a batch, and the one of each that is kept here."""
_WORDS = {MEAN: "mean", WEIGHTED: "mean", "sum": "sum"}


class Common(TypedDict, total=False):
    """What every constructor takes besides its own numbers."""

    reduction: str | None
    name: str | None


class Number(float):
    """A number that programs for Keras may call `numpy()` on."""

    def numpy(self) -> np.float32:
        """As NumPy has it."""
        return np.float32(self)


def calculated_later(function: Callable[..., Any], given: Sequence[Any], options: Mapping[str, Any]) -> Any:
    """What a network's values, which have no numbers yet, make of a loss; None where none is such a value."""
    later = next((one.calculated for one in given if hasattr(one, "calculated")), None)
    return None if later is None else later(function, given, options)


class Loss(Fixed):
    """A loss of your own needs `value_and_gradient` and `prepare_targets`; or, as in Keras, `call(y_true, y_pred)`
    alone, whose gradient a tape takes.

    reduction: of the losses of a batch, when it is called by hand: their mean ("sum_over_batch_size"), the mean by the
    weights ("mean_with_sample_weight", over the sum of these), "sum", or "none"; training takes the mean. Keras's
    `axis` and `dtype` are taken at their defaults and change nothing.
    Errors: ConfigError for arguments that there are not.
    """

    taken: ClassVar[Mapping[str, Taken]] = {
        "axis": lambda value: type(value) is int and value == -1,
        "dtype": is_float32,
    }

    joint_activation: str | None = None
    """The final activation that belongs to this loss: "softmax", "sigmoid", or None."""
    of_batch = False
    """Whether it is one number of a whole batch, and no mean over pictures."""
    call: Call | None = None
    """One's own formula, (y_true, y_pred) -> one number for each picture, where `value_and_gradient` is not written."""

    def __init__(self, *, reduction: str | None = MEAN, name: str | None = None) -> None:
        if not (reduction is None or isinstance(reduction, str)) or reduction not in REDUCTIONS:
            raise ConfigError(
                f"{type(self).__name__}: reduction must be {', '.join(sorted(set(REDUCTIONS.values())))}, got "
                f"{shown(reduction)}"
            )
        if not (name is None or isinstance(name, str)):
            raise ConfigError(f"{type(self).__name__}: name must be a word, got {shown(name)}")
        self.name, self.reduction = name, REDUCTIONS[reduction]

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """The mean of sample_weight * losses, of labels and of what a network answers for them, as in Keras; by
        `reduction` their sum, or all of them.

        Shapes: y_true in any form that `fit` takes; y_pred (N, ...); sample_weight a number, (N,) or (N, 1), or one
        for each pixel. The losses, or the parts of their sum, are (N,), and (N, H, W) of pixels (N, H, W, K).
        Errors: DataError for labels, or anything but real numbers; ShapeError where sizes do not fit together.
        """
        if (later := calculated_later(self, (y_true, y_pred), {"sample_weight": sample_weight})) is not None:
            return later
        y_true, y_pred, sample_weight = map(_read, (y_true, y_pred, sample_weight))
        predictions: Any = float32_array(numbers(y_pred, None, "y_pred"), "y_pred")
        if is_recording() and node_of(y_pred) is not None:
            predictions = recorded(predictions, [node_of(y_pred)], lambda d, needed: [d])
        if predictions.ndim == 1:
            predictions = predictions[:, None]
        if not len(predictions):
            raise DataError("no pictures to judge: y_true and y_pred are empty")
        places = predictions.shape[:-1]
        by_place = self.reduction in ("sum", "none") or np.size(sample_weight) > len(predictions)
        each_place = by_place and predictions.ndim > 2 and not self.of_batch
        if each_place:
            given = y_true if _is_recorded(y_true) else numbers(y_true, len(predictions))
            y_true, predictions = _places(given, predictions)
        targets = self.targets_by_hand(y_true, predictions.shape[1:], len(predictions))
        if _is_recorded(y_true) and y_true.size == predictions.size:
            targets = np.reshape(y_true.astype(np.float32), predictions.shape)
        losses = self._losses(targets, self.scores(predictions))
        if each_place:
            losses = losses.reshape(places)
        if sample_weight is not None:
            weights = _weights(losses, sample_weight)
            losses = losses * (weights / np.mean(weights) if self.reduction == WEIGHTED else weights)
        if node_of(losses) is not None:
            kept = losses if self.reduction == "none" else getattr(losses, _WORDS[self.reduction])()
            return kept.astype(np.float32)
        if self.reduction == "none":
            return np.asarray(losses, np.float32)
        return Number(getattr(np, _WORDS[self.reduction])(losses, dtype=np.float64))

    def _losses(self, targets: Any, scores: Any) -> Any:
        """That of each picture, or the one of the batch; recorded where the scores, or the targets, are."""
        plain, given = np.asarray(scores), (scores, targets)
        losses, slopes = self.value_and_gradient(np.asarray(targets), plain)
        if self.of_batch:
            losses = losses[:1]
        nodes = [node_of(each) for each in given]
        if nodes == [None, None]:
            return losses

        def pull(d: Array, needed: Any) -> Sequence[Any]:
            if isinstance(d, Tensor) or any(needed[1:]) or nodes[0] is None:
                return self._pulled_by_calculation(d, *given)
            slope = slopes * (d.reshape(-1, *(1,) * (plain.ndim - 1)) * (1 if self.of_batch else len(plain)))
            return [slope, None][: len(needed)]  # slopes are of the mean

        return recorded(losses, [node for node in nodes if node is not None], pull)

    def _pulled_by_calculation(self, d: Any, scores: Any, targets: Any) -> list[Any]:
        """The gradients of those that are recorded; of a Tensor such that they have gradients themselves."""
        first = Node().order
        with recording():
            y = tensor(self.calculate(targets, scores))
        nodes = [node for each in (scores, targets) if (node := node_of(each)) is not None]
        found = gradients([(y.node, d.reshape(y.shape))], nodes, lambda order: order > first)
        return [found.get(node) for node in nodes]

    def calculate(self, targets: Any, scores: Any) -> Any:
        """The same losses by NumPy's functions, so that a tape goes through both, and through that gradient again.

        Shapes: as of `value_and_gradient`. Errors: ConfigError for a loss of one's own without `call`.
        """
        if self.call is None:
            raise ConfigError(
                f"{type(self).__name__}: the gradient for y_true, and a gradient of a gradient, need "
                "call(self, y_true, y_pred)"
            )
        return each_of_call(type(self).__name__, self.call, given_to_call(targets, scores), scores)

    def targets_by_hand(self, labels: Any, shape: Shape, count: int) -> Array:
        """Labels as `prepare_targets` makes them; a loss may take more where it is called by hand, as Keras's does."""
        return self.prepare_targets(labels, shape, examples=count)

    def scores(self, predictions: Array) -> Array:
        """What the joint activation makes these predictions of; they themselves where there is none."""
        return predictions

    def value_and_gradient(self, targets: Array, logits: Array, weights: Array | None = None) -> tuple[Array, Array]:
        """(losses, dlogits): losses[n], and d of mean(weights * losses), of targets as `prepare_targets` gives them.

        Shapes: logits (N,...), weights (N,) -> losses (N,), dlogits as logits.
        """
        if self.call is None:
            raise NotImplementedError(f"{type(self).__name__} has no value_and_gradient(targets, logits, weights)")
        return by_tape(type(self).__name__, self.call, given_to_call(targets, logits), logits, weights)

    def compared(self, targets: Array, logits: Array) -> tuple[Array, Array, Array] | None:
        """(given, wanted, counts), of which the gradient is made where it is (given - wanted) / counts; else None.

        Shapes: given, what the joint activation makes of the logits, and wanted as logits; counts (N,).
        """
        return None

    def prepare_targets(self, labels: Any, units: int | Shape, *, examples: int | None = None) -> Array:
        """Labels in any accepted form as the one the loss computes with; checked here, once, and not in every step.

        Shapes: units is the shape that comes out of the network, without the batch.
        Errors: DataError naming the first label at fault, or if there are not `examples` of them.
        """
        if self.call is None:
            raise NotImplementedError(f"{type(self).__name__} has no prepare_targets(labels, units)")
        return labels_for_call(labels, units, examples)

    def config(self) -> dict[str, Any]:
        """What `get` turns back into this loss, ready for JSON."""
        return {key: value for key, value in config_of(self).items() if key not in Common.__annotations__}

    def __repr__(self) -> str:
        arguments = (f"{name}={value!r}" for name, value in self.config().items() if name != "type")
        return f"{type(self).__name__}({', '.join(arguments)})"


def _places(labels: Array, predictions: Array) -> tuple[Array, Array]:
    """Each pixel as a picture of its own. Shapes: (N, H, W, K) -> (N * H * W, 1, 1, K), labels with or without K."""
    ones = (1,) * (predictions.ndim - 2)
    last = labels.shape[-1:] if labels.ndim == predictions.ndim else ()
    return labels.reshape(-1, *ones, *last), predictions.reshape(-1, *ones, predictions.shape[-1])


def _read(given: Any) -> Any:
    """What a variable is now; what is none as it is."""
    return given.read() if isinstance(given, Variable) else given


def _is_recorded(given: Any) -> bool:
    return is_recording() and node_of(given) is not None


def _weights(losses: Array, sample_weight: Any) -> Array:
    """One for each of the losses, from one for all, one for each picture, or one for each place."""
    known = _is_recorded(sample_weight)
    if np.ndim(sample_weight) == 0 and not known:
        return np.full(losses.shape, number(sample_weight, "sample_weight", -LARGEST))
    given = sample_weight if known else numbers(sample_weight, len(losses), "sample_weight")
    weights: Array = given.astype(np.float64)
    if weights.size == losses.size:
        return weights.reshape(losses.shape)
    if weights.size not in (1, len(losses)):
        raise ShapeError(f"sample_weight must be one number a picture, ({len(losses)},), got {weights.shape}")
    return np.broadcast_to(weights.reshape(-1, *(1,) * (losses.ndim - 1)), losses.shape)


class OwnLoss(Loss):
    """A function of (y_true, y_pred) that gives one number for each picture.

    It takes arrays, and what it does with them is NumPy's or `keras.ops`; a file of the model keeps its name alone.
    Errors: ConfigError for what is no function.
    """

    def __init__(self, function: Call) -> None:
        if not callable(function):
            raise ConfigError(f"OwnLoss: give a function of (y_true, y_pred), got {shown(function)}")
        super().__init__(name=getattr(function, "__name__", None))
        self.call = function
