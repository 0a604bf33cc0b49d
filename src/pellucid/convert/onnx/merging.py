"""Layers that read several values."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pellucid.convert.onnx.writing import Value, Writer
from pellucid.layers.graph import Visit


def write_add(writer: Writer, visit: Visit) -> Value:
    values = writer.alike(visit)
    return replace(values[0], name=writer.node("Sum", *(value.name for value in values)))


def write_multiply(writer: Writer, visit: Visit) -> Value:
    """A row is multiplied with maps as maps of one place."""
    values = sorted(writer.alike(visit), key=lambda value: -len(value.shape))
    whole = values[0]
    name = whole.name
    for value in values[1:]:
        factor = value.name
        if len(value.shape) < len(whole.shape):
            ones = [1] * (len(whole.shape) - 1)
            factor = writer.shaped(factor, [-1, *ones] if whole.first else [*ones, -1])
        name = writer.node("Mul", name, factor)
    return replace(whole, name=name)


def write_concatenate(writer: Writer, visit: Visit) -> Value:
    layer: Any = visit.layer
    values = writer.alike(visit)
    place = layer.axis - 1 if layer.axis > 0 else layer.axis
    name = writer.node("Concat", *(value.name for value in values), axis=values[0].axes[place])
    return Value(name, visit.output_shape, values[0].axes)
