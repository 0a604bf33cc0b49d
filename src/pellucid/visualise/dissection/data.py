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
from pellucid.layers import LAYERS, BatchNorm, Layer, LocalResponseNorm
from pellucid.layers.activation import without_activation
from pellucid.layers.traits import Nonlinearity
from pellucid.model import Model
from pellucid.model.tracing import LayerTrace, trace
from pellucid.ops import Array, Pads, Pair, Shape
from pellucid.ops.geometry import window_start
from pellucid.ops.table import Numbers
from pellucid.visualise.drawing.labels import ENGLISH, Labels


@dataclass(frozen=True, repr=False)
class Dissection(Brief):
    """One output number of a layer, taken apart.

    What holds for every kind: `total` is the sum of `products` where there are any, `before` is what goes into the
    activation, and `result` is what comes out. All in float64; `computed` is the layer's own float32.

    kind: "convolution", "dense", "average", "sum", "max", "function" (one value through a curve), "softmax",
        "batch norm", "response norm", "distance" or "copy".
    Shapes: patch, kernel, products the same: (KH,KW,C') for windows, C' the channels that this number sees, by number
        in `channels`; (inputs,) for rows of numbers; (1,) for one value. inside (KH,KW): False on the padding, which
        holds 0, and NaN under pooling. rivals (K,): the numbers that softmax compares, None for other activations.
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
    rows: tuple[int, ...] = ()
    columns: tuple[int, ...] = ()
    inside: Array | None = None
    picked: tuple[int, ...] | None = None
    """Of a max pooling: where in the patch the largest value is."""
    names: tuple[str, ...] = ()
    """Of the rivals, where they are the network's classes; else there are none."""
    note: tuple[str, dict[str, str]] | None = None
    """The formula, and its numbers by name, for kinds whose sum alone does not say it."""
    input: Array = field(default_factory=lambda: np.zeros(0), repr=False)
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
                parts.append(say("+ bias {bias} = {before}", bias=_signed(self.bias), before=number(self.before)))
        text = " ".join(parts)
        if self.activation is None:
            return text
        ending = f"{self.activation}({number(self.before)}) = {result}"
        if self.rivals is not None:
            rivals = say("sum of e^z over {count} values", count=self.rivals.size)
            ending = f"e^{number(self.before)} / {rivals} = {result}"
        return f"{text}; {ending}" if text else ending


Parts = dict[str, Any]


def dissect(model: Model, picture: Any, layer: str | None = None, position: Sequence[int] | None = None) -> Dissection:
    """How one output number of a layer comes about for one picture.

    layer: by name; None for the first convolution, or the first layer. position: (row, column, channel), or (unit,) of
    a row of numbers; None for the largest number of the layer's output.
    Shapes: picture (H, W, C), or (H, W), uint8 or float.
    Errors: ShapeError and DataError as `trace`; ConfigError for an unknown layer, for a position outside its output,
        and for a layer of your own, whose arithmetic nobody knows.
    """
    seen = trace(model, np.asarray(picture)[None])
    if layer is None:
        convolutions = [step.name for step in seen if step.layer.role == "convolution"]
        layer = (convolutions or list(seen.names))[0]
    names = tuple(model.class_names or ()) if seen[layer].name == seen.names[-1] else ()
    return dissect_step(seen[layer], position, names)


def dissect_step(step: LayerTrace, position: Sequence[int] | None = None, names: Sequence[str] = ()) -> Dissection:
    """The same of one layer of a trace, for its first picture; `names` are those of the layer's units."""
    layer, x, y = step.layer, np.asarray(step.input[0], np.float64), step.output[0]
    take_apart = _PARTS.get(layer.role)
    unknown = layer.custom or getattr(layer, "reduction", "sum") not in _POOLED  # who inherits may compute anything
    if take_apart is None or unknown:
        known = sorted(name for name, kind in LAYERS.items() if kind.role in _PARTS)
        raise ConfigError(f"{layer.place()} cannot be taken apart; these layers can: {', '.join(known)}")
    at = _checked(layer, position, y)
    one_row = x.ndim == 2 and (layer.window() is not None or layer.role == "pooling")  # (W, C) one pixel high
    parts = take_apart(layer, x[None] if one_row else x, (0, *at) if one_row else at)
    parts = {"before": parts.get("total", 0.0), **parts}
    if layer.nonlinearity is not None:
        parts |= _activated(layer, layer.nonlinearity, x, at, parts["before"])
    parts.setdefault("result", parts["before"])
    return Dissection(
        layer=layer.name,
        detail=f"{type(layer).__name__} {layer.detail()}".strip(),
        position=at,
        output_shape=y.shape,
        computed=float(y[at]),
        names=tuple(names) if len(names) == y.shape[-1] else (),
        input=x,
        output=y,
        **parts,
    )


