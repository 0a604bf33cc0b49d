"""Layers whose units see every input."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid import layers as L
from pellucid.convert.onnx.activation import activated
from pellucid.convert.onnx.axes import channels_last, flattened
from pellucid.convert.onnx.reading import Held, Inexpressible, Node, Reader
from pellucid.convert.onnx.writing import Value, Writer
from pellucid.layers.graph import Visit
from pellucid.ops.geometry import Array


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


def read_gemm(reader: Reader, node: Node) -> Held:
    """alpha * x @ b + beta * c."""
    held, weights = node.held(), node.weights(1)
    attributes = node.attributes
    if attributes.get("transA", 0):
        raise Inexpressible("transA=1, which makes the batch an input of the units")
    kernel = (weights.T if attributes.get("transB", 0) else weights) * np.float32(attributes.get("alpha", 1.0))
    bias = node.constant(2)
    if bias is None:
        return multiplied(reader, held, kernel, None)
    bias = np.asarray(bias, np.float32) * np.float32(attributes.get("beta", 1.0))
    if bias.ndim == 2 and bias.shape[0] != 1:
        raise Inexpressible("a bias for each picture of a batch")
    return multiplied(reader, held, kernel, np.broadcast_to(bias.reshape(-1), kernel.shape[1:]))


def read_matmul(reader: Reader, node: Node) -> Held:
    left = isinstance(node.inputs[0], np.ndarray)
    held, weights = node.held(int(left)), node.weights(int(not left))
    if left and weights.ndim == 2:
        return reader.mixed(held, held.axis(-2), weights.T)
    if weights.ndim != 2:
        raise Inexpressible(f"a matrix with {weights.ndim} axes")
    return multiplied(reader, held, weights, None)


def multiplied(reader: Reader, held: Held, kernel: Array, bias: Array | None) -> Held:
    """A dense layer over the tensor's last axis; what was flattened in another order has its rows put in ours."""
    units, last = kernel.shape[1], held.rank - 1
    if held.flat is not None:
        places = flattened(*held.flat)
        if places is not None:
            turned = np.empty_like(kernel)
            turned[places] = kernel
            kernel = turned
        value, axes = held.value, held.axes
    else:
        axes = (*(axis for axis in held.axes if axis != last), last)
        value = reader.arranged(held, axes)
    arrays = {"kernel": kernel} if bias is None else {"kernel": kernel, "bias": bias}
    return Held(reader.layer(lambda: L.Dense(units, use_bias=bias is not None), value, **arrays), axes, held.rank)
