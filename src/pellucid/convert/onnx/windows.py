"""Convolutions and pooling."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid import layers as L
from pellucid.convert.onnx.activation import activated, power, read_absolute
from pellucid.convert.onnx.reading import Held, Inexpressible, Node, Reader
from pellucid.convert.onnx.writing import Value, Writer, vector
from pellucid.layers.graph import Visit
from pellucid.ops.geometry import NO_PADS, Array, Pads, Pair, Shape, resolve_padding, transposed_size


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
    series, _ = _of(visit)
    pointwise = writer.array(oihw(layer.pointwise_filters, series), "pointwise_kernel")
    inputs = [name, pointwise, *_bias(writer, layer)]
    return _finished(writer, visit, writer.node("Conv", *inputs, kernel_shape=_both(series, (1, 1))))


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
    series, shape = _of(visit)
    options = layer.options(shape)
    (rows, columns, _), pads = shape, options["padding"]
    least = transposed_size((rows, columns), layer.kernel_size, options["strides"], pads, (0, 0), options["dilation"])
    ends = [1, visit.output_shape[0]] if series else visit.output_shape[:2]
    more = [out - base for out, base in zip(ends, least, strict=True)]
    kernel = writer.array(oihw(layer.as_filters(layer.params["kernel"]), series), "kernel")
    name = writer.node(
        "ConvTranspose",
        writer.first(visit).name,
        kernel,
        *_bias(writer, layer),
        kernel_shape=_both(series, layer.kernel_size),
        strides=_both(series, options["strides"]),
        dilations=_both(series, options["dilation"]),
        pads=_pads(series, pads),
        output_padding=more[1:] if series else more,
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
    layer: Any = visit.layer
    operator = "GlobalMaxPool" if layer.reduction == "max" else "GlobalAveragePool"
    pooled = writer.node(operator, writer.first(visit).name)
    if layer.keepdims:
        return writer.maps(pooled, visit.output_shape)
    return Value(writer.node("Flatten", pooled), visit.output_shape, (1,))


# Reading


@dataclass(frozen=True)
class Window:
    """A sliding window as a node describes it, of pictures; a series is one row."""

    series: bool
    kernel: Pair
    strides: Pair
    dilation: Pair
    padding: Pads

    @classmethod
    def of(cls, node: Node, size: Shape, kernel: Sequence[int]) -> Window:
        """Shapes: size (H,W) or (W,); kernel likewise. Errors: Inexpressible for other numbers of axes."""
        axes = len(size)
        if axes not in (1, 2) or len(kernel) != axes:
            raise Inexpressible(f"windows over {axes} axes; those over 1 and 2 have layers")

        def both(name: str) -> Pair:
            given = [int(number) for number in node.attributes.get(name, [1] * axes)]
            return (1, given[0]) if axes == 1 else (given[0], given[1])

        sizes = (1, int(kernel[0])) if axes == 1 else (int(kernel[0]), int(kernel[1]))
        strides, dilation = both("strides"), both("dilations")
        auto = node.attributes.get("auto_pad", "NOTSET")
        if auto.startswith("SAME"):
            picture = (1, size[0]) if axes == 1 else (size[0], size[1])
            pads: Any = resolve_padding("same", picture, sizes, strides, dilation)
            if auto == "SAME_LOWER":
                pads = tuple((behind, before) for before, behind in pads)
        else:
            given = [int(number) for number in node.attributes.get("pads", [0] * 2 * axes)]
            found = tuple(zip(given[:axes], given[axes:], strict=True))
            pads = ((0, 0), *found) if axes == 1 else found
        return cls(axes == 1, sizes, strides, dilation, pads)

    def one(self, sizes: Pair) -> Any:
        """Sizes as the layer's argument."""
        return sizes[1] if self.series else sizes

    @property
    def pads(self) -> Any:
        return self.padding[1] if self.series else self.padding


