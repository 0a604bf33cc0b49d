"""Where the gradient of one number of a layer's input comes from: all terms that it is the sum of.

Nothing is computed here that a layer knows: of one that is linear, the factors are what it gives for an input of zeros
with a single 1; of one that changes each number by itself, its own gradient of ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from pellucid import ops
from pellucid.errors import ConfigError
from pellucid.layers.activation import activate_backward, without_activation
from pellucid.layers.graph import INPUT
from pellucid.model import Model
from pellucid.model.tracing import LayerTrace, Trace, trace
from pellucid.ops import Array
from pellucid.visualise.answers import batch_of_one
from pellucid.visualise.dissection.data import detail_of, expect_position, known
from pellucid.visualise.dissection.terms import GradientDissection, gradient_of, summed
from pellucid.visualise.dissection.values import normalised_together, slope_at
from pellucid.visualise.dissection.windows import place_of, pooling

Terms = dict[str, Any]
"""places (T, axes) in the layer's output and factors (T,); where there are: arriving, words, cells, see `summed`."""


class Number(NamedTuple):
    """One number of a layer's input. source: which of the values that it reads. Shapes: at without the batch."""

    step: LayerTrace
    example: int
    source: int
    at: tuple[int, ...]

    @property
    def layer(self) -> Any:
        """Which takes it."""
        return self.step.layer

    @property
    def inputs(self) -> list[Array]:
        """What the layer reads of this picture, in float64. Shapes: (1, ...) each."""
        given = self.step.input if self.layer.merges else [self.step.input]
        return [np.asarray(each[self.example : self.example + 1], np.float64) for each in given]


def dissect_gradient(
    model: Model,
    picture: Any,
    label: Any,
    layer: str | None = None,
    position: Sequence[int] | None = None,
    *,
    source: int = 0,
    most: int | None = None,
) -> GradientDissection:
    """Where the gradient of one number that a layer takes comes from, of the loss for one picture and its label.

    layer: by name; None for the first convolution, or the first layer. position: (row, column, channel) of its input,
    or (unit,); None for the largest gradient. source: which of the values that a merging layer reads. most: terms that
    are kept, the largest; None for all.
    Shapes: picture (H, W, C), or (H, W), uint8 or float; label as one of those that `fit` takes.
    Errors: as `dissect`, and DataError for a label; ConfigError for a source that there is none of.
    """
    seen = trace(model, batch_of_one(model, picture), np.asarray(label)[None])
    return dissect_gradient_step(seen[layer or first_layer(seen)], position, source=source, most=most)


def first_layer(seen: Trace) -> str:
    """The first convolution's name, or the first layer's."""
    return next((step.name for step in seen if step.layer.role == "convolution"), seen.names[0])


def readers(seen: Trace, layer: str | None = None) -> list[tuple[str, int]]:
    """Which layers take what a layer gives, by name, and as which of the values that they read: the gradient of its
    numbers is the sum of theirs. layer: None for the pictures. Errors: ConfigError for an unknown layer."""
    graph, number = seen.model.graph, INPUT if layer is None else seen.names.index(seen[layer].name)
    return [
        (seen.names[reader], source)
        for reader in dict.fromkeys(graph.readers()[number])
        for source, read in enumerate(graph.nodes[reader].inputs)
        if read == number
    ]


def dissect_gradient_step(
    step: LayerTrace,
    position: Sequence[int] | None = None,
    *,
    example: int = 0,
    source: int = 0,
    most: int | None = None,
) -> GradientDissection:
    """The same of one layer of a trace that went back, for the picture `example` of its batch.

    Errors: as `dissect_gradient`; ConfigError for a trace without gradients.
    """
    layer, count = known(step), len(gradient_of(step))
    several: Any = step.d_input if layer.merges else [step.d_input]
    if not 0 <= source < len(several):
        reads = f"reads {len(several)} values" if layer.merges else "reads one value"
        raise ConfigError(f"{layer.place()} {reads}, counted from 0, got source {source}")
    if not 0 <= example < count:
        raise ConfigError(f"this trace is of {count} pictures, counted from 0, got example {example}")
    gradients = np.asarray(several[source])[example]
    largest = np.abs(gradients) if position is None else gradients
    number = Number(step, example, source, expect_position(layer, position, largest, "takes"))
    parts = {"places": np.array([number.at]), "factors": np.ones(1)} if _is_loss(step) else _TERMS[layer.role](number)
    kind = f"{layer.reduction} pooling" if layer.role == "pooling" else layer.role  # type: ignore[attr-defined]
    return summed(
        step,
        np.full(len(parts["factors"]), example),
        parts,
        most,
        detail=detail_of(layer),
        kind="loss" if _is_loss(step) else kind,
        of="input",
        position=number.at,
        source=source,
        example=example,
        value=float(number.inputs[source][(0, *number.at)]),
        computed=float(gradients[number.at]),
        gradients=gradients,
    )


