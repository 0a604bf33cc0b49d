"""Settings of single layers: any argument of any layer of a network, by the layer's name."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from pellucid.errors import ConfigError, expect_known, unknown_name
from pellucid.initializers import Initializer
from pellucid.layers import LAYERS, Layer, configs_of, from_configs
from pellucid.model import Model, assemble


def change_layers(model: Model, changes: Mapping[str, Any]) -> Model:
    """The same network with other arguments, {"LAYER.ARGUMENT": value}, built anew.

    LAYER is a name, or a pattern with * and ?; a pattern changes those of its layers that have the argument. The
    argument "type" makes another kind of layer of it, which keeps what the two kinds have in common.
    Layers keep their places, so what is not changed starts from the same weights.
    Errors: ConfigError for a layer, an argument or a value that does not exist.

    >>> from pellucid.zoo import simple_convnet
    >>> other = change_layers(simple_convnet(), {"pool1.strides": 1, "*.kernel_initializer": "he_normal"})
    >>> other.layers[1], other.layers[3].kernel_initializer == other.layers[0].kernel_initializer
    (<MaxPool2D 'pool1' 2x2, stride 1, valid>, True)
    """
    configs = {config["name"]: config for config in configs_of(model.flat_layers, _arguments)}
    kinds_first = sorted(changes.items(), key=lambda change: not change[0].endswith(".type"))
    for setting, value in kinds_first:
        pattern, _, argument = setting.rpartition(".")
        fitting = [name for name in configs if fnmatchcase(name, pattern)]
        if not fitting:
            raise unknown_name(f"layer of {model.name}", pattern, configs)
        taking = [name for name in fitting if argument in configs[name]]
        if not taking or argument in ("name", "input_shape"):
            known = {key for name in fitting for key in configs[name]} - {"name", "input_shape"}
            raise unknown_name(f"argument of {pattern}", argument, known)
        for name in taking:
            configs[name] = _retyped(configs[name], value) if argument == "type" else configs[name] | {argument: value}
    layers = from_configs(configs.values())
    changed = assemble(
        model.graph.input_shape, layers, model.reads, model.name, outputs=model.graph.outputs, seed=model.seed
    )
    changed.preprocessing = model.preprocessing
    return changed


def _arguments(layer: Layer) -> dict[str, Any]:
    """The layer's config with its initializers themselves: of a function, a config has no more than the name."""
    taken = inspect.signature(type(layer)).parameters
    given = {key: value for key, value in vars(layer).items() if isinstance(value, Initializer) and key in taken}
    return layer.config() | given


def _retyped(config: Mapping[str, Any], kind: Any) -> dict[str, Any]:
    """The config as one of another type of layer: arguments that both have are kept."""
    parameters = inspect.signature(LAYERS[expect_known("layer", kind, LAYERS)]).parameters
    kept = {key: value for key, value in config.items() if key in parameters}
    missing = [
        name
        for name, parameter in parameters.items()
        if name != "self" and parameter.default is parameter.empty and name not in kept
    ]
    if missing:
        raise ConfigError(f"a {config['type']} cannot become a {kind}, which needs {', '.join(missing)} too")
    own = {name: one.default for name, one in parameters.items() if one.default is not one.empty}
    return {"type": kind, **own, **kept}
