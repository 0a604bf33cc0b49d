"""Activations: a table of those that both have, and what the others are made of."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from pellucid.convert.onnx.writing import Value, Writer
from pellucid.errors import ConfigError
from pellucid.layers.graph import Visit
from pellucid.layers.traits import Nonlinearity

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
}
"""Ours -> ONNX's operator, and its attributes with the values that ours has; alpha of the last two is our slope."""

SLOPED = ("elu", "leaky_relu")


def activated(writer: Writer, value: Value, how: Nonlinearity | None, axis: int = -1) -> Value:
    """f(value). axis: that softmax runs over, among ours. Errors: ConfigError for an activation that ONNX lacks."""
    if how is None:
        return value
    name = value.name
    if how.steepness != 1:
        name = writer.node("Mul", name, writer.array(how.steepness, "steepness"))
    if how.kind == "softmax":
        value = writer.settled(value)
        name = writer.node("Softmax", value.name, axis=value.axes[axis])
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
    bounds = {"slope": slope, "threshold": threshold, "ceiling": ceiling}
    held = {what: writer.array(number, what) for what, number in bounds.items() if math.isfinite(number)}
    if slope == threshold == 0:
        return writer.node("Clip", name, writer.array(0, "floor"), held["ceiling"])
    top = writer.node("Min", name, held["ceiling"]) if "ceiling" in held else name
    below = writer.node("Mul", writer.node("Sub", name, held["threshold"]), held["slope"])
    return writer.node("Where", writer.node("Greater", name, held["threshold"]), top, below)


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


MADE: dict[str, Callable[..., str]] = {"relu6": _bounded, "silu": _silu, "gelu": _gelu, "gelu_tanh": _gelu_tanh}


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
