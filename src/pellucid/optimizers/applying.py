"""Steps that a program takes itself: gradients, as a tape gave them, applied to variables."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.autodiff import Variable, recording
from pellucid.errors import ConfigError, ShapeError, shown
from pellucid.ops import Array

if TYPE_CHECKING:
    from pellucid.optimizers.optimizer import Optimizer


class Applied:
    """What an optimizer has come to by such steps: how many, and the moments of each variable by its key."""

    def __init__(self) -> None:
        self.step = 0
        self.moments: dict[Any, tuple[Any, dict[str, Array]]] = {}
        """With the variable's owner, which lives as long, so that no other takes its key."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Applied, ()  # keys are of this process


def apply_gradients(optimizer: Optimizer, applied: Applied, grads_and_vars: Iterable[Any]) -> None:
    """One step: clipping, the rule over each variable, then what bounds it.

    Errors: ConfigError where no variable has a gradient, and for what is no variable; ShapeError for a gradient of
    another shape.
    """
    pairs = [(None if d is None else np.asarray(d), variable) for d, variable in grads_and_vars]
    for _, variable in pairs:
        if not isinstance(variable, Variable):
            raise ConfigError(
                f"apply_gradients: takes (gradient, variable) pairs, got {shown(variable)} for a variable"
            )
    without = [variable.path for d, variable in pairs if d is None]
    if len(without) == len(pairs):
        raise ConfigError(
            f"apply_gradients: none of {shown(without)} has a gradient; the loss must be calculated from what the "
            "model gives, within the tape's block, and not through .numpy() or np.asarray"
        )
    if without:
        warnings.warn(
            f"apply_gradients: no gradient came to {', '.join(without)}, which stay as they are", stacklevel=3
        )
    given = [(np.array(d, variable.dtype), variable) for d, variable in pairs if d is not None]
    for d, variable in given:
        if d.shape != variable.shape:
            raise ShapeError(f"apply_gradients: {variable.path} has shape {variable.shape}, its gradient {d.shape}")
    with recording(False):
        optimizer.clip([d for d, _ in given])
        rate = optimizer.learning_rate_at(applied.step)
        applied.step += 1
        for d, variable in given:
            if variable.key not in applied.moments:
                applied.moments[variable.key] = variable.owner, optimizer.slots(d.size)
            param = np.ascontiguousarray(variable.array)
            decay = optimizer.weight_decay_of(variable.path)
            _, moments = applied.moments[variable.key]
            flat = param.reshape(-1)
            optimizer.update(flat, d.reshape(-1), moments, learning_rate=rate, step=applied.step, weight_decay=decay)
            variable.array[...] = flat.reshape(variable.shape)
            variable.bounded()
            variable.changed()
