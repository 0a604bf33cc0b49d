"""A gradient as the sum that it is: which terms of it there are, the largest first."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pellucid._display import Brief
from pellucid._numbers import number
from pellucid.errors import ConfigError
from pellucid.layers.activation import activate_backward, without_activation
from pellucid.model.tracing import LayerTrace
from pellucid.ops import Array
from pellucid.visualise.dissection.values import ADDENDS, signed
from pellucid.visualise.drawing.labels import ENGLISH, Labels


@dataclass(frozen=True, repr=False)
class GradientDissection(Brief):
    """The gradient of one number, of what a layer takes or of a weight, as a sum over outputs of the layer.

    Each term is a gradient that arrives at an output of the layer, times the slope of the activation there, times what
    that output changes by with the number: product = arriving * slope * factor. In float64, of the arrays of a trace;
    `computed` is the layer's own float32.

    of: "input", or the parameter's name. kind: the layer's role; of a pooling "max pooling", "mean pooling" or "sum
        pooling". position: of the number, without the batch. source: which of the values that a merging layer reads.
        example: the picture of the batch, None for a weight. value: the number itself.
    Shapes: of the terms that are kept (T,): examples, arriving, slopes (None without an activation, or where it is in
        `arriving` already, as softmax is), factors, products, words; places (T, axes) in the layer's output; cells
        (T, 2), which cell of the kernel a term goes through, (T, 1) for series, None without. given, wanted, counts
        (T,) where the loss arrives: arriving = (given - wanted) / counts.
    words: what a term is, where that is not the same for all: "won" or "lost" of a max pooling's windows, "kept" or
        "dropped", and of a norm's three terms "own" (the number itself), "mean" and "variance" (through those; their
        place is the number's, and what arrives is a mean over the numbers that are normalised together).
    count, rest: how many terms there are, and the sum of those that are not kept. total: of all.
    """

    layer: str
    detail: str
    kind: str
    of: str
    position: tuple[int, ...]
    source: int
    example: int | None
    value: float
    examples: Array
    places: Array
    arriving: Array
    slopes: Array | None
    factors: Array
    products: Array
    count: int
    rest: float
    total: float
    computed: float
    words: tuple[str, ...] = ()
    cells: Array | None = None
    given: Array | None = None
    wanted: Array | None = None
    counts: Array | None = None
    gradients: Array = field(default_factory=lambda: np.zeros(0), repr=False)
    """Of all numbers beside it: of the layer's input for that picture, or of the parameter."""
    output_gradients: Array = field(default_factory=lambda: np.zeros(0), repr=False)
    """What arrives at the layer's outputs, of the picture that the largest term is of."""

    @property
    def equation(self) -> str:
        """The largest terms, the others together, and their sum, in one line of numbers and English."""
        return self.in_words(ENGLISH)

    def in_words(self, say: Labels) -> str:
        """The equation in a language."""
        total = number(self.total)
        if self.count == 1:
            slopes = [] if self.slopes is None else [self.slopes[0]]
            factors = [self.arriving[0], *slopes, self.factors[0]]
            return " · ".join(signed(float(each)) for each in factors) + f" = {total}"
        written = [signed(float(each)) for each in self.products[:ADDENDS]]
        others = self.count - len(written)
        if others > 0:
            rest = signed(self.total - float(self.products[:ADDENDS].sum()))
            written.append(f"{rest} ({say('the other {count}', count=f'{others:,}')})")
        return f"{' + '.join(written) or 0} = {total}"


def gradient_of(step: LayerTrace) -> Array:
    """What arrives at a layer. Shapes: (N, ...) as its output. Errors: ConfigError where nothing was traced back."""
    if step.d_output is None or step.d_input is None:
        raise ConfigError(
            f"{step.layer.place()} has no gradient in this trace; give labels, trace(model, images, labels), or go "
            "back, trace(model, images).back_from_class(0)"
        )
    return np.asarray(step.d_output, np.float64)


def before_activation(step: LayerTrace) -> tuple[Array, Array | None]:
    """What arrives at a layer's activation, and its slopes; behind a softmax inside, where slopes are no numbers of one
    place alone, what arrives before it, and None. Shapes: (N, ...) as the layer's output."""
    arriving, layer = gradient_of(step), step.layer
    how = None if layer.role == "activation" or step.joint else layer.nonlinearity
    if how is None:
        return arriving, None
    if _mixes(step):
        return activate_backward(arriving, np.asarray(step.output, np.float64), how), None
    kept = step.output
    if how.reads_input:
        kept = without_activation(layer).forward(step.input, training=step.training)[0]
    kept = np.asarray(kept, np.float64)
    return arriving, activate_backward(np.ones_like(kept), kept, how)


def _mixes(step: LayerTrace) -> bool:
    """Whether it ends in a softmax that its gradient goes through."""
    how = None if step.layer.role == "activation" or step.joint else step.layer.nonlinearity
    return how is not None and how.mixes


def summed(step: LayerTrace, examples: Array, parts: dict[str, Any], most: int | None, **of: Any) -> GradientDissection:
    """The dissection of terms that lie at `places`, with `factors`; the largest `most` of them.

    parts: `places` and `factors`, and of `arriving`, `words`, `cells` what there is. of: what the sum is of.
    """
    if most is not None and most < 1:
        raise ConfigError(f"dissect: most must be at least 1, got {most}")
    before, slopes = before_activation(step)
    places = parts["places"].reshape(len(parts["factors"]), before.ndim - 1)
    at = (examples, *places.T)
    arriving = parts.get("arriving", before[at])
    columns: dict[str, Any] = {"arriving": arriving, "factors": parts["factors"], "cells": parts.get("cells")}
    columns["slopes"] = None if slopes is None or "arriving" in parts else slopes[at]
    products = arriving * columns["factors"] * (1.0 if columns["slopes"] is None else columns["slopes"])
    if step.scored is not None and "arriving" not in parts and not _mixes(step):
        scored = step.scored
        columns |= {"given": scored.given[at], "wanted": scored.wanted[at], "counts": scored.counts[examples]}
    order = np.argsort(-np.abs(products), kind="stable")[:most]
    total = float(products.sum())
    kept: dict[str, Any] = {name: None if values is None else values[order] for name, values in columns.items()}
    words = parts.get("words", ())
    first = int(examples[order[0]]) if len(order) else 0
    return GradientDissection(
        layer=step.name,
        examples=examples[order],
        places=places[order],
        products=products[order],
        words=tuple(words[i] for i in order) if words else (),
        count=len(products),
        rest=total - float(products[order].sum()) if len(order) < len(products) else 0.0,
        total=total,
        output_gradients=before[first],
        **kept,
        **of,
    )
