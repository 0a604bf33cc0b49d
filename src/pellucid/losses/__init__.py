"""Losses: one number for each picture, and the gradient of their (weighted) mean.

Labels come first and predictions second, as in Keras. Called by hand, a loss takes what a network answers,
`BinaryCrossentropy()(y_true, y_pred)`: probabilities, or with `from_logits=True` the scores before them. In training it
always sees scores: where a model ends in softmax or sigmoid, that last step is left out and done here together with
the logarithm, which never overflows; `joint_activation` says which ending that is.

loss.py: what every loss is; formulas.py: those with kernels; rows.py: those without; functions.py: all as functions;
own.py: formulas of one's own; targets.py: labels as numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pellucid._arguments import described
from pellucid.errors import ConfigError, shown, unknown_name
from pellucid.losses.formulas import (
    CROSS_ENTROPIES,
    BinaryCrossentropy,
    CategoricalCrossentropy,
    MAPCriterion,
    MeanAbsoluteError,
    MeanSquaredError,
    SparseCategoricalCrossentropy,
)
from pellucid.losses.functions import FUNCTIONS, LossFunction
from pellucid.losses.loss import Loss, OwnLoss
from pellucid.losses.rows import (
    ROW_LOSSES,
    BinaryFocalCrossentropy,
    CategoricalFocalCrossentropy,
    CategoricalHinge,
    CosineSimilarity,
    Dice,
    Hinge,
    Huber,
    KLDivergence,
    LogCosh,
    MeanAbsolutePercentageError,
    MeanSquaredLogarithmicError,
    Poisson,
    SquaredHinge,
    Tversky,
)
from pellucid.losses.targets import class_numbers

__all__ = [
    "CROSS_ENTROPIES", "FUNCTIONS", "NAMES", "BinaryCrossentropy", "BinaryFocalCrossentropy", "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy", "CategoricalHinge", "CosineSimilarity", "Dice", "Hinge", "Huber", "KLDivergence",
    "LogCosh", "Loss", "LossFunction", "MAPCriterion", "MeanAbsoluteError", "MeanAbsolutePercentageError",
    "MeanSquaredError", "MeanSquaredLogarithmicError", "OwnLoss", "Poisson", "SparseCategoricalCrossentropy",
    "SquaredHinge", "Tversky", "class_numbers", "get",
]  # fmt: skip

_ALL: tuple[type[Loss], ...] = (
    *CROSS_ENTROPIES, MAPCriterion, BinaryCrossentropy, MeanSquaredError, MeanAbsoluteError, *ROW_LOSSES,
)  # fmt: skip
_CLASSES: dict[str, type[Loss]] = {cls.__name__: cls for cls in _ALL}
NAMES: dict[str, Callable[..., Loss]] = {
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
"""Every loss with a kernel by its names; `get` knows the others, too."""
_OTHERS: dict[str, Callable[..., Loss]] = {
    **{name: function.make for name, function in FUNCTIONS.items()},
    "mape": MeanAbsolutePercentageError,
    "msle": MeanSquaredLogarithmicError,
    "kld": KLDivergence,
    "kullback_leibler_divergence": KLDivergence,
    "logcosh": LogCosh,
    "huber_loss": Huber,
}


def get(spec: str | Loss | Callable[..., Any] | Mapping[str, Any]) -> Loss:
    """The loss that `spec` names: a name in any case, a Loss, a function of (y_true, y_pred), or a stored config.

    Errors: ConfigError for an unknown name or anything else.
    """
    if isinstance(spec, Loss):
        return spec
    if isinstance(spec, type) and issubclass(spec, Loss):
        return spec()
    if isinstance(spec, LossFunction):
        return spec.make()
    if isinstance(spec, str):
        name = spec.lower().replace("-", "_").replace("binary_cross_entropy", "binary_crossentropy")
        name = name.replace("categorical_cross_entropy", "categorical_crossentropy")
        known: dict[str, Callable[..., Loss]] = {
            **{cls_name.lower(): cls for cls_name, cls in _CLASSES.items()},
            **_OTHERS,
            **NAMES,
        }
        if name not in known:
            raise unknown_name("loss", spec, NAMES)
        return known[name]()
    if isinstance(spec, Mapping):
        return described("loss", spec, _CLASSES)
    if callable(spec) and not isinstance(spec, type):
        return OwnLoss(spec)
    raise ConfigError(f"a loss is a name or a Loss, got {shown(spec)}; known names: {', '.join(NAMES)}")
