"""Activations: a table of those that both have, and what the others are made of."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from pellucid import layers as L
from pellucid.convert.onnx.merging import joined
from pellucid.convert.onnx.reading import BATCH, Held, Inexpressible, Node, Reader
from pellucid.convert.onnx.writing import Value, Writer
from pellucid.errors import ConfigError
from pellucid.layers import Layer
from pellucid.layers.graph import Visit
from pellucid.layers.traits import Nonlinearity
from pellucid.ops.geometry import LARGEST

KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "relu": ("Relu", {}),
    "sigmoid": ("Sigmoid", {}),
    "tanh": ("Tanh", {}),
    "softplus": ("Softplus", {}),
    "softsign": ("Softsign", {}),
    "selu": ("Selu", {"alpha": 1.6732631921768188, "gamma": 1.0507010221481323}),
    "hard_sigmoid": ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}),
    "hard_silu": ("HardSwish", {}),
    "elu": ("Elu", {"alpha": 1.0}),
    "leaky_relu": ("LeakyRelu", {"alpha": 0.01}),
    "exponential": ("Exp", {}),
    "mish": ("Mish", {}),
}
"""Ours -> ONNX's operator, and its attributes with the values that ours has; alpha of those in SLOPED is our slope."""

SLOPED = ("elu", "leaky_relu")
ROWS = {"softmax": "Softmax", "log_softmax": "LogSoftmax"}
"""Those that run over an axis."""


def activated(writer: Writer, value: Value, how: Nonlinearity | None, axis: int = -1) -> Value:
    """f(value). axis: that those of ROWS run over, among ours. Errors: ConfigError for what ONNX lacks."""
    if how is None:
        return value
    name = value.name
    if how.steepness != 1:
        name = writer.node("Mul", name, writer.array(how.steepness, "steepness"))
    if how.kind in ROWS:
        value = writer.settled(value)
        name = writer.node(ROWS[how.kind], value.name, axis=value.axes[axis])
    elif how.kind in SLOPED:
        name = writer.node(KINDS[how.kind][0], name, alpha=how.numbers["slope"])
    elif how.kind in KINDS:
        operator, attributes = KINDS[how.kind]
        name = writer.node(operator, name, **attributes)
    elif how.kind in MADE:
        name = MADE[how.kind](writer, name, **how.numbers)
    else:
        raise ConfigError(f"the activation {how.kind} is not known to ONNX; use another, such as relu")
    if how.amplitude != 1:
        name = writer.node("Mul", name, writer.array(how.amplitude, "amplitude"))
    return replace(value, name=name)


def _bounded(writer: Writer, name: str, slope: float, threshold: float, ceiling: float) -> str:
    """min(x, ceiling) above the threshold, less slope * (threshold - x) below."""
    top = writer.node("ThresholdedRelu", name, alpha=threshold) if threshold else name
    bounds = [writer.array(0, "floor")] + ([writer.array(ceiling, "ceiling")] if math.isfinite(ceiling) else [])
    top = writer.node("Clip", top, *bounds)
    if not slope:
        return top
    below = writer.node("Relu", writer.node("Sub", writer.array(threshold, "threshold"), name))
    return writer.node("Sub", top, writer.node("Mul", below, writer.array(slope, "slope")))


def _silu(writer: Writer, name: str) -> str:
    return writer.node("Mul", name, writer.node("Sigmoid", name))


def _gelu(writer: Writer, name: str) -> str:
    """x / 2 * (1 + erf(x / sqrt 2)): Gelu itself came with opset 20."""
    error = writer.node("Erf", writer.node("Div", name, writer.array(math.sqrt(2), "root")))
    above = writer.node("Add", error, writer.array(1, "one"))
    return writer.node("Mul", writer.node("Mul", name, above), writer.array(0.5, "half"))


