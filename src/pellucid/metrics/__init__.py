"""How well predictions fit labels. Labels come first, as in Keras and scikit-learn.

functions.py: of whole arrays, `accuracy(labels, predictions)`. The others are objects, Keras's, which take batch after
batch: metric.py says what they are; means.py: means over pictures; confusion.py: counts of right and wrong; overlap.py:
intersection over union; constrained.py: the best threshold; regression.py: numbers beside each other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pellucid._arguments import described
from pellucid.errors import ConfigError, shown, unknown_name
from pellucid.metrics import functions, names
from pellucid.metrics.functions import *  # noqa: F403 (each is named there)
from pellucid.metrics.means import MeanMetricWrapper as MeanMetricWrapper
from pellucid.metrics.metric import Metric as Metric
from pellucid.metrics.metric import snake_case
from pellucid.metrics.names import *  # noqa: F403 (each object is named once, there)

OBJECTS: dict[str, type[Metric]] = {name: value for name, value in vars(names).items() if isinstance(value, type)}
"""Keras's classes by name."""

__all__ = sorted([*OBJECTS, *functions.__all__, "MeanMetricWrapper", "Metric", "OBJECTS", "get"])

NAMES: dict[str, type[Metric]] = {
    **{cls.named or snake_case(name): cls for name, cls in OBJECTS.items()},
    "mse": names.MeanSquaredError,
    "mae": names.MeanAbsoluteError,
    "mape": names.MeanAbsolutePercentageError,
    "msle": names.MeanSquaredLogarithmicError,
    "rmse": names.RootMeanSquaredError,
    "log_cosh": names.LogCoshError,
}
"""Every metric that is an object, by its names."""
USUAL = ("accuracy", "auc", "f1_score", "mae", "mean_io_u", "mse", "precision", "recall")
"""Those that an error names."""


def get(spec: str | Metric | Callable[..., Any] | Mapping[str, Any]) -> Metric:
    """The metric that `spec` names: a name, a Metric, a function of (y_true, y_pred), or a stored config.

    Errors: ConfigError for an unknown name or anything else, and for a metric that must be given arguments.
    """
    if isinstance(spec, Metric):
        return spec
    if isinstance(spec, type) and issubclass(spec, Metric):
        return spec()
    if isinstance(spec, str):
        known = {**{name.lower(): cls for name, cls in OBJECTS.items()}, **NAMES}
        cls = known.get(spec) or known.get(spec.lower())
        if cls is None:
            raise unknown_name("metric", spec, USUAL)
        return cls(name=spec)
    if isinstance(spec, Mapping):
        if spec.get("type") not in OBJECTS:
            raise ConfigError(f"a stored metric says its type, such as AUC, got {shown(spec.get('type'))}")
        return described("metric", spec, OBJECTS)
    if callable(spec) and not isinstance(spec, type):
        return MeanMetricWrapper(spec)
    raise ConfigError(f"a metric is a name, a Metric or a function of (y_true, y_pred), got {shown(spec)}")
