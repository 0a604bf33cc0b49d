"""Keras's metrics: ours, by Keras's names."""

from __future__ import annotations

from typing import Any as _Any

import numpy as _np

from pellucid import _modules
from pellucid.keras import serialized as _serialized
from pellucid.losses.names import binary_crossentropy as binary_crossentropy
from pellucid.losses.names import binary_focal_crossentropy as binary_focal_crossentropy
from pellucid.losses.names import categorical_crossentropy as categorical_crossentropy
from pellucid.losses.names import categorical_focal_crossentropy as categorical_focal_crossentropy
from pellucid.losses.names import categorical_hinge as categorical_hinge
from pellucid.losses.names import hinge as hinge
from pellucid.losses.names import huber as huber
from pellucid.losses.names import kl_divergence as kl_divergence
from pellucid.losses.names import log_cosh as log_cosh
from pellucid.losses.names import (
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
)
from pellucid.losses.names import poisson as poisson
from pellucid.losses.names import sparse_categorical_crossentropy as sparse_categorical_crossentropy
from pellucid.losses.names import squared_hinge as squared_hinge
from pellucid.metrics import ConcordanceCorrelation as ConcordanceCorrelation
from pellucid.metrics import MeanMetricWrapper as MeanMetricWrapper
from pellucid.metrics import Metric as Metric
from pellucid.metrics import PearsonCorrelation as PearsonCorrelation
from pellucid.metrics import get as get
from pellucid.metrics.means import binary_accuracy as binary_accuracy
from pellucid.metrics.means import categorical_accuracy as categorical_accuracy
from pellucid.metrics.means import sparse_categorical_accuracy as sparse_categorical_accuracy
from pellucid.metrics.means import sparse_top_k_categorical_accuracy as sparse_top_k_categorical_accuracy
from pellucid.metrics.means import top_k_categorical_accuracy as top_k_categorical_accuracy
from pellucid.metrics.names import *  # noqa: F403 (each object is named once, there)

mse = MSE = mean_squared_error
mae = MAE = mean_absolute_error
mape = MAPE = mean_absolute_percentage_error
msle = MSLE = mean_squared_logarithmic_error


def pearson_correlation(y_true: _Any, y_pred: _Any, axis: int = -1) -> _Any:
    """The correlation of label and answer along an axis."""
    return PearsonCorrelation().values(*(_np.moveaxis(_np.asarray(each), axis, -1) for each in (y_true, y_pred)))


def concordance_correlation(y_true: _Any, y_pred: _Any, axis: int = -1) -> _Any:
    """The same with what means and spreads are apart taken off."""
    return ConcordanceCorrelation().values(*(_np.moveaxis(_np.asarray(each), axis, -1) for each in (y_true, y_pred)))


serialize, deserialize = _serialized.serializers("keras.metrics", Metric, get)
__all__ = _modules.listed(globals())
