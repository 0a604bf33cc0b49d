"""Keras's optimizers: ours, by Keras's names.

Weight decay is Keras's: it shrinks the weights beside the step, in all of them.
"""

from __future__ import annotations

from typing import Any

from pellucid import optimizers
from pellucid._fixed import Maker
from pellucid.convert.keras_values import Converter, named, write_optimizer
from pellucid.errors import expect_known
from pellucid.keras.optimizers import schedules
from pellucid.keras.serialized import serializers
from pellucid.optimizers import AdamW, Optimizer, get


class _Shrinking(Maker):
    """Of a class that makes objects of the one below it, with Keras's weight decay."""

    def __call__(cls, *args: Any, weight_decay: float | None = None, **named: Any) -> Any:
        if named.get("epsilon", ...) is None:  # the default, in Keras 2
            del named["epsilon"]
        if weight_decay is not None:
            named |= {"weight_decay": weight_decay, "decoupled_weight_decay": True}
        return cls.__mro__[1](*args, **named) if cls.__module__ == __name__ else super().__call__(*args, **named)

    def __instancecheck__(cls, instance: object) -> bool:
        return issubclass(type(instance), cls.__mro__[1] if cls.__module__ == __name__ else cls)


def _shrinking(made: type[Optimizer]) -> _Shrinking:
    return _Shrinking(made.__name__, (made,), {"__doc__": made.__doc__, "__module__": __name__})


SGD = _shrinking(optimizers.SGD)
RMSprop = _shrinking(optimizers.RMSprop)
Adagrad = _shrinking(optimizers.Adagrad)
Adadelta = _shrinking(optimizers.Adadelta)
Adam = _shrinking(optimizers.Adam)
Adamax = _shrinking(optimizers.Adamax)
Nadam = _shrinking(optimizers.Nadam)
Lion = _shrinking(optimizers.Lion)
Ftrl = _shrinking(optimizers.Ftrl)

adam, sgd, rmsprop, adagrad, adadelta, adamax, nadam = Adam, SGD, RMSprop, Adagrad, Adadelta, Adamax, Nadam
"""As they were called before Keras 2.4."""

_MADE = {made.__name__: made for made in (SGD, RMSprop, Adagrad, Adadelta, Adam, AdamW, Adamax, Nadam, Lion, Ftrl)}


def _read(spec: Any) -> Any:
    kind, given = named(spec)
    return _MADE[expect_known("optimizer", kind, _MADE)](**given) if given else get(kind)


def _from_config(cls: type[Optimizer], config: dict[str, Any]) -> Any:
    return _MADE.get(cls.__name__, cls)(**config)


serialize, deserialize = serializers("keras.optimizers", Optimizer, get, Converter(_read, write_optimizer))
setattr(Optimizer, "from_config", classmethod(_from_config))  # noqa: B010 (a name that this package alone gives)
__all__ = [
    "SGD", "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "Ftrl", "Lion", "Nadam", "Optimizer", "RMSprop",
    "adadelta", "adagrad", "adam", "adamax", "deserialize", "get", "nadam", "rmsprop", "schedules", "serialize", "sgd",
]  # fmt: skip
