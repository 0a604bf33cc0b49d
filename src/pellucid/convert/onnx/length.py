"""Layers that measure numbers by their length."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from pellucid.convert.onnx.axes import channels_last
from pellucid.convert.onnx.writing import Value, Writer
from pellucid.layers.graph import Visit
from pellucid.layers.length import LEAST


def _divided(writer: Writer, name: str, axes: list[int], operator: str, least: float, how: str) -> str:
    """A tensor by the root of what `operator` makes of its squares along these axes; `how` brings `least` in."""
    squares = writer.node("Mul", name, name)
    found = writer.node(operator, squares, writer.array(axes, "axes", np.int64), keepdims=1)
    return writer.node("Div", name, writer.node("Sqrt", writer.node(how, found, writer.array(least, "least"))))


def write_unit(writer: Writer, visit: Visit) -> Value:
    layer: Any = visit.layer
    value = writer.last(visit)
    axes = list(layer.axes_of(len(value.shape) + 1))
    return replace(value, name=_divided(writer, value.name, axes, "ReduceSum", LEAST, "Max"))


def write_rms_norm(writer: Writer, visit: Visit) -> Value:
    layer: Any = visit.layer
    value = writer.last(visit)
    axes = list(layer.axes_of(len(value.shape) + 1))
    name = _divided(writer, value.name, axes, "ReduceMean", layer.epsilon, "Add")
    return replace(value, name=writer.node("Mul", name, writer.array(layer.params["gamma"], "gamma")))


def write_dot(writer: Writer, visit: Visit) -> Value:
    """Both with the axis that goes last, (N, others, K), as one MatMul."""
    layer: Any = visit.layer
    rows = []
    for value, axis in zip(writer.reads(visit), layer.axes_of(visit.input_shapes), strict=True):
        value, rank = writer.as_ours(value), len(value.shape) + 1
        moved = writer.node("Transpose", value.name, perm=[*(i for i in range(rank) if i != axis), axis])
        name = writer.shaped(moved, [-1, value.shape[axis - 1]])
        rows.append(_divided(writer, name, [2], "ReduceSum", LEAST, "Max") if layer.normalize else name)
    name = writer.node("MatMul", rows[0], writer.node("Transpose", rows[1], perm=[0, 2, 1]))
    shape = visit.output_shape
    return Value(writer.shaped(name, list(shape)), shape, channels_last(len(shape)))
