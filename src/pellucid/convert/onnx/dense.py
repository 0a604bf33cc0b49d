"""Layers whose units see every input."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.convert.onnx.activation import activated
from pellucid.convert.onnx.axes import channels_last, flattened
from pellucid.convert.onnx.writing import Value, Writer
from pellucid.layers.graph import Visit


def write_dense(writer: Writer, visit: Visit) -> Value:
    """Rows that were flattened channels first stay so: the kernel's rows are put in that order."""
    layer: Any = visit.layer
    kernel, value = layer.params["kernel"], writer.reads(visit)[0]
    bias = [writer.array(layer.params["bias"], "bias")] if layer.use_bias else []
    if value.flat is not None:
        places = flattened(*value.flat)
        kernel = kernel if places is None else kernel[places]
    else:
        value = writer.as_ours(value)
    weights = writer.array(kernel, "kernel")
    if len(value.shape) == 1:
        name = writer.node("Gemm", value.name, weights, *bias)
    else:
        name = writer.node("MatMul", value.name, weights)
        name = writer.node("Add", name, *bias) if bias else name
    given = Value(name, visit.output_shape, channels_last(len(visit.output_shape)))
    return activated(writer, given, layer.nonlinearity)


def write_rbf(writer: Writer, visit: Visit) -> Value:
    """2 x.w - |w|^2 - |x|^2, the last as a matrix product of x^2 with ones."""
    kernel = visit.layer.params["kernel"]
    x = writer.last(visit).name
    products = writer.node(
        "Gemm", x, writer.array(2 * kernel, "kernel"), writer.array(-np.square(kernel).sum(axis=0), "bias")
    )
    squares = writer.node("Gemm", writer.node("Mul", x, x), writer.array(np.ones_like(kernel), "ones"))
    return Value(writer.node("Sub", products, squares), visit.output_shape, (1,))
