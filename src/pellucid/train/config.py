"""What a run is asked to do, in one object that goes into its log."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from pellucid.ops.geometry import MAX_NUMBERS, whole

MAX_EPOCHS = 10**6
"""More than anyone waits for."""


@dataclass(frozen=True)
class TrainConfig:
    """How to train; the model says what, the data on what.

    Units: epochs counts whole passes; patience is epochs without improvement before stopping (None: never).
    augment: as text, see `datasets.augmentation`; "none" for nothing.
    class_weight: None, "balanced" or {class index: weight}.
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
        for name, least, most in (("epochs", 0, MAX_EPOCHS), ("batch_size", 1, MAX_NUMBERS), ("seed", 0, 2**32 - 1)):
            object.__setattr__(self, name, whole(getattr(self, name), name, most, least=least))
        if self.patience is not None:
            object.__setattr__(self, "patience", whole(self.patience, "patience", MAX_EPOCHS))

    def to_json(self) -> dict[str, Any]:
        """Plain data for a log or a file."""
        return asdict(self)
