"""Keras's losses: ours, by Keras's names."""

from __future__ import annotations

from pellucid import _modules
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


def _config(loss: Loss) -> dict[str, object]:
    named = {} if loss.name is None else {"name": loss.name}
    return {**loss.config(), **named, "reduction": loss.reduction}


serialize, deserialize = _serialized.serializers("keras.losses", Loss, get, config=_config)
__all__ = _modules.listed(globals())
