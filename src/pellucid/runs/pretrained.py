"""A run that begins with published weights: a new head on their features, then fine-tuning of everything.

What the published layers give for a picture is computed once, and the head is trained on it. Then all layers are
trained on augmented pictures, in small steps; batch norm keeps its statistics (`train/staging.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pellucid.errors import ConfigError, shown
from pellucid.ops.geometry import whole

if TYPE_CHECKING:
    from pellucid.model import Model
    from pellucid.runs.console import Console
    from pellucid.train import TrainConfig

DEFAULT = "efficientnet-lite0"
"""The network where none is named."""

HEAD_STEPS, HEAD_EPOCHS = 1000, (10, 100)
"""Steps in which a head converges, and the fewest and the most epochs for them."""

TUNED_PICTURES, TUNED_EPOCHS = 6_000, (1, 5)
"""Pictures of fine-tuning that take about two minutes on two cores (EfficientNet-Lite0 at 224 x 224 with AVX-512: 48 a
second), and the fewest and the most epochs for them."""


@dataclass(frozen=True)
class PublishedStart:
    """Which network a run begins with, the file of its weights, and the settings that it was published with."""

    model: str
    weights: Path
    settings: dict[str, Any]


def published_start(
    pretrained: bool | str | None,
    model: str | Model | None,
    weights: str | Path | None,
    freeze: str | Sequence[str] | None,
    fine_tune: int | None,
    console: Console,
) -> PublishedStart | None:
    """The published weights that are asked for, brought onto this machine; None where none are.

    Errors: ConfigError for a network without any, and for arguments that do not go with them; DataError where the
    file cannot be had.
    """
    if pretrained is None or pretrained is False:
        if fine_tune is not None:
            raise ConfigError(f"fine_tune={fine_tune}: trains published weights on; give pretrained=True too")
        return None
    for name, value in (("weights", weights), ("freeze", freeze)):
        if value is not None:
            raise ConfigError(f"{name}={shown(value)}: pretrained brings its own; leave one of the two out")
    from pellucid import zoo
    from pellucid.convert import bring, published

    if not (model is None or isinstance(model, str)) or not isinstance(pretrained, str | bool):
        given = pretrained if model is None or isinstance(model, str) else model
        raise ConfigError(f"pretrained takes a network by its name, got {shown(given)}")
    asked = pretrained if isinstance(pretrained, str) else model or DEFAULT
    one = published(asked)
    if isinstance(pretrained, str) and model is not None and zoo.standard_name(model) != one.model:
        raise ConfigError(f'"{model}" and pretrained="{pretrained}" are two networks; leave one out')
    with console.bar() as bar:
        path = bring(one, progress=bar)
    return PublishedStart(one.model, path, {"batch_norm": True} if one.network.endswith("_bn") else {})


def two_stages(
    config: TrainConfig, epochs: int | None, fine_tune: int | None, pictures: int, *, plain: bool
) -> TrainConfig:
    """The same with the epochs of a head and of fine-tuning, by the number of pictures where nothing is said.

    epochs: of the head. fine_tune: epochs after them. plain: nobody asked for augmentation, which is left out where
    the head alone is trained, so that its features are computed once.
    Errors: ConfigError for what is no number of epochs.
    """
    from pellucid.train.config import MAX_EPOCHS

    steps = -(-pictures // config.batch_size)
    head = _within(HEAD_EPOCHS, HEAD_STEPS / steps) if epochs is None else config.epochs
    usual = _within(TUNED_EPOCHS, TUNED_PICTURES / pictures)
    tuned = usual if fine_tune is None else whole(fine_tune, "fine_tune", MAX_EPOCHS - head, least=0)
    augment = "none" if plain and not tuned else config.augment
    return replace(config, epochs=head + tuned, fine_tune_from=head if tuned else None, augment=augment)


def _within(limits: tuple[int, int], value: float) -> int:
    least, most = limits
    return min(max(round(value), least), most)
