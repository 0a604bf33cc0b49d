"""The layers. Each file holds one kind; `layer.py` says what every layer is, and `names.py` lists them all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from pellucid._arguments import made
from pellucid.errors import expect_known
from pellucid.layers import names
from pellucid.layers.check import GradientCheck as GradientCheck
from pellucid.layers.check import check_gradients as check_gradients
from pellucid.layers.layer import Cache as Cache
from pellucid.layers.layer import Key as Key
from pellucid.layers.layer import Layer as Layer
from pellucid.layers.names import *  # noqa: F403 (each layer is named once, there)
from pellucid.layers.penalty import L1 as L1
from pellucid.layers.penalty import L1L2 as L1L2
from pellucid.layers.penalty import L2 as L2
from pellucid.layers.penalty import Penalty as Penalty
from pellucid.layers.squeeze_excite import SqueezeExcite as SqueezeExcite
from pellucid.layers.store import again
from pellucid.layers.traits import Nonlinearity as Nonlinearity

NAMES: dict[str, type[Layer]] = {name: cls for name, cls in vars(names).items() if isinstance(cls, type)}
"""Every layer by all of its names."""

LAYERS: dict[str, type[Layer]] = {name: cls for name, cls in sorted(NAMES.items()) if cls.__name__ == name}
"""Every layer by the name its config carries."""


def from_config(config: Mapping[str, Any], custom_layers: Mapping[str, type[Layer]] | None = None) -> Layer:
    """The layer that `layer.config()` described; it has no weights yet.

    `custom_layers` maps names to classes of your own.
    Errors: ConfigError for an unknown type, or for arguments that it does not take.
    """
    arguments = dict(config)
    name = arguments.pop("type", None)
    known = {**LAYERS, **(custom_layers or {})}
    return made(known[expect_known("layer", name, known)], arguments, name)


def configs_of(
    layers: Iterable[Layer], config: Callable[[Layer], dict[str, Any]] = Layer.config
) -> list[dict[str, Any]]:
    """The configs of a network's layers; {"again": NAME, "name"} of one with the weights of an earlier one."""
    first: dict[int, str] = {}
    return [
        config(layer) if (name := first.setdefault(id(layer.store), layer.name)) == layer.name
        else {"again": name, "name": layer.name}
        for layer in layers
    ]  # fmt: skip


def from_configs(
    configs: Iterable[Mapping[str, Any]], custom_layers: Mapping[str, type[Layer]] | None = None
) -> list[Layer]:
    """The layers that `configs_of` described. Errors: as `from_config`; ConfigError for one again that is not there."""
    found: dict[Any, Layer] = {}
    layers = []
    for config in configs:
        if "again" in config:
            layer = again(found[expect_known("layer", config["again"], found)])
            layer.name = config["name"]
        else:
            layer = found[config.get("name")] = from_config(config, custom_layers)
        layers.append(layer)
    return layers


if not TYPE_CHECKING:  # which sees what is imported "as" itself
    __all__ = sorted(
        {
            *NAMES,
            *("L1", "L1L2", "L2", "LAYERS", "Cache", "GradientCheck", "Key", "Layer", "Nonlinearity", "Penalty"),
            *("SqueezeExcite", "check_gradients", "configs_of", "from_config", "from_configs"),
        }
    )
