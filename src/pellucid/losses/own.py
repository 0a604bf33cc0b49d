"""A function of one's own as a loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pellucid.errors import ConfigError, shown
from pellucid.losses.loss import Loss


class OwnLoss(Loss):
    """A function of (y_true, y_pred) that gives one number for each picture; its gradient is found by differences.

    It takes arrays, and what it does with them is NumPy's; a file of the model keeps its name alone.
    Errors: ConfigError for what is no function.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        if not callable(function):
            raise ConfigError(f"OwnLoss: give a function of (y_true, y_pred), got {shown(function)}")
        super().__init__(name=getattr(function, "__name__", None))
        self.call = function
