"""What can be set while a network trains, as values: read from the model, changed one at a time, put back into it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from pellucid import losses, optimizers
from pellucid.errors import ConfigError, expect_known, shown
from pellucid.layers import Dropout
from pellucid.model import Model
from pellucid.ops.geometry import number, whole

MOMENTUM = ("momentum", "beta_1")
"""What optimizers call their momentum, the first that one has."""

OPTIMIZERS = tuple(name for name in optimizers.NAMES if name not in ("momentum", "nesterov"))
"""Those to choose from: SGD's momentum is a setting of its own."""

MAX_BATCH, MAX_SEED = 4096, 2**32 - 1


@dataclass(frozen=True)
class Settings:
    """Everything on the page that is set by hand.

    momentum: None where the optimizer has none. dropout: the largest rate of the network's dropout layers, None where
    there are none. augment: whether pictures are changed anew in each epoch.
    """

    optimizer: str
    loss: str
    learning_rate: float
    momentum: float | None
    weight_decay: float
    dropout: float | None
    batch_size: int
    augment: bool
    seed: int

    @classmethod
    def of(cls, model: Model, *, batch_size: int, augment: bool) -> Settings:
        """As a compiled model is set now."""
        chosen, rates = model.optimizer, [layer.drop_rate for layer in _dropouts(model)]
        name = type(chosen).__name__.lower()
        return cls(
            optimizer=name,
            loss=_name_of(model.loss),
            learning_rate=chosen.learning_rate_at(model.optimizer_state.step),
            momentum=_momentum(chosen.config()),
            weight_decay=chosen.weight_decay or 0.0,
            dropout=max(rates, default=None),
            batch_size=batch_size,
            augment=augment,
            seed=model.seed,
        )

    def changed(self, name: str, value: Any) -> Settings:
        """The same with another value. Errors: ConfigError for an unknown setting, or a value that it cannot have."""
        check = _CHECKS[expect_known("setting", name, _CHECKS)]
        if getattr(self, name) is None:
            what = "optimizer has no momentum" if name == "momentum" else "network has no dropout"
            raise ConfigError(f"{name}: this {what}")
        return replace(self, **{name: check(value, name)})

    def to_json(self) -> dict[str, Any]:
        """Plain data for the page."""
        return asdict(self)


def put_into(model: Model, before: Settings, now: Settings) -> Settings:
    """Set a model so; moments and steps stay, unless the optimizer is another one. What came of it.

    Errors: ConfigError where it cannot be set so; the model is then as before.
    """
    if now.optimizer == before.optimizer:
        config = model.optimizer.config()
        momentum = next((key for key in MOMENTUM if key in config), None)
        config |= {"learning_rate": now.learning_rate}
        config |= {} if momentum is None else {momentum: now.momentum}
        config |= {"weight_decay": now.weight_decay} if now.weight_decay != before.weight_decay else {}
    else:
        config = optimizers.get(now.optimizer).config()
    optimizer = optimizers.from_config({key: value for key, value in config.items() if value is not None})
    loss = losses.get(now.loss) if now.loss != before.loss else model.loss
    state = model.optimizer_state
    slots, step = state.slots, state.step
    model.compile(optimizer, loss, list(model.metrics))
    if now.optimizer == before.optimizer:
        state.slots, state.step = slots, step
    if now.dropout is not None and now.dropout != before.dropout:
        for layer in _dropouts(model):
            layer.set_rate(now.dropout)
    model.seed = now.seed
    return Settings.of(model, batch_size=now.batch_size, augment=now.augment)


def choices() -> dict[str, Any]:
    """What there is to choose from, for the page."""
    return {"optimizer": list(OPTIMIZERS), "loss": sorted({_name_of(make()) for make in losses.NAMES.values()})}


def _dropouts(model: Model) -> list[Dropout]:
    return [layer for layer in model.flat_layers if isinstance(layer, Dropout)]


def _momentum(config: Mapping[str, Any]) -> float | None:
    return next((float(config[key]) for key in MOMENTUM if key in config), None)


def _name_of(loss: losses.Loss) -> str:
    """The first of a loss's names."""
    return next((name for name, kind in losses.NAMES.items() if type(loss) is kind), type(loss).__name__)


def _share(value: Any, name: str) -> float:
    return number(value, name, 0.0, 1.0)


def _flag(value: Any, name: str) -> bool:
    if not isinstance(value, bool):
        raise ConfigError(f"{name} must be true or false, got {shown(value)}")
    return value


_CHECKS: dict[str, Any] = {
    "optimizer": lambda value, name: expect_known("optimizer", value, OPTIMIZERS),
    "loss": lambda value, name: expect_known("loss", value, choices()["loss"]),
    "learning_rate": lambda value, name: number(value, name, 0.0, 1e3),
    "momentum": _share,
    "weight_decay": _share,
    "dropout": _share,
    "batch_size": lambda value, name: whole(value, name, MAX_BATCH),
    "augment": _flag,
    "seed": lambda value, name: whole(value, name, MAX_SEED, least=0),
}
