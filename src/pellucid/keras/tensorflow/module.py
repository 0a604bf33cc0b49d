"""What has variables, besides layers and models."""

from __future__ import annotations

from typing import Any

from pellucid.autodiff import Variable
from pellucid.layers.recorded import nested_layers
from pellucid.layers.variable import weights_of


class Module:
    """An object of one's own whose attributes are variables, layers, models and other such objects."""

    def __init__(self, name: str | None = None) -> None:
        self.name = name or type(self).__name__.lower()

    @property
    def variables(self) -> tuple[Any, ...]:
        """All of them, each once."""
        own = [value for value in vars(self).values() if isinstance(value, Variable)]
        inner = [value for value in _spread(vars(self).values()) if isinstance(value, Module)]
        own += [weight for layer in nested_layers(self) for weight in weights_of(layer)]
        own += [variable for each in inner for variable in each.variables]
        return tuple({variable.key: variable for variable in own}.values())

    @property
    def trainable_variables(self) -> tuple[Any, ...]:
        """Those that are trained."""
        return tuple(variable for variable in self.variables if variable.trainable)


def _spread(values: Any) -> list[Any]:
    return [one for each in values for one in (_spread(each) if isinstance(each, list | tuple) else [each])]
