"""Convolutions and pooling."""

from __future__ import annotations

import math
from typing import Any

from pellucid.convert.onnx.activation import activated
from pellucid.convert.onnx.writing import Value, Writer, vector
from pellucid.layers.graph import Visit
from pellucid.ops.geometry import NO_PADS, Array, Pads, Pair, Shape, transposed_size


def oihw(kernel: Array, series: bool) -> Array:
    """A kernel (KH,KW,C,O) as ONNX has it: (O,C,KH,KW), of a series (O,C,KW)."""
    turned = kernel.transpose(3, 2, 0, 1)
    return turned[:, :, 0] if series else turned


def _of(visit: Visit) -> tuple[bool, Shape]:
    """Whether it is a series, and its shape as that of pictures."""
    shape = visit.input_shape
    return len(shape) == 2, shape if len(shape) == 3 else (1, *shape)


def _both(series: bool, sizes: Pair) -> list[int]:
    return list(sizes[1:] if series else sizes)


def _pads(series: bool, pads: Pads) -> list[int]:
    """(top, left, bottom, right), of a series (left, right)."""
    used = pads[1:] if series else pads
    return [before for before, _ in used] + [behind for _, behind in used]


def write_conv(writer: Writer, visit: Visit) -> Value:
    return _finished(writer, visit, _convolved(writer, visit, "kernel"))


def write_separable(writer: Writer, visit: Visit) -> Value:
    layer: Any = visit.layer
    name = _convolved(writer, visit, "depthwise_kernel", bias=False)
    pointwise = writer.array(oihw(layer.params["pointwise_kernel"], False), "pointwise_kernel")
    inputs = [name, pointwise, *_bias(writer, layer)]
    return _finished(writer, visit, writer.node("Conv", *inputs, kernel_shape=[1, 1]))


def _bias(writer: Writer, layer: Any) -> list[str]:
    return [writer.array(layer.params["bias"], "bias")] if layer.use_bias else []


def _convolved(writer: Writer, visit: Visit, name: str, *, bias: bool = True) -> str:
    series, shape = _of(visit)
    layer: Any = visit.layer
    options = layer.options(shape)
    kernel = writer.array(oihw(layer.as_filters(layer.params[name]), series), name)
    return writer.node(
        "Conv",
        writer.first(visit).name,
        kernel,
        *(_bias(writer, layer) if bias else []),
        kernel_shape=_both(series, layer.kernel_size),
        strides=_both(series, options["strides"]),
        dilations=_both(series, options["dilation"]),
        pads=_pads(series, options["padding"]),
        group=options["groups"],
    )


def _finished(writer: Writer, visit: Visit, name: str) -> Value:
    value = writer.maps(name, visit.output_shape)
    return activated(writer, value, visit.layer.nonlinearity)


def write_transposed(writer: Writer, visit: Visit) -> Value:
    layer: Any = visit.layer
    options = layer.options(visit.input_shape)
    (rows, columns, _), pads = visit.input_shape, options["padding"]
    least = transposed_size((rows, columns), layer.kernel_size, options["strides"], pads, (0, 0), options["dilation"])
    more = [out - base for out, base in zip(visit.output_shape[:2], least, strict=True)]
    kernel = writer.array(oihw(layer.params["kernel"], False), "kernel")
    name = writer.node(
        "ConvTranspose",
        writer.first(visit).name,
        kernel,
        *_bias(writer, layer),
        kernel_shape=list(layer.kernel_size),
        strides=list(options["strides"]),
        dilations=list(options["dilation"]),
        pads=_pads(False, pads),
        output_padding=more,
    )
    return _finished(writer, visit, name)


def write_pool(writer: Writer, visit: Visit) -> Value:
    """The rows and columns that ceil_mode adds are written as pads: that word's meaning has changed with the opset."""
    layer: Any = visit.layer
    series, shape = _of(visit)
    pads, counted, x = layer.pads(shape), layer.counted(shape), writer.first(visit).name
    attributes: dict[str, Any] = {}
    if counted != NO_PADS:
        if counted == pads:
            attributes["count_include_pad"] = 1
        else:
            x = writer.node("Pad", x, writer.array([0, 0, *_halves(series, counted)], "counted", int))
            pads = tuple((0, behind - own) for (_, behind), (_, own) in zip(pads, counted, strict=True))
    name = writer.node(
        "MaxPool" if layer.reduction == "max" else "AveragePool",
        x,
        kernel_shape=_both(series, layer.pool_size),
        strides=_both(series, layer.strides),
        pads=_pads(series, pads),
        **attributes,
    )
    return writer.maps(name, visit.output_shape)


def _halves(series: bool, pads: Pads) -> list[int]:
    both = _pads(series, pads)
    half = len(both) // 2
    return [*both[:half], 0, 0, *both[half:]]


def write_subsampling(writer: Writer, visit: Visit) -> Value:
    layer: Any = visit.layer
    value = write_pool(writer, visit)
    kernel = layer.params["kernel"] * math.prod(layer.pool_size)
    name = writer.node("Mul", value.name, vector(writer, kernel, value, "kernel"))
    name = writer.node("Add", name, vector(writer, layer.params["bias"], value, "bias"))
    return writer.maps(name, visit.output_shape)


def write_global_pool(writer: Writer, visit: Visit) -> Value:
    operator = "GlobalMaxPool" if visit.layer.reduction == "max" else "GlobalAveragePool"  # type: ignore[attr-defined]
    pooled = writer.node(operator, writer.first(visit).name)
    return Value(writer.node("Flatten", pooled), visit.output_shape, (1,))
