"""Values of arguments in Keras's configs and in ours: initializers, penalties, activations; others are the same."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pellucid import initializers, schedules
from pellucid.errors import ConfigError, PellucidError, shown
from pellucid.layers.constraint import NAMES as CONSTRAINTS

SCHEDULES = (
    *("ExponentialDecay", "InverseTimeDecay", "PiecewiseConstantDecay", "PolynomialDecay"),
    *("CosineDecay", "CosineDecayRestarts"),
)
"""Schedules that Keras has too, with the same arguments."""

REGISTERED = "Pellucid>"
"""What stands before the names that we register in Keras."""
MODULE = "pellucid_layers"
"""The module that registers them, which is written beside a file that has any."""

LEAVE = object()
"""What a converter gives for a value that ours cannot say, and that matters to nothing but a fresh start."""


@dataclass(frozen=True)
class Converter:
    """How an argument's value is read from Keras's JSON, and written."""

    read: Callable[[Any], Any]
    write: Callable[[Any], Any]


def converter(argument: str) -> Converter:
    """How this argument's values are read and written."""
    return CONVERTERS.get(argument.rpartition("_")[2], _PLAIN)


def _read_initializer(spec: Any) -> Any:
    """What `initializers.get` takes; LEAVE for a rule that ours have not: the weights are in the file."""
    name, arguments = named(spec)
    arguments = {key: value for key, value in arguments.items() if value is not None}
    arguments = {key: value for key, value in arguments.items() if key not in ("seed", "dtype")}
    if "distribution" in arguments:
        arguments["distribution"] = str(arguments["distribution"]).removeprefix("truncated_")
    try:
        given = {"type": name, **arguments}
        return initializers.get(given if arguments else name)
    except PellucidError:
        return LEAVE


def _write_initializer(config: Any) -> Any:
    if isinstance(config, str):
        return "glorot_uniform" if config in ("fan_in_uniform", "random_signs") else config
    config = dict(config)
    name = config.pop("type")
    if config.get("distribution") == "normal":
        config["distribution"] = "truncated_normal"
    known = ("Constant", "Identity", "Ones", "Orthogonal", "RandomNormal", "RandomUniform", "TruncatedNormal", "Zeros")
    return keras_object("keras.initializers", name, config) if name in (*known, "VarianceScaling") else "glorot_uniform"


def _read_regularizer(spec: Any) -> Any:
    if spec is None:
        return None
    name, strengths = named(spec)
    if name.lower().replace("_", "") not in ("l1", "l2", "l1l2", "weightregularizer"):
        raise ConfigError(f"the penalty {shown(spec)} is not known here; L1, L2 and L1L2 are")
    return {key: float(value) for key, value in strengths.items() if key in ("l1", "l2") and value is not None}


def _write_regularizer(penalty: Any) -> Any:
    return None if penalty is None else keras_object("keras.regularizers", "L1L2", penalty)


def _read_constraint(spec: Any) -> Any:
    if spec is None:
        return None
    name, numbers = named(spec)
    known = {make.__name__.lower(): make for make in CONSTRAINTS.values()}
    if name.lower().replace("_", "") not in known:
        raise ConfigError(f"the constraint {shown(spec)} is not known here; {', '.join(CONSTRAINTS)} are")
    return known[name.lower().replace("_", "")](**numbers)


def _write_constraint(config: Any) -> Any:
    if config is None:
        return None
    bounds = {"min_value": config.get("least", 0.0), "max_value": config.get("most", 1.0)}
    if config.get("positive"):
        if len(config) > 1:
            raise ConfigError("a constraint both positive and bounded has no counterpart in Keras")
        return keras_object("keras.constraints", "NonNeg", {})
    rest = {"rate": config.get("rate", 1.0), "axis": config.get("axis", 0)}
    return keras_object("keras.constraints", "MinMaxNorm", {**bounds, **rest})


def _read_activation(spec: Any) -> Any:
    if isinstance(spec, dict) and isinstance(spec.get("config"), str):  # a function, as Keras 3.0 wrote them
        spec = spec["config"]
    if spec == "sparsemax":
        raise ConfigError(_SPARSEMAX)
    return {"softmax_v2": "softmax"}.get(spec, spec.removeprefix(REGISTERED)) if isinstance(spec, str) else spec


