"""Optimizers, with Keras's names, arguments and defaults.

An optimizer holds its settings and nothing else: moments are made by `slots` and kept by whoever trains, so they can
be saved and resumed. Parameters are flat vectors, changed in place.

`weight_decay` w adds w * parameter to the gradient (L2, as in PyTorch); AdamW, and any other with
`decoupled_weight_decay=True`, shrinks the parameters by learning_rate * w instead, as Keras does in all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pellucid._arguments import described
from pellucid.errors import ConfigError, shown, unknown_name
from pellucid.optimizers.algorithms import (
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    Ftrl,
    Lion,
    Momentum,
    Nadam,
    Nesterov,
    RMSprop,
)
from pellucid.optimizers.optimizer import Optimizer, Rate

__all__ = [
    "NAMES", "SGD", "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "Ftrl", "Lion", "Momentum", "Nadam", "Nesterov",
    "Optimizer", "RMSprop", "Rate", "from_config", "get",
]  # fmt: skip

_MAKERS: dict[str, Callable[..., Optimizer]] = {
    maker.__name__.lower(): maker
    for maker in (SGD, Momentum, Nesterov, Adagrad, RMSprop, Adadelta, Adam, AdamW, Adamax, Nadam, Lion, Ftrl)
}
NAMES = tuple(_MAKERS)
"""All of them, by name."""
_CLASSES: dict[str, type[Optimizer]] = {maker.__name__: maker for maker in _MAKERS.values() if isinstance(maker, type)}


def get(spec: str | Optimizer | Mapping[str, Any], *, learning_rate: float | None = None) -> Optimizer:
    """The optimizer that `spec` names: a name in any case, an Optimizer, or a stored config.

    `learning_rate` replaces the default of one given by name.
    Errors: ConfigError for an unknown name or anything else.
    """
    if isinstance(spec, Optimizer):
        return spec
    if isinstance(spec, type) and issubclass(spec, Optimizer):
        return spec() if learning_rate is None else spec(learning_rate)  # type: ignore[call-arg]
    if isinstance(spec, str):
        maker = _MAKERS.get(spec.lower())
        if maker is None:
            raise unknown_name("optimizer", spec, NAMES)
        return maker() if learning_rate is None else maker(learning_rate)
    if isinstance(spec, Mapping):
        arguments = dict(spec)
        excluded = arguments.pop("no_decay", [])
        optimizer = described("optimizer", arguments, _CLASSES)
        optimizer.exclude_from_weight_decay(excluded)
        return optimizer
    raise ConfigError(f"an optimizer is a name or an Optimizer, got {shown(spec)}; known names: {', '.join(NAMES)}")


def from_config(config: Mapping[str, Any]) -> Optimizer:
    """The optimizer that `optimizer.config()` described; its moments are kept elsewhere."""
    return get(config)