def _is_loss(step: LayerTrace) -> bool:
    """Whether it is a layer of nothing but the softmax or sigmoid that the loss contains."""
    return step.joint and step.layer.role == "activation"


def _linear(number: Number) -> Terms:
    """Outputs that change by a multiple of the number: what the layer gives for a 1 there, and zeros elsewhere.

    Outputs that see the number through a weight of 0 are terms too: seen are those that change where all weights are 1.
    """
    layer, inputs = number.layer, number.inputs
    mark = np.zeros_like(inputs[number.source])
    mark[(0, *number.at)] = 1
    weights = {name: np.asarray(values, np.float64) for name, values in layer.params.items() if name != "bias"}
    zeros = {name: np.zeros(values.shape) for name, values in layer.params.items() if name == "bias"}
    factors = _response(layer, {**weights, **zeros}, inputs, number.source, mark)
    ones = {name: np.ones_like(values) for name, values in weights.items()}
    there = _response(layer, {**ones, **zeros}, inputs, number.source, mark) if weights else factors
    places = np.argwhere(there != 0)
    return {"places": places, "factors": factors[tuple(places.T)], "cells": _cells(number, places)}


def _dense(number: Number) -> Terms:
    """Each unit by its weight; not asked of the layer, whose kernel may hold a hundred million others."""
    weights = np.asarray(number.layer.params["kernel"][number.at[-1]], np.float64)
    return {"places": np.array([(*number.at[:-1], unit) for unit in range(len(weights))]), "factors": weights}


def _response(layer: Any, weights: dict[str, Array], inputs: list[Array], source: int, mark: Array) -> Array:
    """How much of each output a single input makes. Shapes: without the batch."""
    bare = without_activation(layer)
    bare.params = weights
    if not layer.merges:
        return np.asarray(bare.forward(mark)[0][0])
    marked, without = ([one if i == source else each for i, each in enumerate(inputs)] for one in (mark, 0 * mark))
    return np.asarray(bare.forward(marked)[0][0] - bare.forward(without)[0][0])