def _gelu_tanh(writer: Writer, name: str) -> str:
    """x * sigmoid(c x (1 + 0.044715 x^2)), c = 2 sqrt(2 / pi)."""
    square = writer.node("Mul", name, name)
    factor = 2 * math.sqrt(2 / math.pi)
    cubic = writer.node(
        "Add", writer.node("Mul", square, writer.array(0.044715 * factor, "cubic")), writer.array(factor, "linear")
    )
    return writer.node("Mul", name, writer.node("Sigmoid", writer.node("Mul", name, cubic)))


def _log_sigmoid(writer: Writer, name: str) -> str:
    return writer.node("Neg", writer.node("Softplus", writer.node("Neg", name)))


def _clipped(writer: Writer, name: str, low: float, high: float) -> str:
    return writer.node("Clip", name, writer.array(low, "least"), writer.array(high, "most"))


def _sparse_plus(writer: Writer, name: str) -> str:
    """min(max(x + 1, 0), 2)^2 / 4 + max(x - 1, 0)."""
    one = writer.array(1, "one")
    inside = _clipped(writer, writer.node("Add", name, one), 0, 2)
    curve = writer.node("Mul", writer.node("Mul", inside, inside), writer.array(0.25, "quarter"))
    return writer.node("Add", curve, writer.node("Relu", writer.node("Sub", name, one)))


def _squareplus(writer: Writer, name: str, slope: float) -> str:
    root = writer.node("Sqrt", writer.node("Add", writer.node("Mul", name, name), writer.array(slope, "b")))
    return writer.node("Mul", writer.node("Add", name, root), writer.array(0.5, "half"))


MADE: dict[str, Callable[..., str]] = {
    "relu6": _bounded,
    "silu": _silu,
    "gelu": _gelu,
    "gelu_tanh": _gelu_tanh,
    "celu": lambda writer, name, slope: writer.node("Celu", name, alpha=slope),
    "hard_shrink": lambda writer, name, threshold: writer.node("Shrink", name, lambd=threshold),
    "soft_shrink": lambda writer, name, threshold: writer.node("Shrink", name, lambd=threshold, bias=threshold),
    "hard_tanh": lambda writer, name: _clipped(writer, name, -1, 1),
    "log_sigmoid": _log_sigmoid,
    "sparse_plus": _sparse_plus,
    "sparse_sigmoid": lambda writer, name: writer.node("HardSigmoid", name, alpha=0.5, beta=0.5),
    "squareplus": _squareplus,
    "tanh_shrink": lambda writer, name: writer.node("Sub", name, writer.node("Tanh", name)),
}


def write_activation(writer: Writer, visit: Visit) -> Value:
    return activated(writer, writer.reads(visit)[0], visit.layer.nonlinearity)


def write_softmax(writer: Writer, visit: Visit) -> Value:
    layer: Any = visit.layer
    value = writer.settled(writer.reads(visit)[0])
    return activated(writer, value, layer.nonlinearity, layer.place_of(len(value.shape)))


def write_prelu(writer: Writer, visit: Visit) -> Value:
    value = writer.settled(writer.reads(visit)[0])
    alpha = visit.layer.params["alpha"].transpose(np.argsort(value.axes))
    return replace(value, name=writer.node("PRelu", value.name, writer.array(alpha, "alpha")))


def write_power(writer: Writer, visit: Visit) -> Value:
    layer: Any = visit.layer
    value = writer.reads(visit)[0]
    return replace(value, name=writer.node("Pow", value.name, writer.array(layer.exponent, "exponent")))


# Reading

OURS = {operator: kind for kind, (operator, _) in KINDS.items()} | {"Gelu": "gelu", "Swish": "silu"}


