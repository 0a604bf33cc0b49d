"""Objects as Keras's JSON describes them, written and read: losses, metrics, optimizers and what layers are given.

Where `pellucid.keras` is used they have Keras's methods for it, too: `get_config()`, `Adam.from_config(config)`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from pellucid.convert.keras_values import Converter, keras_object, named
from pellucid.keras.registered import registered

Serialize = Callable[[Any], dict[str, Any]]
Deserialize = Callable[..., Any]


def serializers(
    module: str, base: Any, get: Callable[[Any], Any], converter: Converter | None = None, config: Any = None
) -> tuple[Serialize, Deserialize]:
    """What `serialize` and `deserialize` are in a module of Keras's whose objects `get` makes of configs.

    base: what all of them are, which is given the methods. converter: between our configs and Keras's, where they are
    not the same. config: an object's, by default its own `config()`.
    """

    def serialize(obj: Any) -> dict[str, Any]:
        """The object as Keras writes it, and `deserialize` reads it."""
        given = obj.config() if config is None else config(obj)
        if "label_smoothing" in given and not given["label_smoothing"]:
            del given["label_smoothing"]  # not all of Keras's losses have it
        if converter is not None:
            return cast(dict[str, Any], converter.write(given))
        return keras_object(module, given["type"], {name: value for name, value in given.items() if name != "type"})

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
        if converter is not None:
            return get(converter.read(config))
        return get({"type": kind, **given} if given else kind)

    base.get_config = lambda self: serialize(self)["config"]
    base.from_config = classmethod(lambda cls, config: cls(**config))
    return serialize, deserialize
