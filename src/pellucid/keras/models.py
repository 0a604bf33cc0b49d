"""Keras's models, and how they are read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pellucid.model.model as ours
from pellucid.convert.files import load
from pellucid.errors import ConfigError, shown
from pellucid.keras.layers import Input as Input  # as Keras 2 had them here, and in keras.engine
from pellucid.keras.layers import InputLayer as InputLayer
from pellucid.keras.layers import Layer as Layer
from pellucid.keras.model import Functional, Model
from pellucid.keras.registered import registered
from pellucid.keras.sequential import Sequential
from pellucid.layers.store import each_once

__all__ = ["Model", "Sequential", "as_keras", "clone_model", "load_model", "model_from_json", "save_model"]


def load_model(path: Any, custom_objects: Mapping[str, Any] | None = None, **more: Any) -> Model:
    """The model in a file of Pellucid's or Keras's; compile=False and safe_mode change nothing: no code is run.

    Errors: as `pellucid.load`.
    """
    model: Model = as_keras(load(path, registered(custom_objects)))
    return model


def as_keras(model: ours.Model) -> Any:
    """The same model with Keras's habits."""
    model.__class__ = Sequential if isinstance(model, ours.Sequential) else Functional
    if isinstance(model, Sequential):
        model._waiting = []
    model.as_read()
    return model


def save_model(model: ours.Model, path: Any, **more: Any) -> None:
    """As `model.save(path)`."""
    model.save(path)


def clone_model(model: Model, input_tensors: Any = None, clone_function: Any = None) -> Model:
    """The same network with weights of its own, drawn anew.

    clone_function: of a layer, what stands in its place; by default one with the same arguments.
    """
    if input_tensors is not None:
        raise ConfigError("clone_model: call the clone on the values instead: clone_model(model)(input_tensors)")
    if clone_function is None:
        return type(model).from_config(model.get_config())
    clones = {layer.store: clone_function(layer) for layer in each_once(model.flat_layers)}
    return type(model).joined([clones[layer.store] for layer in model.flat_layers], model.get_config())


def model_from_json(text: str, custom_objects: Mapping[str, Any] | None = None) -> Model:
    """The network that `model.to_json()` described, or that of Keras's own.

    Errors: ConfigError for other text; CheckpointError for what Keras has and Pellucid has not.
    """
    try:
        record: Any = json.loads(text)
    except (ValueError, RecursionError, TypeError) as error:
        raise ConfigError(f"model_from_json: expected what model.to_json() gives, got {shown(text)}") from error
    if not isinstance(record, dict) or "config" not in record:
        raise ConfigError(f"model_from_json: expected what model.to_json() gives, got {shown(text)}")
    kind = Sequential if record.get("class_name") == "Sequential" else Model
    return kind.from_config(record["config"], custom_objects)
