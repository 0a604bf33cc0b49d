"""A number of the logs that a callback watches, and whether it got better."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import Any

from pellucid.errors import ConfigError, shown, unknown_name
from pellucid.ops.geometry import number
from pellucid.train.history import ACCURACY_NAMES, SHARES, named

RISING = (*SHARES, *ACCURACY_NAMES, "auc", "precision", "recall", "score", "iou", "io_u", "cosine_similarity")
"""How the names of numbers end that are better where they are higher; all others should fall."""

MODES = ("auto", "min", "max")


class Watched:
    """A number of the logs, such as "val_loss".

    mode: "max" where it should rise, "min" where it should fall, "auto" by its name. min_delta: by how much.
    Errors: ConfigError for arguments.
    """

    def __init__(self, monitor: Any, mode: Any = "auto", min_delta: float = 0.0) -> None:
        if not isinstance(monitor, str):
            raise ConfigError(
                f'monitor must be a name such as "val_loss", got {shown(monitor)}; did you mean patience?'
            )
        if mode not in MODES:
            raise ConfigError(f"mode must be one of {', '.join(MODES)}, got {shown(mode)}")
        self.name = monitor
        self.rises = monitor.endswith(RISING) if mode == "auto" else mode == "max"
        self._min_delta = abs(number(min_delta, "min_delta", -math.inf))

    @property
    def worst(self) -> float:
        """What everything is better than."""
        return -math.inf if self.rises else math.inf

    def value(self, logs: Mapping[str, float], model: Any) -> float:
        """The number. Errors: ConfigError where it is not measured."""
        names = getattr(model, "metric_names", ACCURACY_NAMES[:1])
        known = {**named(logs, ACCURACY_NAMES), **named(logs, names)}
        if self.name not in known:
            raise unknown_name("number to monitor", self.name, named(logs, names))
        return known[self.name]

    def value_or_warn(self, logs: Mapping[str, float], model: Any, who: str) -> float | None:
        """The number; None, and a warning as in Keras, where it is not measured."""
        try:
            return self.value(logs, model)
        except ConfigError as error:
            warnings.warn(f"{who} does nothing: {error}", stacklevel=2)
            return None

    def better(self, value: float, best: float) -> bool:
        """Whether it is better than the best by more than min_delta."""
        return value - self._min_delta > best if self.rises else value + self._min_delta < best