def read_activation(reader: Reader, node: Node) -> Held:
    """One of KINDS; with other numbers than ours has, made of it by scaling before and behind."""
    held, kind = node.held(), OURS[node.operator]
    numbers = {**KINDS.get(kind, ("", {}))[1], **_defaults(node.operator), **node.attributes}
    if kind in SLOPED:
        made = {"elu": L.ELU, "leaky_relu": L.LeakyReLU}[kind]
        return through(reader, held, lambda: made(float(numbers["alpha"])))
    if kind == "hard_sigmoid" and not _near(numbers, KINDS[kind][1]):
        held = reader.scaled(held, numbers["alpha"], numbers["beta"])
        return through(reader, held, lambda: L.ReLU(1.0))
    if kind == "selu" and not _near(numbers, KINDS[kind][1]):
        held = through(reader, held, lambda: L.ELU(float(numbers["alpha"])))
        return reader.scaled(held, numbers["gamma"], 0.0)
    if kind == "silu" and numbers.get("alpha", 1.0) != 1:
        gate = through(reader, reader.scaled(held, numbers["alpha"], 0.0), L.Sigmoid)
        return Held(reader.layer(L.Multiply, held.value, gate.value), held.axes, held.rank, held.flat)
    if numbers.get("approximate", "none") not in ("none", b"none"):
        kind = "gelu_tanh"
    return through(reader, held, lambda: L.Activation(kind))


def _defaults(operator: str) -> dict[str, float]:
    """Of attributes that a file leaves out, where they are not ours."""
    return {"HardSigmoid": {"alpha": 0.2, "beta": 0.5}}.get(operator, {})


def _near(numbers: Mapping[str, Any], ours: Mapping[str, Any]) -> bool:
    return all(math.isclose(float(numbers[name]), value, rel_tol=1e-6) for name, value in ours.items())


def through(reader: Reader, held: Held, made: Callable[[], Layer]) -> Held:
    """A layer that works on each number by itself."""
    return replace(held, value=reader.layer(made, held.value))


def read_clip(reader: Reader, node: Node) -> Held:
    """min(max(x, low), high) by a ReLU of what is shifted; far bounds one after the other, as a shift would round."""
    held = node.held()
    low, high = (node.given(name, i) for i, name in enumerate(("min", "max"), 1))
    low, high = (None if each is None else float(np.asarray(each).reshape(-1)[0]) for each in (low, high))
    low = None if low is not None and low <= -LARGEST else low
    high = None if high is not None and high >= LARGEST else high
    if low is None and high is None:
        return held
    if low is not None and high is not None and high <= low:
        return reader.scaled(held, 0.0, high)
    if high is not None and high >= 0 and (low is None or high - low > MAX_SHIFT):  # as it is from 0 to high, and below
        held = through(reader, held, lambda: L.ReLU(high, negative_slope=1.0))
        return read_clip(reader, replace(node, inputs=[held], attributes={} if low is None else {"min": low}))
    if low is None or (high is None and low < 0):  # -min(-x, -low)
        bound, held = (-high if low is None else -low), reader.scaled(held, -1.0, 0.0)  # type: ignore[operator]
        side = "min" if low is None else "max"
        return reader.scaled(read_clip(reader, replace(node, inputs=[held], attributes={side: bound})), -1.0, 0.0)
    held = reader.scaled(held, 1.0, -low) if low else held
    held = through(reader, held, lambda: L.ReLU(None if high is None else high - low))
    return reader.scaled(held, 1.0, low) if low else held


MAX_SHIFT = 256


def read_extreme(reader: Reader, node: Node) -> Held:
    """The largest, or the smallest, of values; a constant of one number cuts them off as Clip does."""
    values = [each for each in node.inputs if isinstance(each, Held)]
    known = [np.asarray(each) for each in node.inputs if each is not None and not isinstance(each, Held)]
    if any(each.size != 1 for each in known):
        raise Inexpressible("a constant of several numbers")
    bounds = [float(each.reshape(-1)[0]) for each in known]
    largest = node.operator == "Max"
    held = joined(reader, values, L.Maximum if largest else L.Minimum) if len(values) > 1 else values[0]
    bound = {"min": max(bounds)} if bounds and largest else {"max": min(bounds)} if bounds else {}
    return read_clip(reader, replace(node, inputs=[held], attributes=bound))


def read_absolute(reader: Reader, node: Node) -> Held:
    """max(x, -x)."""
    held = node.held()
    return joined(reader, [held, reader.scaled(held, -1.0, 0.0)], L.Maximum)


