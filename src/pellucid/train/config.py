"""What a run is asked to do, in one object that goes into its log."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pellucid.errors import ConfigError, shown


@dataclass(frozen=True)
class TrainConfig:
    """How to train; the model says what, the data on what.

    Units: epochs counts whole passes; patience is epochs without improvement before stopping (None: never).
    augment: "none" or "standard" (see datasets.transforms). class_weight: None, "balanced" or {class index: weight}.
    cache_features: compute the outputs of frozen first layers once for all epochs, where that changes no number.
    """

    epochs: int = 1
    batch_size: int = 32
    shuffle: bool = True
    seed: int = 0
    patience: int | None = None
    augment: str = "none"
    class_weight: dict[int, float] | str | None = None
    cache_features: bool = True

    def __post_init__(self) -> None:
        for name, least in (("epochs", 0), ("batch_size", 1), ("seed", 0)):
            value = getattr(self, name)
            if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < least:
                raise ConfigError(f"{name} must be a whole number of at least {least}, got {shown(value)}")
            object.__setattr__(self, name, int(value))
        if self.seed >= 2**32:
            raise ConfigError(f"seed must be below 2^32, got {self.seed}")
        if self.patience is not None and self.patience < 1:
            raise ConfigError(
                f"patience must be at least 1 epoch, got {self.patience!r}; leave it out to never stop early"
            )

    def to_json(self) -> dict[str, Any]:
        """Plain data for a log or a file."""
        return asdict(self)
