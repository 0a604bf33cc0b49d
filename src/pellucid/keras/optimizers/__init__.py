"""Keras's optimizers: ours, by Keras's names.

Weight decay is Keras's, which shrinks the weights beside the step: Adam with it is AdamW; the others refuse it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from pellucid import optimizers
from pellucid.errors import ConfigError, shown
from pellucid.keras.optimizers import schedules
from pellucid.optimizers import AdamW, Optimizer, get

__all__ = [
    "SGD", "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "Lion", "Nadam", "Optimizer", "RMSprop", "adadelta",
    "adagrad", "adam", "adamax", "get", "nadam", "rmsprop", "schedules", "sgd",
]  # fmt: skip


def Adam(*args: Any, weight_decay: float | None = None, **named: Any) -> Optimizer:
    """Adam, or with weight_decay AdamW. Errors: ConfigError as theirs."""
    if weight_decay is None:
        return optimizers.Adam(*args, **named)
    given = dict(zip(("learning_rate", "beta_1", "beta_2", "epsilon"), args, strict=False))
    return AdamW(weight_decay=weight_decay, **given, **named)


def _without_decay(make: Callable[..., Optimizer]) -> Callable[..., Optimizer]:
    @functools.wraps(make, updated=())
    def made(*args: Any, weight_decay: float | None = None, **named: Any) -> Optimizer:
        if weight_decay is not None:
            raise ConfigError(
                f"{make.__name__}: weight_decay={shown(weight_decay)} beside the step is AdamW's alone here; use "
                "keras.optimizers.AdamW, or kernel_regularizer=keras.regularizers.L2(...) in the layers"
            )
        return make(*args, **named)

    return made


SGD = _without_decay(optimizers.SGD)
RMSprop = _without_decay(optimizers.RMSprop)
Adagrad = _without_decay(optimizers.Adagrad)
Adadelta = _without_decay(optimizers.Adadelta)
Adamax = _without_decay(optimizers.Adamax)
Nadam = _without_decay(optimizers.Nadam)
Lion = _without_decay(optimizers.Lion)

adam, sgd, rmsprop, adagrad, adadelta, adamax, nadam = Adam, SGD, RMSprop, Adagrad, Adadelta, Adamax, Nadam
"""As they were called before Keras 2.4."""
