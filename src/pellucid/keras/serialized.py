"""Losses, metrics and optimizers as Keras's JSON describes them: written and read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pellucid.convert.keras_values import keras_object, named
from pellucid.keras.registered import registered

Serialize = Callable[[Any], dict[str, Any]]
Deserialize = Callable[..., Any]


def serializers(module: str, get: Callable[[Any], Any]) -> tuple[Serialize, Deserialize]:
    """What `serialize` and `deserialize` are in a module of Keras's whose objects `get` makes."""

    def serialize(obj: Any) -> dict[str, Any]:
        """The object as Keras writes it, and `deserialize` reads it."""
        config = obj.config()
        return keras_object(module, config.pop("type"), config)

    def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
        """The object of this name, or that `serialize` described; one of your own by custom_objects.

        Errors: ConfigError for what is not known.
        """
        if not isinstance(config, str) and not (isinstance(config, Mapping) and "class_name" in config):
            return get(config)
        kind, given = named(config)
        own = registered(custom_objects).get(kind)
        if own is not None:
            return own(**given) if isinstance(own, type) else own
        return get({"type": kind, **given} if given else kind)

    return serialize, deserialize
