"""Keras's functions of losses, `mean_squared_error(y_true, y_pred)`: the loss of each picture, or pixel, by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pellucid.autodiff import tensor
from pellucid.losses import formulas, rows
from pellucid.losses.loss import Loss, calculated_later


class LossFunction:
    """A loss as a function of labels and answers; also taken by `compile(loss=...)`, as the loss itself.

    Arguments are the loss's. Shapes: y_true in any form that `fit` takes, y_pred (N,...,K) -> (N,...).
    """

    def __init__(self, name: str, make: Callable[..., Loss]) -> None:
        self.__name__, self.make = name, make

    def __call__(self, y_true: Any, y_pred: Any, *, axis: Any = -1, **arguments: Any) -> Any:
        """axis: the last one, or several with it, of which the loss is the mean."""
        if (later := calculated_later(self, (y_true, y_pred), {"axis": axis, **arguments})) is not None:
            return later
        if np.ndim(y_pred) == 1:  # one row, as in Keras
            alone: Any = self.make(**arguments, reduction="none")(tensor(y_true)[None], tensor(y_pred)[None])
            return alone[0]
        losses: Any = self.make(**arguments, reduction="none")(y_true, y_pred)
        axes = {each % np.ndim(y_pred) for each in np.atleast_1d(axis)} - {np.ndim(y_pred) - 1}
        return np.mean(losses, axis=tuple(sorted(axes))) if axes else losses

    def __repr__(self) -> str:
        return f"<function pellucid.losses.{self.__name__}>"


binary_crossentropy = LossFunction("binary_crossentropy", formulas.BinaryCrossentropy)
categorical_crossentropy = LossFunction("categorical_crossentropy", formulas.CategoricalCrossentropy)
sparse_categorical_crossentropy = LossFunction(
    "sparse_categorical_crossentropy", formulas.SparseCategoricalCrossentropy
)
mean_squared_error = LossFunction("mean_squared_error", formulas.MeanSquaredError)
mean_absolute_error = LossFunction("mean_absolute_error", formulas.MeanAbsoluteError)
mean_absolute_percentage_error = LossFunction("mean_absolute_percentage_error", rows.MeanAbsolutePercentageError)
mean_squared_logarithmic_error = LossFunction("mean_squared_logarithmic_error", rows.MeanSquaredLogarithmicError)
huber = LossFunction("huber", rows.Huber)
log_cosh = LossFunction("log_cosh", rows.LogCosh)
poisson = LossFunction("poisson", rows.Poisson)
hinge = LossFunction("hinge", rows.Hinge)
squared_hinge = LossFunction("squared_hinge", rows.SquaredHinge)
categorical_hinge = LossFunction("categorical_hinge", rows.CategoricalHinge)
kl_divergence = LossFunction("kl_divergence", rows.KLDivergence)
cosine_similarity = LossFunction("cosine_similarity", rows.CosineSimilarity)
binary_focal_crossentropy = LossFunction("binary_focal_crossentropy", rows.BinaryFocalCrossentropy)
categorical_focal_crossentropy = LossFunction("categorical_focal_crossentropy", rows.CategoricalFocalCrossentropy)
categorical_generalized_cross_entropy = LossFunction(
    "categorical_generalized_cross_entropy", rows.CategoricalGeneralizedCrossEntropy
)
dice = LossFunction("dice", rows.Dice)
tversky = LossFunction("tversky", rows.Tversky)

FUNCTIONS = {value.__name__: value for value in list(vars().values()) if isinstance(value, LossFunction)}
"""Each by its name."""
