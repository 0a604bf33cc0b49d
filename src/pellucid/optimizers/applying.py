"""Steps that a program takes itself: gradients, as a tape gave them, applied to variables."""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.autodiff import Variable, recording
from pellucid.errors import ConfigError, ShapeError, shown
from pellucid.layers.variable import weights_of
from pellucid.ops import Array

if TYPE_CHECKING:
    from pellucid.optimizers.optimizer import Optimizer


def _nobody() -> None:
    """No model."""


class Applied:
    """What an optimizer has come to by such steps: how many, and the moments of each variable by its key.

    Of a model that was compiled with it, both are those that `fit` goes on with.
    """

    def __init__(self) -> None:
        self._step = 0
        self._moments: dict[Any, tuple[Any, dict[str, Array]]] = {}
        """With the variable's owner, which lives as long, so that no other takes its key."""
        self._model: Callable[[], Any] = _nobody
        self._segments: tuple[Any, dict[Any, Any]] = (None, {})
        """The model's parameters as they are laid out now, and the place in them of each variable by its key."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Applied, ()  # keys are of this process

    def belongs_to(self, model: Any) -> None:
        """Count steps, and keep moments, where `fit` of this model does."""
        self._model = weakref.ref(model)

    @property
    def step(self) -> int:
        """How many steps were taken."""
        model = self._model()
        return self._step if model is None else int(model.optimizer_state.step)

    @step.setter
    def step(self, step: int) -> None:
        model = self._model()
        if model is None:
            self._step = step
        else:
            model.optimizer_state.step = step

    def moments_of(self, variable: Any, fresh: Callable[[int], dict[str, Array]]) -> dict[str, Array]:
        """The moments of a variable, as vectors; fresh: makes those of so many numbers."""
        model = self._model()
        if model is not None and model.built:
            model.prepare_slots()
            if self._segments[0] is not model.parameters:
                self._segments = model.parameters, _segments(model)
            segment = self._segments[1].get(variable.key)
            if segment is not None:
                slots = model.optimizer_state.slots
                return {name: model.parameters.slot(slot, segment).reshape(-1) for name, slot in slots.items()}
        if variable.key not in self._moments:
            self._moments[variable.key] = variable.owner, fresh(variable.array.size)
        return self._moments[variable.key][1]

    def variables(self, fresh: Callable[[int], dict[str, Array]]) -> list[Variable]:
        """The moments of the model's weights as variables of their own, which are live."""
        model = self._model()
        weights = [
            w for layer in (model.flat_layers if model is not None else ()) for w in weights_of(layer) if w.trainable
        ]
        return [
            Variable.over(moment.reshape(weight.shape), f"{weight.path}/{name}")
            for weight in weights
            for name, moment in self.moments_of(weight, fresh).items()
        ]


def _segments(model: Any) -> dict[Any, Any]:
    found = {}
    for layer in model.flat_layers:
        segments = model.parameters.of(layer)
        for name, weight in zip(layer.params, weights_of(layer), strict=False):
            if name in segments and segments[name].trainable:
                found[weight.key] = segments[name]
    return found


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
            variable.changing()
            param = np.ascontiguousarray(variable.array)
            decay = optimizer.weight_decay_of(variable.path)
            moments = applied.moments_of(variable, optimizer.slots)
            flat = param.reshape(-1)
            optimizer.update(flat, d.reshape(-1), moments, learning_rate=rate, step=applied.step, weight_decay=decay)
            variable.array[...] = flat.reshape(variable.shape)
            variable.bounded()
            variable.changed()
