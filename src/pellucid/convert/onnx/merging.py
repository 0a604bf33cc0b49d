"""Layers that read several values."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from pellucid import layers as L
from pellucid.convert.onnx.reading import Held, Inexpressible, Node, Reader
from pellucid.convert.onnx.writing import Value, Write, Writer, vector
from pellucid.layers import Layer
from pellucid.layers.graph import Visit
from pellucid.layers.symbolic import Symbolic


def merging(operator: str) -> Write:
    """What writes a layer that ONNX has as one operator of all values."""

    def write(writer: Writer, visit: Visit) -> Value:
        values = writer.alike(visit)
        return replace(values[0], name=writer.node(operator, *(value.name for value in values)))

    return write


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


def write_affine(writer: Writer, visit: Visit) -> Value:
    layer: Any = visit.layer
    value = writer.settled(writer.reads(visit)[0])
    name = value.name
    for operator, numbers in zip(("Mul", "Add"), layer.scale_offset(), strict=True):
        name = writer.node(operator, name, vector(writer, np.asarray(numbers), value, operator.lower()))
    return replace(value, name=name)


# Reading


def read_sum(reader: Reader, node: Node) -> Held:
    """A sum of tensors and constants; Add, Sub and Mean by the signs and the share of each."""
    count = len(node.inputs)
    signs = [1.0, -1.0] if node.operator == "Sub" else [1 / count if node.operator == "Mean" else 1.0] * count
    values: list[Held] = []
    offset: Any = 0.0
    for found, sign in zip(node.inputs, signs, strict=True):
        if isinstance(found, Held):
            values.append(found if sign == 1 else reader.scaled(found, sign, 0.0))
        else:
            offset = offset + sign * np.asarray(found, np.float64)
    if not np.any(offset) and len(values) > 1:
        return joined(reader, values, L.Add)
    whole = joined(reader, values, L.Add) if len(values) > 1 else values[0]
    return reader.scaled(whole, 1.0, offset)


def read_product(reader: Reader, node: Node) -> Held:
    """A product of two; a quotient is one with the reciprocal."""
    first, second = node.inputs
    if node.operator == "Div" and isinstance(second, Held):
        second = replace(second, value=reader.layer(lambda: L.Power(-1), second.value))
    elif node.operator == "Div":
        with np.errstate(divide="ignore"):
            second = 1 / np.asarray(second, np.float64)
    if isinstance(first, Held) and isinstance(second, Held):
        return joined(reader, [first, second], L.Multiply)
    held, factor = (first, second) if isinstance(first, Held) else (second, first)
    if not isinstance(held, Held):
        raise Inexpressible("two constants")
    return reader.scaled(held, np.asarray(factor, np.float64), 0.0)


def joined(reader: Reader, values: list[Held], kind: type[Layer]) -> Held:
    """Values of one shape by a merging layer; what has one place in place of many is repeated, or multiplies a row."""
    if len({value.rank for value in values}) > 1:
        raise Inexpressible("tensors with other numbers of axes")
    if len({(value.axes, value.flat) for value in values}) == 1 and len({value.value.shape for value in values}) == 1:
        return replace(values[0], value=reader.layer(kind, *(value.value for value in values)))
    values = [reader.settled(value) for value in values]
    sizes = [max(sizes) for sizes in zip(*(value.sizes for value in values), strict=True)]
    whole = max(values, key=lambda value: (math.prod(value.sizes), len(value.axes)))
    if whole.sizes != sizes:
        raise Inexpressible("tensors of which each has one place along an axis of the other")
    parts: list[Symbolic] = []
    for value in values:
        row = [axis for axis in value.axes if value.sizes[axis - 1] > 1] in ([], [whole.axes[-1]])
        if value.sizes == sizes:
            parts.append(reader.arranged(value, whole.axes))
        elif kind is L.Multiply and row and value.sizes[whole.axes[-1] - 1] == whole.value.shape[-1]:
            parts.append(_as_row(reader, value, whole.axes[-1]))
        else:
            spread = reader.arranged(value, whole.axes)
            factors = [size // own for size, own in zip(whole.value.shape, spread.shape, strict=True)]
            parts.append(_repeated(reader, spread, factors))
    return Held(reader.layer(kind, *parts), whole.axes, whole.rank)


def _as_row(reader: Reader, value: Held, axis: int) -> Symbolic:
    size = (value.sizes[axis - 1],)
    return value.value if value.value.shape == size else reader.layer(lambda: L.Reshape(size), value.value)


def _repeated(reader: Reader, value: Symbolic, factors: list[int]) -> Symbolic:
    """Maps of one place, or one row, as often as needed."""
    if len(factors) == 3 and factors[2] == 1:
        return reader.layer(lambda: L.UpSampling2D((factors[0], factors[1])), value)
    for place, factor in enumerate(factors):
        if factor > 1:
            held = Held(value, tuple(range(1, len(factors) + 1)), len(factors) + 1)
            given = reader.mixed(held, place + 1, np.ones((1, factor), np.float32))
            value = reader.arranged(given, held.axes)
    return value


def read_concatenate(reader: Reader, node: Node) -> Held:
    values = [reader.settled(node.held(i)) for i in range(len(node.inputs))]
    first = values[0]
    axis = first.axis(int(node.attributes.get("axis", 1)))
    if any(value.rank != first.rank for value in values):
        raise Inexpressible("tensors with other numbers of axes")
    if len(values) == 1:
        return first
    used = {axis} | {each for value in values for each in value.axes}
    longest = max(values, key=lambda value: len(value.axes)).axes
    axes = (*longest, *(each for each in sorted(used) if each not in longest))
    parts = [reader.arranged(value, axes) for value in values]
    place = axes.index(axis) + 1
    return Held(reader.layer(lambda: L.Concatenate(-1 if place == len(axes) else place), *parts), axes, first.rank)
