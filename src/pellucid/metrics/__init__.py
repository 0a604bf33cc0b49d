"""How well predictions fit labels. Labels come first, as in Keras and scikit-learn.

functions.py: of whole arrays, `accuracy(labels, predictions)`. The others are objects, Keras's, which take batch after
batch: metric.py says what they are; means.py: means over pictures; confusion.py: counts of right and wrong; overlap.py:
intersection over union.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pellucid._arguments import described
from pellucid.errors import ConfigError, shown, unknown_name
from pellucid.metrics.confusion import (
    AUC,
    F1Score,
    FalseNegatives,
    FalsePositives,
    FBetaScore,
    Precision,
    Recall,
    TrueNegatives,
    TruePositives,
)
from pellucid.metrics.functions import (
    MAX_CLASSES,
    THRESHOLD,
    Calibration,
    accuracy,
    calibration,
    classes_of,
    confident_mistakes,
    confusion_matrix,
    exact_match,
    f1_of,
    iou,
    iou_of,
    label_counts,
    mean_iou,
    pixel_accuracy,
    pixel_counts,
    precision,
    recall,
    top_k,
)
from pellucid.metrics.means import (
    Accuracy,
    BinaryAccuracy,
    BinaryCrossentropy,
    CategoricalAccuracy,
    CategoricalCrossentropy,
    CategoricalHinge,
    CosineSimilarity,
    Hinge,
    KLDivergence,
    LogCoshError,
    Mean,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanMetricWrapper,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    Poisson,
    RootMeanSquaredError,
    SparseCategoricalAccuracy,
    SparseCategoricalCrossentropy,
    SparseTopKCategoricalAccuracy,
    SquaredHinge,
    Sum,
    TopKCategoricalAccuracy,
)
from pellucid.metrics.metric import Metric, snake_case
from pellucid.metrics.overlap import BinaryIoU, IoU, MeanIoU, OneHotIoU, OneHotMeanIoU

OBJECTS: tuple[type[Metric], ...] = (
    AUC, Accuracy, BinaryAccuracy, BinaryCrossentropy, BinaryIoU, CategoricalAccuracy, CategoricalCrossentropy,
    CategoricalHinge, CosineSimilarity, F1Score, FBetaScore, FalseNegatives, FalsePositives, Hinge, IoU, KLDivergence,
    LogCoshError, Mean, MeanAbsoluteError, MeanAbsolutePercentageError, MeanIoU, MeanSquaredError,
    MeanSquaredLogarithmicError, OneHotIoU, OneHotMeanIoU, Poisson, Precision, Recall, RootMeanSquaredError,
    SparseCategoricalAccuracy, SparseCategoricalCrossentropy, SparseTopKCategoricalAccuracy, SquaredHinge, Sum,
    TopKCategoricalAccuracy, TrueNegatives, TruePositives,
)  # fmt: skip
"""Keras's classes."""

__all__ = [
    "AUC",
    "MAX_CLASSES",
    "OBJECTS",
    "THRESHOLD",
    "Accuracy",
    "BinaryAccuracy",
    "BinaryCrossentropy",
    "BinaryIoU",
    "Calibration",
    "CategoricalAccuracy",
    "CategoricalCrossentropy",
    "CategoricalHinge",
    "CosineSimilarity",
    "F1Score",
    "FBetaScore",
    "FalseNegatives",
    "FalsePositives",
    "Hinge",
    "IoU",
    "KLDivergence",
    "LogCoshError",
    "Mean",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanIoU",
    "MeanMetricWrapper",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Metric",
    "OneHotIoU",
    "OneHotMeanIoU",
    "Poisson",
    "Precision",
    "Recall",
    "RootMeanSquaredError",
    "SparseCategoricalAccuracy",
    "SparseCategoricalCrossentropy",
    "SparseTopKCategoricalAccuracy",
    "SquaredHinge",
    "Sum",
    "TopKCategoricalAccuracy",
    "TrueNegatives",
    "TruePositives",
    "accuracy",
    "calibration",
    "classes_of",
    "confident_mistakes",
    "confusion_matrix",
    "exact_match",
    "f1_of",
    "get",
    "iou",
    "iou_of",
    "label_counts",
    "mean_iou",
    "pixel_accuracy",
    "pixel_counts",
    "precision",
    "recall",
    "top_k",
]  # fmt: skip

NAMES: dict[str, type[Metric]] = {
    **{cls.named or snake_case(cls.__name__): cls for cls in OBJECTS},
    "mse": MeanSquaredError,
    "mae": MeanAbsoluteError,
    "mape": MeanAbsolutePercentageError,
    "msle": MeanSquaredLogarithmicError,
    "rmse": RootMeanSquaredError,
    "log_cosh": LogCoshError,
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
        known = {**{cls.__name__.lower(): cls for cls in OBJECTS}, **NAMES}
        cls = known.get(spec) or known.get(spec.lower())
        if cls is None:
            raise unknown_name("metric", spec, USUAL)
        return cls(name=spec) if cls is not Mean else cls(spec)
    if isinstance(spec, Mapping):
        if not any(cls.__name__ == spec.get("type") for cls in OBJECTS):
            raise ConfigError(f"a stored metric says its type, such as AUC, got {shown(spec.get('type'))}")
        return described("metric", spec, {cls.__name__: cls for cls in OBJECTS})
    if callable(spec) and not isinstance(spec, type):
        return MeanMetricWrapper(spec)
    raise ConfigError(f"a metric is a name, a Metric or a function of (y_true, y_pred), got {shown(spec)}")
