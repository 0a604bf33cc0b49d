"""Layers that only move numbers, or do nothing in use."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.convert.onnx.axes import channels_last, flattened
from pellucid.convert.onnx.writing import Value, Writer
from pellucid.layers.graph import Visit


def write_nothing(writer: Writer, visit: Visit) -> Value:
    """What does something in training alone."""
    return writer.reads(visit)[0]


def write_flatten(writer: Writer, visit: Visit) -> Value:
    """In the order in which it lies: whoever reads it knows."""
    value = writer.reads(visit)[0]
    if len(value.shape) == 1:
        return value
    moved = flattened(value.shape, value.axes) is not None
    flat = (value.shape, value.axes) if moved else None
    return Value(writer.node("Flatten", value.name), visit.output_shape, (1,), flat)


def write_reshape(writer: Writer, visit: Visit) -> Value:
    shape = visit.output_shape
    return Value(writer.shaped(writer.last(visit).name, list(shape)), shape, channels_last(len(shape)))


def write_permute(writer: Writer, visit: Visit) -> Value:
    """Moves nothing: where our axes lie is known."""
    layer: Any = visit.layer
    value = writer.settled(writer.reads(visit)[0])
    return Value(value.name, visit.output_shape, tuple(value.axes[axis - 1] for axis in layer.dims))


def write_padding(writer: Writer, visit: Visit) -> Value:
    layer: Any = visit.layer
    (top, bottom), (left, right) = layer.padding
    pads = writer.array([0, 0, top, left, 0, 0, bottom, right], "pads", np.int64)
    return writer.maps(writer.node("Pad", writer.first(visit).name, pads, mode=layer.mode), visit.output_shape)


def write_cropping(writer: Writer, visit: Visit) -> Value:
    layer: Any = visit.layer
    (top, _), (left, _) = layer.cropping
    rows, columns, _ = visit.output_shape
    ends = {"starts": [top, left], "ends": [top + rows, left + columns], "axes": [2, 3]}
    held = [writer.array(numbers, name, np.int64) for name, numbers in ends.items()]
    return writer.maps(writer.node("Slice", writer.first(visit).name, *held), visit.output_shape)


def write_upsampling(writer: Writer, visit: Visit) -> Value:
    layer: Any = visit.layer
    scales = writer.array([1, 1, *layer.size], "scales")
    how = RESIZE[layer.interpolation]
    return writer.maps(writer.node("Resize", writer.first(visit).name, "", scales, **how), visit.output_shape)


RESIZE = {
    "nearest": {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
    "bilinear": {"mode": "linear", "coordinate_transformation_mode": "half_pixel"},
}
"""Our interpolations as ONNX's modes."""
