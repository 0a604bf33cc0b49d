"""Losses calculated from a network's values: `model.add_loss`, and loss functions that read such values."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from types import FunctionType
from typing import Any

import numpy as np

from pellucid.errors import ConfigError
from pellucid.keras.deferred import Deferred, Run
from pellucid.keras.nesting import Call, within
from pellucid.layers.recorded import RecordedLayer
from pellucid.layers.symbolic import Symbolic, call


class Watch(RecordedLayer):
    """Gives the first of the values it reads, and has the others for losses that are calculated from them.

    It stands at the end of a network to whose loss they are added, or whose loss reads them.
    """

    merges = True

    def __init__(self, values: Sequence[Any], losses: Sequence[Deferred] = ()) -> None:
        super().__init__()
        self._watched, self._losses = list(values), list(losses)
        self.added_losses: list[Any] = []
        self._now: list[Any] = []

    def _compute(self, inputs: Any) -> Any:
        self._now = list(zip(self._watched, inputs, strict=True))
        self.added_losses = [self.of(loss) for loss in self._losses]
        return inputs[0]

    adds_to_loss = True
    """Whether `fit` takes its steps by a tape for it."""

    def of(self, loss: Any) -> Any:
        """What a loss comes to for the batch that went through last."""
        return Run(self._now).put_in(loss)

    def config(self) -> dict[str, Any]:
        raise ConfigError(f"{self.place()} is part of a loss, which no file keeps; save_weights keeps the weights")


class OfBatch:
    """A loss of (y_true, y_pred) that a program calculates from other values of the network, too, as one of arrays; it
    may be one number for the whole batch."""

    def __init__(self, loss: Any, watch: Watch) -> None:
        self._loss, self._watch, self.__name__ = loss, watch, loss.__name__

    def __call__(self, y_true: Any, y_pred: Any) -> Any:
        return self._watch.of(self._loss(y_true, y_pred))


def values_read(function: Any) -> list[Any]:
    """The values of a network that a function of a program reads by their names."""
    if not isinstance(function, FunctionType):
        return []
    read = inspect.getclosurevars(function)
    return [value for value in (*read.nonlocals.values(), *read.globals.values()) if isinstance(value, Symbolic)]


def with_losses(answer: Any, losses: Sequence[Any], values: Sequence[Any] = ()) -> Any:
    """A network's value as it is, with a `Watch` behind it that reads these values, too, and has these losses."""
    each = [Deferred(np.mean, [loss]) for loss in losses]
    read = {id(value): value for value in (*values, *(leaf for loss in each for leaf in loss.leaves()))}
    watched = list(read.values()) or [answer]
    with within(Call()):
        return call(Watch([answer, *watched], each), [answer, *watched])
