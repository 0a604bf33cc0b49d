"""Keras's losses: ours, by Keras's names."""

from __future__ import annotations

from typing import Any as _Any

import numpy as _np

from pellucid import _modules
from pellucid.keras import nn_ops as _nn_ops
from pellucid.keras import serialized as _serialized
from pellucid.losses import Loss as Loss
from pellucid.losses import get as get
from pellucid.losses.names import *  # noqa: F403 (each loss is named once, there)
from pellucid.losses.names import (
    kl_divergence,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
)

mse = MSE = mean_squared_error
mae = MAE = mean_absolute_error
mape = MAPE = mean_absolute_percentage_error
msle = MSLE = mean_squared_logarithmic_error
kld = KLD = kullback_leibler_divergence = kl_divergence
logcosh = log_cosh


class Reduction:
    """Names of what becomes of the losses of a batch."""

    AUTO = SUM_OVER_BATCH_SIZE = "sum_over_batch_size"
    NONE, SUM = "none", "sum"


def ctc(y_true: _Any, y_pred: _Any) -> _Any:
    """-log of the probability of each word, of scores of each step; 0 is the blank, and ends a word that is shorter.

    Shapes: y_true (N,L), y_pred (N,T,K) -> (N,).
    """
    lengths, steps = _np.sum(_np.asarray(y_true) != 0, axis=1), _np.shape(y_pred)[1]
    return _nn_ops.ctc_loss(y_true, y_pred, lengths, _np.full(len(lengths), steps))


def _config(loss: Loss) -> dict[str, object]:
    named = {} if loss.name is None else {"name": loss.name}
    return {**loss.config(), **named, "reduction": loss.reduction}


serialize, deserialize = _serialized.serializers("keras.losses", Loss, get, config=_config)
__all__ = _modules.listed(globals())