def _checked(layer: Layer, position: Sequence[int] | None, y: Array) -> tuple[int, ...]:
    if position is None:
        finite = np.where(np.isfinite(y), y, -np.inf)
        return tuple(int(i) for i in np.unravel_index(int(finite.argmax()), y.shape))
    at = tuple(position)
    if len(at) != y.ndim or not all(
        isinstance(i, int | np.integer) and 0 <= i < size for i, size in zip(at, y.shape, strict=False)
    ):
        axes = {1: "(unit,)", 2: "(column, channel)", 3: "(row, column, channel)"}.get(y.ndim, "one number an axis")
        raise ConfigError(
            f"{layer.place()} gives {'x'.join(map(str, y.shape))} a picture, so a position is {axes} "
            f"from {(0,) * y.ndim} to {tuple(size - 1 for size in y.shape)}, got {at}"
        )
    return tuple(int(i) for i in at)


# Windows


def _window(x: Array, at: Sequence[int], window: tuple[Pair, Pair, Pair], pads: Pads, fill: float) -> Parts:
    """The patch under a window, all channels, with its padding filled in. Shapes: patch (KH,KW,C)."""
    kernel, strides, dilation = window
    first = window_start((at[0], at[1]), strides, pads)
    rows, columns = (first[axis] + dilation[axis] * np.arange(kernel[axis]) for axis in (0, 1))
    inside = ((rows >= 0) & (rows < x.shape[0]))[:, None] & ((columns >= 0) & (columns < x.shape[1]))
    patch = x[np.clip(rows, 0, x.shape[0] - 1)][:, np.clip(columns, 0, x.shape[1] - 1)]
    return {
        "patch": np.where(inside[:, :, None], patch, fill),
        "rows": tuple(rows.tolist()),
        "columns": tuple(columns.tolist()),
        "inside": inside,
    }


def _convolution(layer: Any, x: Array, at: Sequence[int]) -> Parts:
    window = _window(x, at, layer.window(), layer.pads(x.shape), 0.0)
    channels = layer.channels_seen(at[2], x.shape[2])
    kernel = np.asarray(layer.filter_kernel(at[2]), np.float64)
    summed = _weighted(layer, window["patch"][:, :, list(channels)], kernel, at[2])
    return {**window, "kind": "convolution", "channels": channels, **summed}


def _dense(layer: Layer, x: Array, at: Sequence[int]) -> Parts:
    kernel = np.asarray(layer.params["kernel"], np.float64)[:, at[-1]]
    return {"kind": "dense", **_weighted(layer, x[tuple(at[:-1])], kernel, at[-1])}


def _weighted(layer: Layer, patch: Array, kernel: Array, unit: int) -> Parts:
    products = patch * kernel
    bias = float(layer.params["bias"][unit]) if "bias" in layer.params else None
    total = float(products.sum())
    return {
        "patch": patch, "kernel": kernel, "products": products, "total": total, "bias": bias,
        "before": total + (bias or 0.0),
    }  # fmt: skip


def _activated(layer: Layer, how: Nonlinearity, x: Array, at: Sequence[int], before: float) -> Parts:
    """What a layer's nonlinearity makes of one number, of which it has `before`."""
    if how.kind == "softmax":
        rivals = _rivals(layer, x, at)
        return {"activation": how.kind, "rivals": rivals, "result": _softmax(before, rivals)}
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


_POOLED = {"max": "max", "mean": "average", "sum": "sum"}
"""The kinds of pooling, by what it does with its window; another reduction cannot be taken apart."""


