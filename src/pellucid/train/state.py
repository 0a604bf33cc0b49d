"""How far a training is, as values: what the optimizer has come to, which the model keeps, and the place in one run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from pellucid._arguments import record
from pellucid._fixed import Fixed
from pellucid.ops.geometry import Array, whole
from pellucid.train.history import History


class OptimizerState(Fixed):
    """What a model keeps of its training, so that a second `fit` goes on where the first one ended.

    slots: the optimizer's moments, by name, each a vector over the trainable parameters; step: how many it has taken
    since `compile`; num_epochs: passes over pictures, by which their order goes.
    Errors: ConfigError for a value that is none.
    """

    assignable = frozenset({"slots", "step", "num_epochs"})
    checks: ClassVar[Mapping[str, Callable[[Any, Any], Any]]] = {
        "slots": lambda _, value: record(value, "optimizer_state: slots"),
        "step": lambda _, value: whole(value, "optimizer_state: step", 2**62, least=0),
        "num_epochs": lambda _, value: whole(value, "optimizer_state: num_epochs", 2**62, least=0),
    }

    def __init__(self) -> None:
        self.slots: dict[str, Array] = {}
        self.step = self.num_epochs = 0

    def restart(self) -> None:
        """Forget the moments and the steps: another optimizer begins."""
        self.slots, self.step = {}, 0


@dataclass
class TrainingState:
    """How far one training is.

    epoch: finished ones, and the number of the one in hand; batch: its steps that are done. totals: sums over the
    pictures of that epoch so far; learning_rate: of the last step. best: accuracy (of pixels mean IoU)
    and negative loss of the best epoch.
    Units: elapsed_s of that epoch's steps; waited_s of it for pictures.
    """

    optimizer: OptimizerState
    epoch: int = 0
    batch: int = 0
    totals: Array = field(default_factory=lambda: np.zeros(3))
    learning_rate: float = 0.0
    elapsed_s: float = 0.0
    waited_s: float = 0.0
    history: History = field(default_factory=History)
    best: tuple[float, float] = (-np.inf, -np.inf)

    def end_epoch(self) -> None:
        """Count the epoch in hand as finished."""
        self.optimizer.num_epochs += 1
        self.epoch, self.batch, self.totals = self.epoch + 1, 0, np.zeros_like(self.totals)
        self.elapsed_s = self.waited_s = 0.0
