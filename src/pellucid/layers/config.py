"""A layer's constructor arguments as a file keeps them, and its name where none was given."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any

from pellucid import initializers
from pellucid._arguments import plain, within
from pellucid.errors import ConfigError
from pellucid.layers.constraint import Constraint
from pellucid.layers.penalty import Penalty
from pellucid.layers.taken import Given

if TYPE_CHECKING:
    from pellucid.layers.layer import Layer


def config_of(layer: Layer) -> dict[str, Any]:
    """As `Layer.config`."""
    arguments: dict[str, Any] = {"type": type(layer).__name__}
    for argument, parameter in inspect.signature(type(layer)).parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD and layer.hands_on:
            arguments |= {"name": layer.name, "trainable": layer.trainable}
            continue
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise ConfigError(
                f"{layer.place()}: its __init__ takes {parameter}, of which a file cannot say what was given; "
                "write each argument out there, name=None among them, or write your own config()"
            )
        if not hasattr(layer, argument):
            raise ConfigError(
                f"{layer.place()} does not keep its argument {argument!r}; "
                f"store it as self.{argument}, or write your own config()"
            )
        arguments[argument] = within(f"{layer.place()}: {argument}", _plain, getattr(layer, argument))
    return arguments


def snake_case(name: str) -> str:
    """A class's name as a layer's: Conv2D -> conv2d, MaxPool2D -> max_pool2d, ReLU -> relu.

    >>> [snake_case(name) for name in ("Conv2D", "LeakyReLU", "Conv2DTranspose")]
    ['conv2d', 'leaky_relu', 'conv2d_transpose']
    """
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=\dD)(?=[A-Z])", "_", name.replace("ReLU", "Relu")).lower()


def _plain(value: Any) -> Any:
    """A constructor's argument as JSON has it."""
    if isinstance(value, Given):
        return value.rule
    if isinstance(value, initializers.Initializer):
        return initializers.config(value)
    if isinstance(value, Penalty | Constraint):
        return value.config()
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return plain(value)