def _pooling(layer: Any, x: Array, at: Sequence[int]) -> Parts:
    channel, place = at[-1], at[:-1] if len(at) == 3 else (0, 0)
    whole = (x.shape[0], x.shape[1]), (1, 1), (1, 1)
    window = _window(x, place, layer.window() or whole, layer.pads(x.shape), math.nan)
    patch, inside = window["patch"][:, :, channel : channel + 1], window["inside"][:, :, None]
    found: Parts = {**window, "patch": patch, "channels": (channel,)}
    if layer.reduction == "max":
        picked = np.unravel_index(int(np.where(inside, patch, -np.inf).argmax()), patch.shape)
        value = float(patch[picked])
        return {**found, "kind": "max", "picked": tuple(int(i) for i in picked), "before": value}
    taps = 1
    for places, length, pads in zip((window["rows"], window["columns"]), x.shape, layer.counted(x.shape), strict=False):
        taps *= sum(-pads[0] <= place < length + pads[1] for place in places)
    factor = float(layer.params["kernel"][channel]) if layer.params else 1 / taps
    summed = _weighted(layer, np.where(inside, patch, 0.0), np.where(inside, factor, 0.0), channel)
    return {**found, "kind": _POOLED[layer.reduction], **summed, "patch": patch}


# One value in, or the values beside it


def _function(layer: Layer, x: Array, at: Sequence[int]) -> Parts:
    value, how = float(x[tuple(at)]), layer.nonlinearity
    kind = "copy" if how is None else "softmax" if how.kind == "softmax" else "function"
    return {"kind": kind, "patch": np.array([value]), "before": value}


def _batch_norm(layer: BatchNorm, x: Array, at: Sequence[int]) -> Parts:
    c, value = at[-1], float(x[tuple(at)])
    mean, variance = (float(layer.state[name][c]) for name in ("mean", "variance"))
    gamma, beta = (float(layer.params[n][c]) if n in layer.params else d for n, d in (("gamma", 1.0), ("beta", 0.0)))
    factor = gamma / math.sqrt(variance + layer.epsilon)
    numbers = {"gamma": gamma, "value": value, "mean": mean, "variance": variance, "epsilon": layer.epsilon}
    note = (
        "{gamma} · ({value} - mean {mean}) / sqrt(variance {variance} + {epsilon}) + {beta}",
        {name: number(each) for name, each in numbers.items()} | {"beta": _signed(beta)},
    )
    total, bias = value * factor, beta - mean * factor
    return {
        "kind": "batch norm", "patch": np.array([value]), "kernel": np.array([factor]), "note": note,
        "products": np.array([total]), "total": total, "bias": bias, "before": total + bias,
    }  # fmt: skip


def _response_norm(layer: LocalResponseNorm, x: Array, at: Sequence[int]) -> Parts:
    first = max(0, at[2] - layer.size // 2)
    channels = tuple(range(first, min(x.shape[2], at[2] - layer.size // 2 + layer.size)))
    beside, value = x[at[0], at[1], list(channels)], float(x[tuple(at)])
    total = float(np.square(beside).sum())
    numbers = {"value": value, "k": layer.k, "alpha": layer.alpha, "total": total, "beta": layer.beta}
    note = (
        "{value} / ({k} + {alpha} · sum of squares {total})^{beta}",
        {name: number(each) for name, each in numbers.items()},
    )
    result = value / (layer.k + layer.alpha * total) ** layer.beta
    return {
        "kind": "response norm", "patch": beside, "kernel": beside, "products": np.square(beside), "total": total,
        "channels": channels, "before": value, "result": result, "note": note,
    }  # fmt: skip


def _distance(layer: Layer, x: Array, at: Sequence[int]) -> Parts:
    kernel = np.asarray(layer.params["kernel"], np.float64)[:, at[0]]
    products = -np.square(x - kernel)
    note = ("minus the sum of {count} squared distances", {"count": str(products.size)})
    return {
        "kind": "distance", "patch": x, "kernel": kernel, "products": products, "total": float(products.sum()),
        "note": note,
    }  # fmt: skip


def _moved(layer: Layer, x: Array, at: Sequence[int]) -> Parts:
    source = layer.origin(tuple(at), x.shape)
    value = 0.0 if source is None else float(x[tuple(source)])
    return {"kind": "copy", "patch": np.array([value]), "before": value}


def _signed(value: float) -> str:
    """A summand as it is, in brackets where it is negative: what is added stays added."""
    return f"({number(value)})" if value < 0 else number(value)


_PARTS: dict[str, Callable[[Any, Array, Sequence[int]], Parts]] = {
    "convolution": _convolution,
    "dense": _dense,
    "distance": _distance,
    "pooling": _pooling,
    "activation": _function,
    "batch norm": _batch_norm,
    "response norm": _response_norm,
    **dict.fromkeys(("dropout", "noise", "flatten", "rearrangement", "padding", "cropping", "upsampling"), _moved),
}
"""How a layer is taken apart, by its role."""