def read_power(reader: Reader, node: Node) -> Held:
    """x^p of a known p; the square root and the reciprocal among them."""
    fixed = {"Sqrt": 0.5, "Reciprocal": -1.0}.get(node.operator)
    exponent = np.asarray(node.constant(1)) if fixed is None else np.asarray(fixed)
    if exponent.size != 1:
        raise Inexpressible("several exponents")
    return power(reader, node.held(), float(exponent.reshape(-1)[0]))


def power(reader: Reader, held: Held, exponent: float) -> Held:
    """x * x for a square."""
    if exponent == 2:
        return replace(held, value=reader.layer(L.Multiply, held.value, held.value))
    return held if exponent == 1 else through(reader, held, lambda: L.Power(exponent))


def read_thresholded(reader: Reader, node: Node) -> Held:
    return through(reader, node.held(), lambda: L.ReLU(threshold=float(node.attributes.get("alpha", 1.0))))


def read_celu(reader: Reader, node: Node) -> Held:
    """alpha * elu(x / alpha)."""
    alpha = float(node.attributes.get("alpha", 1.0))
    held = through(reader, reader.scaled(node.held(), 1 / alpha, 0.0), L.ELU)
    return reader.scaled(held, alpha, 0.0)


def read_shrink(reader: Reader, node: Node) -> Held:
    """Those of ours have the threshold 0.5, and as bias 0 or the threshold."""
    threshold, bias = float(node.attributes.get("lambd", 0.5)), float(node.attributes.get("bias", 0.0))
    if bias not in (0, threshold) or threshold <= 0:
        raise Inexpressible(f"a bias of {bias:g} beside a threshold of {threshold:g}")
    held = reader.scaled(node.held(), 0.5 / threshold, 0.0)
    held = through(reader, held, lambda: L.Activation("soft_shrink" if bias else "hard_shrink"))
    return reader.scaled(held, threshold / 0.5, 0.0)


def read_softmax(reader: Reader, node: Node) -> Held:
    """Before opset 13 over the axis and all behind it, and the axis is 1 where none is said."""
    held, old = node.held(), node.opset < 13
    kind = "softmax" if node.operator == "Softmax" else "log_softmax"
    axis = held.axis(int(node.attributes.get("axis", 1 if old else -1)))
    if old and any(size > 1 for size in held.sizes[axis:]):
        if axis != 1:
            raise Inexpressible("over several axes, but not all")
        row = reader.reshaped(held, [BATCH, -1])
        soft = replace(row, value=reader.layer(lambda: L.Activation(kind), row.value))
        return reader.reshaped(soft, [BATCH, *held.sizes])
    if axis not in held.axes:
        return reader.scaled(held, 0.0, 1.0 if kind == "softmax" else 0.0)
    place = held.axes.index(axis)
    if kind == "softmax":
        soft = through(reader, held, lambda: L.Softmax(place + 1))
        reader.softmaxes[soft.value] = node
        return soft
    axes = (*(each for each in held.axes if each != axis), axis)
    if held.flat is None:
        held = Held(reader.arranged(held, axes), axes, held.rank)
    return through(reader, held, lambda: L.Activation(kind))


def read_log(reader: Reader, node: Node) -> Held:
    """Of what a softmax gives."""
    soft = reader.softmaxes.get(node.held().value)
    if soft is None:
        raise Inexpressible("of anything but a softmax")
    return read_softmax(reader, replace(soft, operator="LogSoftmax"))


def read_prelu(reader: Reader, node: Node) -> Held:
    held, slope = reader.settled(node.held()), node.weights(1)
    slope = slope.reshape((1,) * (held.rank - slope.ndim) + slope.shape)
    if slope.shape[0] != 1:
        raise Inexpressible("a slope for each picture of a batch")
    shape = tuple(slope.shape[axis] for axis in held.axes)
    shared = [place for place, size in enumerate(shape, 1) if size == 1] or None
    alpha = (
        slope[0].transpose([axis - 1 for axis in held.axes])
        if len(held.axes) == held.rank - 1
        else slope.reshape(shape)
    )
    return replace(held, value=reader.layer(lambda: L.PReLU(shared_axes=shared), held.value, alpha=alpha))
