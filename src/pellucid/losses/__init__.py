"""Losses: one number for each picture, and the gradient of their (weighted) mean.

Labels come first and predictions second, as in Keras. Called by hand, a loss takes what a network answers,
`BinaryCrossentropy()(y_true, y_pred)`: probabilities, or with `from_logits=True` the scores before them. In training it
always sees scores: where a model ends in softmax or sigmoid, that last step is left out and done here together with
the logarithm, which never overflows; `joint_activation` says which ending that is.

loss.py: what every loss is; formulas.py: those with kernels; rows.py: those without; functions.py: all as functions;
names.py: all by name; own.py: formulas of one's own; targets.py: labels as numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pellucid._arguments import described
from pellucid.errors import ConfigError, shown, unknown_name
from pellucid.losses import names
from pellucid.losses.formulas import CROSS_ENTROPIES as CROSS_ENTROPIES
from pellucid.losses.functions import FUNCTIONS as FUNCTIONS
from pellucid.losses.functions import LossFunction as LossFunction
from pellucid.losses.loss import Loss as Loss
from pellucid.losses.loss import OwnLoss as OwnLoss
from pellucid.losses.names import *  # noqa: F403 (each loss is named once, there)
from pellucid.losses.targets import class_numbers as class_numbers

CLASSES: dict[str, type[Loss]] = {name: value for name, value in vars(names).items() if isinstance(value, type)}
"""Every loss by its class's name."""
NAMES: dict[str, Callable[..., Loss]] = {
    "categorical_crossentropy": names.CategoricalCrossentropy,
    "sparse_categorical_crossentropy": names.CategoricalCrossentropy,
    "cross_entropy": names.CategoricalCrossentropy,
    "crossentropy": names.CategoricalCrossentropy,
    "map_criterion": names.MAPCriterion,
    **{name: function.make for name, function in FUNCTIONS.items() if "categorical_crossentropy" not in name},
    "mse": names.MeanSquaredError,
    "l2": names.MeanSquaredError,
    "mae": names.MeanAbsoluteError,
    "l1": names.MeanAbsoluteError,
    "mape": names.MeanAbsolutePercentageError,
    "msle": names.MeanSquaredLogarithmicError,
    "kld": names.KLDivergence,
    "kullback_leibler_divergence": names.KLDivergence,
    "logcosh": names.LogCosh,
    "huber_loss": names.Huber,
}
"""Every loss by its names."""

_BESIDE = (
    "CLASSES",
    "CROSS_ENTROPIES",
    "FUNCTIONS",
    "Loss",
    "LossFunction",
    "NAMES",
    "OwnLoss",
    "class_numbers",
    "get",
)
__all__ = sorted([*CLASSES, *_BESIDE])


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
        known: dict[str, Callable[..., Loss]] = {**{key.lower(): cls for key, cls in CLASSES.items()}, **NAMES}
        if name not in known:
            raise unknown_name("loss", spec, NAMES)
        return known[name]()
    if isinstance(spec, Mapping):
        return described("loss", spec, CLASSES)
    if callable(spec) and not isinstance(spec, type):
        return OwnLoss(spec)
    raise ConfigError(f"a loss is a name, such as mse, or a Loss, got {shown(spec)}")