_SPARSEMAX = (
    'activation "sparsemax" sums to 1 here, as its paper says, and in Keras 3 only where one number is left: answers '
    "would differ; use softmax"
)


def _write_activation(name: Any) -> Any:
    if name == "sparsemax":
        raise ConfigError(_SPARSEMAX)
    if name == "gelu_tanh":
        own = f"{REGISTERED}{name}"
        return {"module": "builtins", "class_name": "function", "config": own, "registered_name": own}
    return "linear" if name is None else name


def named(spec: Any) -> tuple[str, dict[str, Any]]:
    """The name and arguments of an object in a config: {"class_name": ..., "config": {...}}, Keras 1's, or a name.

    Errors: ConfigError for anything else.
    """
    if isinstance(spec, str):
        return spec, {}
    if isinstance(spec, dict):
        inner = spec.get("config")
        if isinstance(inner, str):  # a function
            return inner, {}
        name = spec.get("class_name", spec.get("name"))
        if isinstance(name, str) and (inner is None or isinstance(inner, dict)):
            return name, dict(spec if inner is None else inner)
    raise ConfigError(f"expected a name, or a class_name with its config, got {shown(spec)}")


def class_path(name: str) -> str:
    """What .weights.h5 calls a layer of this class: Keras's spelling with underscores.

    >>> class_path("Conv2DTranspose"), class_path("PReLU"), class_path("BatchNormalization")
    ('conv2d_transpose', 'p_re_lu', 'batch_normalization')
    """
    parted = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", parted).lower()


def keras_object(module: str, name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """An object as Keras 3 writes it."""
    registered = name if name.startswith(REGISTERED) else None
    module = MODULE if registered else module
    name = name.removeprefix(REGISTERED)
    return {"module": module, "class_name": name, "config": dict(config), "registered_name": registered}


def _unchanged(value: Any) -> Any:
    return value


def write_optimizer(config: Mapping[str, Any]) -> dict[str, Any]:
    """An optimizer's config for Keras.

    Errors: ConfigError for a schedule that Keras has not, and weight decay that is no step of its own, as Keras's is.
    """
    given = {name: value for name, value in config.items() if value is not None}
    kind, decoupled = given.pop("type"), given.pop("decoupled_weight_decay", True)
    if given.pop("no_decay", None) or (given.get("weight_decay") and not decoupled):
        raise ConfigError(f"{kind}: Keras's weight decay is that of decoupled_weight_decay=True, and of all weights")
    given["learning_rate"] = write_rate(given["learning_rate"])
    return keras_object("keras.optimizers", kind, given)


def read_rate(spec: Any) -> Any:
    """A learning rate: a number, or a schedule of ours. Errors: ConfigError for a schedule that ours have not."""
    if not isinstance(spec, dict):
        return spec
    name, numbers = named(spec)
    if name not in SCHEDULES:
        raise ConfigError(f"its learning rate follows {shown(name)}, which is not known here")
    return schedules.get({"type": name, **{key: value for key, value in numbers.items() if key != "name"}})


def write_rate(config: Any) -> Any:
    """A learning rate's config for Keras. Errors: ConfigError for a schedule that Keras has not."""
    if not isinstance(config, dict):
        return config
    numbers = {key: value for key, value in config.items() if key != "type"}
    if config["type"] not in SCHEDULES:
        raise ConfigError(f"the schedule {config['type']} has no counterpart in Keras")
    return keras_object("keras.optimizers.schedules", config["type"], numbers)


_PLAIN = Converter(_unchanged, _unchanged)
CONVERTERS: dict[str, Converter] = {
    "initializer": Converter(_read_initializer, _write_initializer),
    "regularizer": Converter(_read_regularizer, _write_regularizer),
    "constraint": Converter(_read_constraint, _write_constraint),
    "activation": Converter(_read_activation, _write_activation),
    "keepdims": Converter(bool, _unchanged),
}
"""By the last word of an argument's name."""
