"""What every loss is: a number for each picture with its gradient, in training; called by hand, Keras's mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from pellucid._fixed import Fixed, Taken, config_of
from pellucid.errors import DataError, ShapeError
from pellucid.losses.targets import numbers
from pellucid.ops import Array, Shape, float32_array


class Loss(Fixed):
    """A loss of your own needs `value_and_gradient` and `prepare_targets`, and no more.

    Keras's `name`, and its `reduction`, `axis` and `dtype` at their defaults, are taken and change nothing.
    Errors: ConfigError for arguments that there are not.
    """

    taken: ClassVar[Mapping[str, Taken]] = {
        "name": lambda value: value is None or isinstance(value, str),
        "reduction": lambda value: isinstance(value, str) and value in ("sum_over_batch_size", "auto"),
        "axis": lambda value: type(value) is int and value == -1,
        "dtype": lambda value: value is None or (isinstance(value, str) and value == "float32"),
    }

    joint_activation: str | None = None
    """The final activation that belongs to this loss: "softmax", "sigmoid", or None."""

    def __init__(self) -> None:  # object's own takes whatever it is given
        super().__init__()

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> float:
        """The mean of sample_weight * losses, of labels and of what a network answers for them, as in Keras.

        Shapes: y_true in any form that `fit` takes; y_pred (N, ...); sample_weight (N,) or (N, 1).
        Errors: DataError for labels, or anything but real numbers; ShapeError where sizes do not fit together.
        """
        predictions = float32_array(numbers(y_pred, None, "y_pred"), "y_pred")
        if predictions.ndim == 1:
            predictions = predictions[:, None]
        targets = self.prepare_targets(y_true, predictions.shape[1:], examples=len(predictions))
        if not len(predictions):
            raise DataError("no pictures to judge: y_true and y_pred are empty")
        losses, _ = self.value_and_gradient(targets, self.scores(predictions))
        if sample_weight is not None:
            weights = numbers(sample_weight, len(predictions), "sample_weight").astype(np.float64)
            if weights.size != len(losses):
                raise ShapeError(f"sample_weight must be one number a picture, ({len(losses)},), got {weights.shape}")
            losses = losses * weights.reshape(-1)
        return float(np.mean(losses, dtype=np.float64))

    def scores(self, predictions: Array) -> Array:
        """What the joint activation makes these predictions of; they themselves where there is none."""
        return predictions

    def value_and_gradient(self, targets: Array, logits: Array, weights: Array | None = None) -> tuple[Array, Array]:
        """(losses, dlogits): losses[n], and d of mean(weights * losses), of targets as `prepare_targets` gives them.

        Shapes: logits (N,...), weights (N,) -> losses (N,), dlogits as logits.
        """
        raise NotImplementedError(f"{type(self).__name__} has no value_and_gradient(targets, logits, weights)")

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
        raise NotImplementedError

    def config(self) -> dict[str, Any]:
        """What `get` turns back into this loss, ready for JSON."""
        return config_of(self)

    def __repr__(self) -> str:
        arguments = (f"{name}={value!r}" for name, value in self.config().items() if name != "type")
        return f"{type(self).__name__}({', '.join(arguments)})"