def _cells(number: Number, places: Array) -> Array | None:
    """Through which cell of the kernel outputs see the number. Shapes: places (T, axes) -> (T, 2), or (T, 1)."""
    layer, axes = number.layer, len(number.at) - 1
    if layer.role not in ("convolution", "transposed convolution"):
        return None
    shape = number.inputs[0].shape[1:]
    options = layer.options(shape if axes == 2 else (1, *shape))
    strides, dilation = (np.array(options[name][-axes:]) for name in ("strides", "dilation"))
    before = np.array([pads[0] for pads in options["padding"][-axes:]])
    here, there = np.array(number.at[:axes]), places[:, :axes]
    small, large = (there, here) if layer.role == "convolution" else (here, there)
    return np.asarray((large + before - small * strides) // dilation)


def _pooling(number: Number) -> Terms:
    """Of a maximum, in which windows the number is the largest; else its share of each window's mean or sum."""
    if number.layer.reduction != "max":
        return _linear(number)
    terms, one_row = _linear(number), len(number.at) == 2
    won = []
    for place in terms["places"]:
        found = pooling(place_of(number.step, number.example, tuple(int(i) for i in place)))
        row, column, _ = found["picked"]
        winner = (found["rows"][row], found["columns"][column])
        won.append(winner == ((0, number.at[0]) if one_row else number.at[:2]))
    return {**terms, "factors": np.array(won, np.float64), "words": ["won" if each else "lost" for each in won]}


def _by_itself(number: Number) -> Terms:
    """The one output that a number becomes, by the slope there."""
    return {"places": np.array([number.at]), "factors": np.array([slope_at(number.step, number.example, number.at)])}


def _activation(number: Number) -> Terms:
    """A slope; of a softmax and its like, what each number beside it gives back for a 1: of a softmax, for a number q
    beside it y[q] * ((q is the number) - y of the number)."""
    how = number.layer.nonlinearity
    if how is None or not how.mixes:
        return _by_itself(number)
    axes = len(number.at)
    axis = getattr(number.layer, "place_of", lambda count: count - 1)(axes)
    y = np.asarray(number.step.output[number.example], np.float64)
    places = np.repeat(np.array([number.at]), y.shape[axis], axis=0)
    places[:, axis] = np.arange(y.shape[axis])
    row = y[tuple(places.T)]
    back = activate_backward(np.eye(len(row)), np.tile(row, (len(row), 1)), how)
    return {"places": places, "factors": back[:, number.at[axis]]}


def _dropout(number: Number) -> Terms:
    terms = _by_itself(number)
    return {**terms, "words": ["kept" if terms["factors"][0] else "dropped"]}


def _norm(number: Number) -> Terms:
    """Own, through the mean, and through the variance: (g - mean(g) - z * mean(g * z)) / deviation, with z the number
    normalised and g = gamma * dy. A batch norm in use has running ones, which do not depend on it.

    Source: Ioffe & Szegedy 2015, section 3, where the terms of the mean and the variance stand apart.
    """
    step, example, _, at = number
    layer = number.layer
    if layer.role == "batch norm" and not (step.training and layer.trainable):
        return _by_itself(number)
    shape = step.input.shape[1:]
    index = normalised_together(layer, shape, example, at)
    gamma = np.broadcast_to(np.asarray(layer.gamma_beta(shape)[0], np.float64), step.input.shape)
    x, dy = np.asarray(step.input[index], np.float64), np.asarray(step.d_output[index], np.float64)  # type: ignore[index]
    own, g = (example, *at), gamma[index] * dy
    deviation = math.sqrt(float(x.var()) + layer.epsilon)
    z, normalised = (float(step.input[own]) - float(x.mean())) / deviation, (x - x.mean()) / deviation
    arriving = [float(gamma[own]) * float(step.d_output[own]), float(g.mean()), float((g * normalised).mean())]  # type: ignore[index]
    return {
        "places": np.array([at] * 3),
        "arriving": np.array(arriving),
        "factors": np.array([1, -1, -z]) / deviation,
        "words": ["own", "mean", "variance"],
    }


def _response_norm(number: Number) -> Terms:
    """For each channel q that has the number among those it is divided by: -2 * alpha * beta * x * y[q] / s[q], s what
    is raised to beta; and s ** -beta more for its own.

    Source: the derivative of Krizhevsky, Sutskever & Hinton 2012, section 3.3.
    """
    layer, (row, column, channel) = number.layer, number.at
    x = number.inputs[0]
    y, s = ops.local_response_norm(x, size=layer.size, alpha=layer.alpha, beta=layer.beta, k=layer.k)
    first = np.arange(x.shape[-1]) - layer.size // 2
    seen = np.flatnonzero((first <= channel) & (channel < first + layer.size))
    y, s = y[0, row, column, seen], s[0, row, column, seen]
    factors = -2 * layer.alpha * layer.beta * x[0, row, column, channel] * y / s + (seen == channel) * s**-layer.beta
    return {"places": np.array([(row, column, q) for q in seen]), "factors": factors}


def _distance(number: Number) -> Terms:
    """Each unit's 2 * (its point - the number)."""
    points = np.asarray(number.layer.params["kernel"], np.float64)[number.at[0]]
    return {
        "places": np.arange(len(points))[:, None],
        "factors": 2 * (points - number.inputs[0][0, number.at[0]]),
    }


_TERMS: dict[str, Callable[[Number], Terms]] = {
    **dict.fromkeys(("convolution", "transposed convolution", "merge"), _linear),
    **dict.fromkeys(("flatten", "rearrangement", "padding", "cropping", "upsampling"), _linear),
    **dict.fromkeys(("input", "noise"), _by_itself),
    **dict.fromkeys(("batch norm", "layer norm", "group norm"), _norm),
    "dense": _dense,
    "pooling": _pooling,
    "activation": _activation,
    "dropout": _dropout,
    "response norm": _response_norm,
    "distance": _distance,
}
"""The terms of a gradient, by the layer's role."""
