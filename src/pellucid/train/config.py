"""What a run is asked to do, in one object that goes into its log."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from pellucid.engines import check_engine
from pellucid.errors import ConfigError, shown
from pellucid.ops.geometry import MAX_NUMBERS, whole

MAX_EPOCHS = 10**6
"""More than anyone waits for."""
MAX_SHARDS = 1024


@dataclass(frozen=True)
class TrainConfig:
    """How to train; the model says what, the data on what.

    Units: epochs counts whole passes; patience is epochs without improvement before stopping (None: never).
    augment: as text, see `datasets.augmentation`; "none" for nothing.
    class_weight: None, "balanced" or {class index: weight}.
    cache_features: compute the outputs of frozen first layers once for all epochs, where that changes no number.
    fine_tune_from: epochs after which frozen layers are trained too; only from then on pictures are augmented. None:
    never, and they are augmented from the start.
    engine: what computes the steps, "pellucid" or "torch", the latter on `device` and in `precision`, see `engines`.
    shards: logical parts of each batch, which processes share (see `distributed`): a power of two.
    """

    epochs: int = 1
    batch_size: int = 32
    shuffle: bool = True
    seed: int = 0
    patience: int | None = None
    augment: str = "none"
    class_weight: dict[int, float] | str | None = None
    cache_features: bool = True
    fine_tune_from: int | None = None
    engine: str = "pellucid"
    device: str = "cpu"
    precision: str = "float32"
    shards: int = 1

    def __post_init__(self) -> None:
        for name, least, most in (
            ("epochs", 0, MAX_EPOCHS),
            ("batch_size", 1, MAX_NUMBERS),
            ("seed", 0, 2**32 - 1),
            ("shards", 1, MAX_SHARDS),
        ):
            object.__setattr__(self, name, whole(getattr(self, name), name, most, least=least))
        if self.shards & (self.shards - 1):
            raise ConfigError(f"shards must be a power of two up to {MAX_SHARDS}, got {shown(self.shards)}")
        if self.patience is not None:
            object.__setattr__(self, "patience", whole(self.patience, "patience", MAX_EPOCHS))
        if self.fine_tune_from is not None:
            whole(self.fine_tune_from, "fine_tune_from", MAX_EPOCHS, least=0)
        check_engine(self.engine, self.device, self.precision)

    def fine_tunes(self, epoch: int) -> bool:
        """Whether frozen layers are trained too in this epoch, counted from 0."""
        return self.fine_tune_from is not None and epoch >= self.fine_tune_from

    def augments(self, epoch: int) -> bool:
        """Whether pictures are augmented in this epoch, counted from 0."""
        return self.fine_tune_from is None or self.fine_tunes(epoch)

    @property
    def frozen_epochs(self) -> int:
        """How many epochs leave frozen layers as they are."""
        return self.epochs if self.fine_tune_from is None else min(self.fine_tune_from, self.epochs)

    def to_json(self) -> dict[str, Any]:
        """Plain data for a log or a file."""
        return asdict(self)
