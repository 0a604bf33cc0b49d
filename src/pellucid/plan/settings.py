"""What layers say about themselves, in the words of ops."""

from __future__ import annotations

from pellucid.layers import Conv2D, Dense, Layer


def activation_of(layer: Layer) -> tuple[str, float] | None:
    """(kind, slope) of what acts on each number alone; None for softmax."""
    how = layer.nonlinearity
    return ("linear", 0.0) if how is None else None if how.kind == "softmax" else (how.kind, float(how.slope))


def activation_behind(layer: Conv2D | Dense, after: tuple[Layer, ...]) -> tuple[str, float] | None:
    """(kind, slope) of what acts on a layer's result: its own activation, perhaps softmax, or the layer `after` it.

    None where both do, or where the layer after it is a softmax.
    """
    if after:
        return activation_of(after[0]) if layer.nonlinearity is None else None
    how = layer.nonlinearity
    return ("linear", 0.0) if how is None else (how.kind, how.slope)
