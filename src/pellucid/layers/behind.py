"""Activations that are no names: in a network, layers of their own behind the one that they were given to."""

from __future__ import annotations

from typing import Any, ClassVar

from pellucid._arguments import within
from pellucid._fixed import is_own
from pellucid.errors import ConfigError
from pellucid.layers.layer import Layer
from pellucid.layers.store import again


def split_activation(activation: Any) -> tuple[str | None, Layer | None]:
    """The activation's name, or the layer that stands behind in its place: one that was given, or a function's.

    Errors: as `activation.standardize_activation`.
    """
    from pellucid.layers.activation import standardize_activation
    from pellucid.layers.recorded import Function

    named = activation is None or isinstance(activation, str | type) or not callable(activation)
    if named or getattr(activation, "__module__", "") == "pellucid.keras.activations":
        return standardize_activation(activation), None
    return None, again(activation) if isinstance(activation, Layer) else Function(activation)


def _changed(layer: Layer, activation: Any) -> Any:
    """What a layer keeps of an activation that it is given, at each place of a network where its weights stand."""
    if "_made" not in vars(layer) or is_own(layer):  # one's own may mean something else by it
        return activation
    name, behind = within(f"{layer.place()}: activation", split_activation, activation)
    if behind is not None or layer.behind is not None:
        raise ConfigError(
            f"{layer.place()}: an activation that is no name is a layer of its own behind this one, and stays as it "
            "is once the layer is made; change names alone, or make a new layer"
        )
    owner = None if layer.owner is None else layer.owner()
    for other in () if owner is None else owner.flat_layers:
        if other.store is layer.store:
            vars(other)["activation"] = name
    return name


class Activated(Layer):
    """A layer whose activation, by name, may be changed at any time: that changes what it gives, not its weights.

    Errors: ConfigError for an unknown name, and where a layer of its own stands behind it, or would have to.
    """

    assignable = Layer.assignable | {"activation"}
    checks: ClassVar = {**Layer.checks, "activation": _changed}
