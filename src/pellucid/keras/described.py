"""Layers and models as Keras's own JSON describes them: read, and layers written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pellucid import layers
from pellucid.convert.keras_graph import ConfigReader
from pellucid.convert.keras_layers import arguments_of, config_of, row_of
from pellucid.convert.keras_values import keras_object, named
from pellucid.errors import ConfigError, shown
from pellucid.keras.registered import registered
from pellucid.layers import Layer
from pellucid.layers.graph import INPUT
from pellucid.layers.older import modern
from pellucid.layers.symbolic import Symbolic, calls_behind


def is_keras(config: Any) -> bool:
    """Whether a model's config is Keras's own, whose layers stand under class_name."""
    each = config if isinstance(config, list) else config.get("layers") if isinstance(config, Mapping) else None
    return (
        isinstance(each, list) and bool(each) and all(isinstance(one, Mapping) and "class_name" in one for one in each)
    )


def network(record: Mapping[str, Any]) -> tuple[list[Layer], dict[str, Any]]:
    """The layers of the network that Keras's `to_json` described, without weights yet, and which reads which.

    Errors: CheckpointError for what has no counterpart, as of a file of Keras's.
    """
    try:
        plain = json.loads(json.dumps(record))  # get_config gives tuples where files have lists
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigError(
            f"the config holds what JSON has not: {error!s:.100}; give numbers, words and lists"
        ) from error
    threes = any("module" in one for one in plain["config"]["layers"]) if isinstance(plain["config"], dict) else False
    reader = ConfigReader(Path("the config"), plain, 3 if threes else 2)
    values = calls_behind(reader.draft.outputs, reader.draft.inputs, reader.name)
    numbers: dict[Symbolic, int] = {reader.draft.inputs: INPUT, **{value: i for i, value in enumerate(values)}}
    config = {
        "name": reader.name,
        "input_shape": list(reader.draft.inputs.sizes),
        "input_name": None if reader.draft.inputs.auto_named else reader.draft.inputs.name,
        "reads": [[numbers[read] for read in value.inputs] for value in values],
        "outputs": [numbers[value] for value in reader.draft.outputs],
        "nested": reader.nested(numbers),
    }
    return [value.layer for value in values], config


def serialize(layer: Any) -> dict[str, Any]:
    """A layer as Keras writes it, and `deserialize` reads it; one of your own by its own get_config.

    Errors: ConfigError for a layer that Keras has not.
    """
    if not isinstance(layer, Layer):
        raise ConfigError(f"layers.serialize: expected a layer, got {shown(layer)}")
    if layer.custom:
        return keras_object(type(layer).__module__, type(layer).__name__, layer.get_config())
    row, config = config_of(layer)
    return keras_object("keras.layers", row.keras, config)


def deserialize(config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Layer:
    """The layer that `serialize`, or Keras's, described; it has no weights yet. Nothing in it is run.

    custom_objects: classes of your own by their names.
    Errors: ConfigError for a layer that is not known, and for arguments that have no counterpart.
    """
    kind, given = named(config)
    if own_class := registered(custom_objects).get(kind):
        made: Layer = own_class.from_config(given)
        return made
    if "class_name" not in config or kind == "InputLayer":
        return layers.from_config({**given, "type": "Input" if kind == "InputLayer" else kind})
    row = row_of(kind, given)
    own = modern(row.arguments, given)
    arguments, _ = arguments_of(row, own)
    kept = {name: own[name] for name in ("name", "trainable") if own.get(name) is not None}
    return row.ours(**arguments, **kept)