def read_conv(reader: Reader, node: Node) -> Held:
    held, weights = node.held(), node.weights(1)
    bias = node.constant(2)
    groups, filters, channels = int(node.attributes.get("group", 1)), weights.shape[0], weights.shape[1]
    size = held.sizes[1:]
    if held.axes == (1,) and math.prod(weights.shape[2:]) == 1 and groups == 1:  # a row as maps of one place
        plain = not any(node.attributes.get("pads", [0]))
        if plain:
            return _row(reader, held, weights.reshape(filters, channels).T, bias)
    x = reader.maps(held)
    window = Window.of(node, tuple(size), weights.shape[2:])
    kernel = weights.transpose(*range(2, weights.ndim), 1, 0)
    arguments: dict[str, Any] = {
        "kernel_size": window.one(window.kernel),
        "strides": window.one(window.strides),
        "padding": window.pads,
        "dilation_rate": window.one(window.dilation),
        "use_bias": bias is not None,
    }
    arrays = {"kernel": kernel} if bias is None else {"kernel": kernel, "bias": bias}
    if groups == x.shape[-1] and channels == 1 and groups > 1:
        arrays["kernel"] = kernel.reshape(*kernel.shape[:-2], groups, -1)
        each = L.DepthwiseConv1D if window.series else L.DepthwiseConv2D
        return reader.of_maps(reader.layer(lambda: each(depth_multiplier=filters // groups, **arguments), x, **arrays))
    kind = L.Conv1D if window.series else L.Conv2D
    return reader.of_maps(reader.layer(lambda: kind(filters, groups=groups, **arguments), x, **arrays))


def _row(reader: Reader, held: Held, kernel: Array, bias: Any) -> Held:
    arrays = {"kernel": kernel} if bias is None else {"kernel": kernel, "bias": bias}
    units = kernel.shape[1]
    value = reader.layer(lambda: L.Dense(units, use_bias=bias is not None), held.value, **arrays)
    return Held(value, held.axes, held.rank)


def read_transposed(reader: Reader, node: Node) -> Held:
    """Groups as one kernel with zeros between them."""
    held, weights, bias = node.held(), node.weights(1), node.constant(2)
    groups, (inputs, each) = int(node.attributes.get("group", 1)), weights.shape[:2]
    if groups > 1:
        if inputs * each * groups * math.prod(weights.shape[2:]) > MAX_SPREAD:
            raise Inexpressible(f"{groups} groups, which as one kernel would take too many numbers")
        spread = np.zeros((inputs, each * groups, *weights.shape[2:]), np.float32)
        for group in range(groups):
            rows, columns = (slice(group * n // groups, (group + 1) * n // groups) for n in (inputs, each * groups))
            spread[rows, columns] = weights[rows]
        weights = spread
    x, axes = reader.maps(held), held.rank - 2
    window = Window.of(node, tuple(held.sizes[1:]), weights.shape[2:])
    sizes = (1, *held.sizes[1:]) if window.series else tuple(held.sizes[1:])
    given = [int(number) for number in node.attributes.get("output_padding", [0] * axes)]
    more = (0, given[0]) if window.series else (given[0], given[1])
    pads: Any = window.padding
    wanted, auto = node.attributes.get("output_shape"), node.attributes.get("auto_pad", "NOTSET")
    if wanted is not None or auto.startswith("SAME"):
        out = [n * s for n, s in zip(sizes, window.strides, strict=True)] if wanted is None else [*wanted]
        out = [1, out[-1]] if window.series else out
        least = transposed_size(sizes, window.kernel, window.strides, NO_PADS, more, window.dilation)  # type: ignore[arg-type]
        total = [a - int(b) for a, b in zip(least, out, strict=True)]
        more = tuple(m + max(-t, 0) for m, t in zip(more, total, strict=True))  # type: ignore[assignment]
        half = [(max(t, 0) // 2, max(t, 0) - max(t, 0) // 2) for t in total]
        pads = tuple(each if auto == "SAME_UPPER" else each[::-1] for each in half)
    kernel = weights.transpose(*range(2, weights.ndim), 1, 0)
    arrays = {"kernel": kernel, **({} if bias is None else {"bias": bias})}
    kind = L.Conv1DTranspose if window.series else L.Conv2DTranspose
    sized = window.one(window.kernel), window.one(window.strides), pads[1] if window.series else pads, window.one(more)
    spread = window.one(window.dilation)
    y = reader.layer(
        lambda: kind(weights.shape[1], *sized, dilation_rate=spread, use_bias=bias is not None), x, **arrays
    )
    return reader.of_maps(y)


MAX_SPREAD = 1 << 24
"""Numbers of a kernel that holds zeros between groups."""


def read_pool(reader: Reader, node: Node) -> Held:
    held = node.held()
    x = reader.maps(held)
    window = Window.of(node, tuple(held.sizes[1:]), node.attributes["kernel_shape"])
    if window.dilation != (1, 1):
        raise Inexpressible("dilated pooling")
    if node.outputs > 1:
        raise Inexpressible("the places of the maxima as an output")
    ceil = bool(node.attributes.get("ceil_mode", 0))
    sizes = window.one(window.kernel), window.one(window.strides), window.pads
    if node.operator == "MaxPool":
        kind = L.MaxPool1D if window.series else L.MaxPool2D
        return reader.of_maps(reader.layer(lambda: kind(*sizes, ceil_mode=ceil), x))
    counted = bool(node.attributes.get("count_include_pad", 0))
    mean = L.AvgPool1D if window.series else L.AvgPool2D
    return reader.of_maps(reader.layer(lambda: mean(*sizes, ceil_mode=ceil, count_include_pad=counted), x))


def read_global_pool(reader: Reader, node: Node) -> Held:
    return reduced(reader, node.held(), list(range(2, node.held().rank)), True, node.operator == "GlobalMaxPool")


REDUCTIONS = tuple(f"Reduce{kind}" for kind in ("Mean", "Max", "Min", "Sum", "SumSquare", "L1", "L2"))


def read_reduced(reader: Reader, node: Node) -> Held:
    """A sum is the mean as often as there are numbers; the smallest the largest of what is negated."""
    held, axes = node.held(), node.numbers("axes", 1)
    if not axes:
        raise Inexpressible("over the batch")
    kind, over = node.operator.removeprefix("Reduce"), [held.axis(axis) for axis in axes]
    if kind in ("SumSquare", "L2"):
        held = power(reader, held, 2)
    elif kind == "L1":
        held = read_absolute(reader, node)
    sign = -1.0 if kind == "Min" else 1.0
    held = held if sign == 1 else reader.scaled(held, sign, 0.0)
    found = reduced(reader, held, over, bool(node.attributes.get("keepdims", 1)), kind in ("Max", "Min"))
    if kind in ("Sum", "SumSquare", "L1", "L2"):
        sign = float(math.prod(held.sizes[axis - 1] for axis in over))
    found = found if sign == 1 else reader.scaled(found, sign, 0.0)
    return power(reader, found, 0.5) if kind == "L2" else found


def reduced(reader: Reader, held: Held, axes: list[int], keep: bool, largest: bool) -> Held:
    """The mean, or the largest, over axes of the tensor."""
    held = reader.settled(held)
    over = [axis for axis in held.axes if axis in axes]
    left = tuple(axis for axis in held.axes if axis not in axes)
    value = held.value
    if over:
        value = reader.arranged(held, (*over, *left))
        shape = value.shape[len(over) :]
        if len(left) != 1 or len(over) > 2:
            joined = math.prod(value.shape[: len(over)]), math.prod(shape)
            before = value
            value = reader.layer(lambda: L.Reshape(joined), before)
        kinds = (L.GlobalMaxPool1D, L.GlobalMaxPool2D) if largest else (L.GlobalAvgPool1D, L.GlobalAvgPool2D)
        kind = kinds[len(value.shape) - 2]
        pooled = reader.layer(kind, value)
        value = pooled if len(left) == 1 else reader.layer(lambda: L.Reshape(shape or (1,)), pooled)
    if keep:
        return Held(value, left or (over[0],), held.rank)
    gone = sorted(axes)
    moved = tuple(axis - sum(each < axis for each in gone) for axis in left)
    if not left:
        return Held(value, (1,), 2)
    return Held(value, moved, held.rank - len(gone))
