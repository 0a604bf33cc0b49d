"""Activations that are no names: in a network, layers of their own behind the one that they were given to."""

from __future__ import annotations

from typing import Any

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
