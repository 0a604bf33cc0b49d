"""How one number comes about: the patch that a layer looked at, the weights, the products, and their sum.

Everything is computed anew in float64 from what went into the layer, by the definition of the layer and not by its
kernels, so it says what the layer should have computed; `Dissection.computed` is what it did.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pellucid import ops
from pellucid._display import Brief
from pellucid._numbers import number
from pellucid.errors import ConfigError
from pellucid.layers import LAYERS, Layer
from pellucid.layers.activation import without_activation
from pellucid.layers.traits import Nonlinearity
from pellucid.model import Model
from pellucid.model.tracing import LayerTrace, trace
from pellucid.ops import Array, Shape
from pellucid.ops.table import Numbers
from pellucid.visualise.answers import batch_of_one
from pellucid.visualise.dissection import values, windows
from pellucid.visualise.dissection.values import signed
from pellucid.visualise.dissection.windows import POOLED, Parts, Place, place_of
from pellucid.visualise.drawing.labels import ENGLISH, Labels


@dataclass(frozen=True, repr=False)
class Dissection(Brief):
    """One output number of a layer, taken apart.

    What holds for every kind: `total` is the sum of `products` where there are any, `before` is what goes into the
    activation, and `result` is what comes out. All in float64; `computed` is the layer's own float32.

    kind: "convolution" (a transposed one too), "dense", "average", "sum", "max", "function" (one value through a
        curve), "softmax", "batch norm", "layer norm", "group norm", "response norm", "distance", "weighted sum",
        "product" or "copy".
    Shapes: patch, kernel, products the same: (KH,KW,C') for windows, C' the channels that this number sees, by number
        in `channels`; (inputs,) for rows of numbers; (1,) for one value; (values,) for weighted sums and products, of
        which a merging layer's have in `sources` which of the values that it reads each is of. inside (KH,KW): False
        on the padding, which holds 0, and NaN under pooling. rivals (K,): the numbers that softmax compares, None for
        other activations. input a list for a merging layer.
    numbers: what the activation takes beside the number, see `ops.activation`.
    Units: rows, columns: the places of the window in the layer's input, below 0 or beyond it on the padding.
    """

    layer: str
    detail: str
    kind: str
    position: tuple[int, ...]
    output_shape: Shape
    patch: Array
    result: float
    computed: float
    before: float
    kernel: Array | None = None
    products: Array | None = None
    total: float | None = None
    bias: float | None = None
    activation: str | None = None
    numbers: Numbers = field(default_factory=Numbers)
    rivals: Array | None = None
    channels: tuple[int, ...] = ()
    sources: tuple[int, ...] = ()
    rows: tuple[int, ...] = ()
    columns: tuple[int, ...] = ()
    inside: Array | None = None
    picked: tuple[int, ...] | None = None
    """Of a max pooling: where in the patch the largest value is."""
    names: tuple[str, ...] = ()
    """Of the rivals, where they are the network's classes; else there are none."""
    note: tuple[str, dict[str, str]] | None = None
    """The formula, and its numbers by name, for kinds whose sum alone does not say it."""
    input: Any = field(default_factory=lambda: np.zeros(0), repr=False)
    output: Array = field(default_factory=lambda: np.zeros(0), repr=False)

    @property
    def equation(self) -> str:
        """The whole way from the products to the result, in one line of numbers and English."""
        return self.in_words(ENGLISH)

    def in_words(self, say: Labels) -> str:
        """The equation in a language."""
        result = number(self.result)
        if self.kind == "copy":
            return say("passed on as it is: {result}", result=result)
        if self.kind == "max":
            count = int(np.isfinite(self.patch).sum())
            return say("the largest of {count} values = {result}", count=count, result=result)
        if self.note:
            words, values = self.note
            return f"{say(words, **values)} = {result}"
        parts = []
        if self.products is not None and self.total is not None:
            sum_of = "sum of 1 product {total}" if self.products.size == 1 else "sum of {count:,} products {total}"
            parts.append(say(sum_of, count=self.products.size, total=number(self.total)))
            if self.bias is not None:
                parts.append(say("+ bias {bias} = {before}", bias=signed(self.bias), before=number(self.before)))
        text = " ".join(parts)
        if self.activation is None:
            return text
        ending = f"{self.activation}({number(self.before)}) = {result}"
        if self.rivals is not None:
            rivals = say("sum of e^z over {count} values", count=self.rivals.size)
            ending = f"e^{number(self.before)} / {rivals} = {result}"
        return f"{text}; {ending}" if text else ending


def dissect(model: Model, picture: Any, layer: str | None = None, position: Sequence[int] | None = None) -> Dissection:
    """How one output number of a layer comes about for one picture.

    layer: by name; None for the first convolution, or the first layer. position: (row, column, channel), or (unit,) of
    a row of numbers; None for the largest number of the layer's output.
    Shapes: picture (H, W, C), or (H, W), uint8 or float.
    Errors: ShapeError and DataError as `trace`; ConfigError for an unknown layer, for a position outside its output,
        and for a layer of your own, whose arithmetic nobody knows.
    """
    seen = trace(model, batch_of_one(model, picture))
    if layer is None:
        convolutions = [step.name for step in seen if step.layer.role == "convolution"]
        layer = (convolutions or list(seen.names))[0]
    names = tuple(model.class_names or ()) if seen[layer].name == seen.names[-1] else ()
    return dissect_step(seen[layer], position, names)


def dissect_step(
    step: LayerTrace, position: Sequence[int] | None = None, names: Sequence[str] = (), *, example: int = 0
) -> Dissection:
    """The same of one layer of a trace, for the picture `example` of its batch; `names` are those of the layer's units.

    Of a trace in training the numbers are a training step's: with what was dropped, and the batch's mean and variance.
    """
    layer, y = known(step), step.output[example]
    at = expect_position(layer, position, y, "gives")
    place = place_of(step, example, at)
    parts = _PARTS[layer.role](place)
    parts = {"before": parts.get("total", 0.0), **parts}
    if layer.nonlinearity is not None:
        parts |= _activated(layer, layer.nonlinearity, np.asarray(step.input[example], np.float64), at, parts["before"])
    parts.setdefault("result", parts["before"])
    return Dissection(
        layer=layer.name,
        detail=detail_of(layer),
        position=at,
        output_shape=y.shape,
        computed=float(y[at]),
        names=tuple(names) if len(names) == y.shape[-1] else (),
        input=[each[example] for each in step.input] if layer.merges else np.asarray(step.input[example], np.float64),
        output=y,
        **parts,
    )


def known(step: LayerTrace) -> Layer:
    """The layer of a trace, whose arithmetic is known. Errors: ConfigError for another, as one of your own."""
    layer = step.layer
    unknown = layer.custom or getattr(layer, "reduction", "sum") not in POOLED  # who inherits may compute anything
    if layer.role not in _PARTS or unknown:
        names = sorted(name for name, kind in LAYERS.items() if kind.role in _PARTS)
        raise ConfigError(f"{layer.place()} cannot be taken apart; these layers can: {', '.join(names)}")
    return layer


def detail_of(layer: Layer) -> str:
    """What kind of layer it is, with the arguments that matter."""
    return f"{type(layer).__name__} {layer.detail()}".strip()


def expect_position(layer: Layer, position: Sequence[int] | None, values: Array, does: str) -> tuple[int, ...]:
    """A position in what a layer gives, or takes, for one picture; None: of the largest number.

    Errors: ConfigError for a position outside.
    """
    if position is None:
        finite = np.where(np.isfinite(values), values, -np.inf)
        return tuple(int(i) for i in np.unravel_index(int(finite.argmax()), values.shape))
    if not fits(position, values.shape):
        named = {1: "(unit,)", 2: "(column, channel)", 3: "(row, column, channel)"}
        axes = named.get(values.ndim, "one number an axis")
        raise ConfigError(
            f"{layer.place()} {does} {'x'.join(map(str, values.shape))} a picture, so a position is {axes} "
            f"from {(0,) * values.ndim} to {tuple(size - 1 for size in values.shape)}, got {tuple(position)}"
        )
    return tuple(int(i) for i in position)


def fits(at: Sequence[int], shape: Shape) -> bool:
    """Whether this is a place in an array of such a shape, counted from 0."""
    return len(at) == len(shape) and all(
        isinstance(i, int | np.integer) and 0 <= i < size for i, size in zip(at, shape, strict=True)
    )


def _activated(layer: Layer, how: Nonlinearity, x: Array, at: Sequence[int], before: float) -> Parts:
    """What a layer's nonlinearity makes of one number, of which it has `before`."""
    if how.kind == "softmax":
        rivals = _rivals(layer, x, at)
        return {"activation": how.kind, "rivals": rivals, "result": _softmax(before, rivals)}
    if how.mixes:
        raise ConfigError(f"{layer.place()}: of {how.kind} no number is taken apart; of a softmax one is")
    if (how.amplitude, how.steepness) == (1, 1):
        return {"activation": how.kind, "numbers": how.numbers, "result": _curve(how, before)}
    numbers = {"amplitude": f"{how.amplitude:g}", "slope": number(how.steepness), "value": number(before)}
    result = how.amplitude * _curve(how, how.steepness * before)
    return {"note": (f"{{amplitude}} · {how.kind}({{slope}} · {{value}})", numbers), "result": result}


def _curve(how: Nonlinearity, value: float) -> float:
    return float(ops.activation(np.array([value]), how.kind, **how.numbers)[0])


def _rivals(layer: Layer, x: Array, at: Sequence[int]) -> Array:
    """What goes into a softmax at one place: the outputs of the layer without it. Shapes: (K,)."""
    if layer.role == "activation":
        place = getattr(layer, "place_of", lambda axes: axes - 1)(x.ndim)  # softmax along any axis
        return np.asarray(np.moveaxis(x, place, -1)[(*at[:place], *at[place + 1 :])])
    logits = without_activation(layer)
    logits.params = {name: np.asarray(values, np.float64) for name, values in layer.params.items()}
    z, _ = logits.forward(np.ascontiguousarray(x[None]))
    return np.asarray(z[(0, *at[:-1])])


def _softmax(value: float, rivals: Array) -> float:
    largest = float(rivals.max())
    return math.exp(value - largest) / float(np.exp(rivals - largest).sum())


_PARTS: dict[str, Callable[[Place], Parts]] = {
    "convolution": windows.convolution,
    "transposed convolution": windows.transposed_convolution,
    "dense": windows.dense,
    "pooling": windows.pooling,
    "activation": values.function,
    "distance": values.distance,
    "response norm": values.response_norm,
    "dropout": values.dropout,
    "noise": values.noise,
    "merge": values.merged,
    **dict.fromkeys(("batch norm", "layer norm", "group norm"), values.norm),
    **dict.fromkeys(("input", "flatten", "rearrangement", "padding", "cropping", "upsampling"), values.moved),
}
"""How a layer is taken apart, by its role."""
