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

from pellucid import layers as L
from pellucid._display import Brief
from pellucid._numbers import number
from pellucid.errors import ConfigError
from pellucid.layers.activation import without_activation
from pellucid.layers.traits import LEAKY_SLOPE
from pellucid.model import Model
from pellucid.model.tracing import LayerTrace, trace
from pellucid.ops import Array, Pair, Shape
from pellucid.ops.geometry import resolve_padding, window_start
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
        return self.told(ENGLISH)

    def told(self, say: Labels) -> str:
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
        told = f"{self.activation}({number(self.before)}) = {result}"
        if self.rivals is not None:
            rivals = say("sum of e^z over {count} values", count=self.rivals.size)
            told = f"e^{number(self.before)} / {rivals} = {result}"
        return f"{text}; {told}" if text else told


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
        convolutions = [step.name for step in seen if isinstance(step.layer, L.Conv2D)]
        layer = (convolutions or list(seen.names))[0]
    names = tuple(model.class_names or ()) if seen[layer].name == seen.names[-1] else ()
    return dissect_step(seen[layer], position, names)


def dissect_step(step: LayerTrace, position: Sequence[int] | None = None, names: Sequence[str] = ()) -> Dissection:
    """The same of one layer of a trace, for its first picture; `names` are those of the layer's units."""
    layer, x, y = step.layer, np.asarray(step.input[0], np.float64), step.output[0]
    take_apart = next((way for kind, way in _WAYS if type(layer) is kind), None)
    if take_apart is None:
        known = sorted(kind.__name__ for kind, _ in _WAYS)
        raise ConfigError(f"{layer.place()} cannot be taken apart; these layers can: {', '.join(known)}")
    at = _checked(layer, position, y)
    one_row = isinstance(layer, L.Conv1D | L.MaxPool1D | L.AvgPool1D)  # (W, C) as a picture one pixel high
    parts = take_apart(layer, x[None] if one_row else x, (0, *at) if one_row else at)
    parts = {"before": parts.get("total", 0.0), **parts}
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


def _checked(layer: L.Layer, position: Sequence[int] | None, y: Array) -> tuple[int, ...]:
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


def _window(
    x: Array, at: Sequence[int], padding: Any, kernel: Pair, strides: Pair, dilation: Pair, fill: float
) -> Parts:
    """The patch under a window, all channels, with its padding filled in. Shapes: patch (KH,KW,C)."""
    pads = resolve_padding(padding, (x.shape[0], x.shape[1]), kernel, strides, dilation)
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


def _seen_by(layer: L.Conv2D, channels: int, filter_index: int) -> tuple[tuple[int, ...], Array]:
    """The input channels that a filter sees, and its weights for them. Shapes: (KH,KW,C')."""
    kernel = np.asarray(layer.params["kernel"], np.float64)
    if isinstance(layer, L.TableConv2D):
        return layer.table[filter_index], kernel[:, :, layer.outputs == filter_index]
    own = kernel.reshape(*layer.kernel_size, *kernel.shape[-2:])[..., filter_index]
    each = channels // layer.groups
    first = filter_index // (layer.filters // layer.groups) * each
    return tuple(range(first, first + each)), own


def _convolution(layer: L.Conv2D, x: Array, at: Sequence[int]) -> Parts:
    window = _window(x, at, layer.padding, layer.kernel_size, layer.strides, layer.dilation_rate, 0.0)
    channels, kernel = _seen_by(layer, x.shape[2], at[2])
    patch = window["patch"][:, :, list(channels)]
    summed = _weighted(layer, patch, kernel, at[2])
    rivals = _rivals(layer, x, at[:2]) if layer.activation == "softmax" else None
    activated = _activated(summed["before"], layer.activation, LEAKY_SLOPE, rivals)
    return {**window, "kind": "convolution", "channels": channels, **summed, **activated}


def _dense(layer: L.Dense, x: Array, at: Sequence[int]) -> Parts:
    kernel = np.asarray(layer.params["kernel"], np.float64)[:, at[0]]
    summed = _weighted(layer, x, kernel, at[0])
    rivals = _rivals(layer, x, ()) if layer.activation == "softmax" else None
    activated = _activated(summed["before"], layer.activation, LEAKY_SLOPE, rivals)
    return {"kind": "dense", **summed, **activated}


def _weighted(layer: L.Layer, patch: Array, kernel: Array, unit: int) -> Parts:
    products = patch * kernel
    bias = float(layer.params["bias"][unit]) if "bias" in layer.params else None
    total = float(products.sum())
    return {
        "patch": patch, "kernel": kernel, "products": products, "total": total, "bias": bias,
        "before": total + (bias or 0.0),
    }  # fmt: skip


def _rivals(layer: L.Conv2D | L.Dense, x: Array, place: Sequence[int]) -> Array:
    """What goes into a softmax at one place: the outputs of the layer without it. Shapes: (K,)."""
    logits = without_activation(layer)
    logits.params = {name: np.asarray(values, np.float64) for name, values in layer.params.items()}
    if isinstance(layer, L.Conv1D):  # which takes the series itself, of which x is a picture
        z, _ = logits.forward(np.ascontiguousarray(x))
        return np.asarray(z[0, place[1]])
    z, _ = logits.forward(np.ascontiguousarray(x[None]))
    return np.asarray(z[(0, *place)])


def _activated(before: float, kind: str | None, slope: float, rivals: Array | None = None) -> Parts:
    if kind is None:
        return {"result": before}
    if kind == "softmax":
        if rivals is None:
            raise ConfigError("softmax compares several numbers, got one")
        return {"activation": kind, "rivals": rivals, "result": _softmax(before, rivals)}
    return {"activation": kind, "result": CURVES[kind](before, slope)}


def _softmax(value: float, rivals: Array) -> float:
    largest = float(rivals.max())
    return math.exp(value - largest) / float(np.exp(rivals - largest).sum())


def _sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-z)) if z >= 0 else math.exp(z) / (1 + math.exp(z))


CURVES: dict[str, Callable[[float, float], float]] = {
    "relu": lambda z, slope: max(z, 0.0),
    "leaky_relu": lambda z, slope: z if z > 0 else slope * z,
    "sigmoid": lambda z, slope: _sigmoid(z),
    "tanh": lambda z, slope: math.tanh(z),
}
"""The activations of one value and a slope, by name."""


def _pooling(layer: Any, x: Array, at: Sequence[int]) -> Parts:
    window = _window(x, at, layer.padding, layer.pool_size, layer.strides, (1, 1), math.nan)
    patch = window["patch"][:, :, at[2] : at[2] + 1]
    inside = window["inside"][:, :, None]
    told: Parts = {**window, "patch": patch, "channels": (at[2],)}
    if isinstance(layer, L.MaxPool2D):
        picked = np.unravel_index(int(np.where(inside, patch, -np.inf).argmax()), patch.shape)
        value = float(patch[picked])
        return {**told, "kind": "max", "picked": tuple(int(i) for i in picked), "before": value}
    factor = float(layer.params["kernel"][at[2]]) if isinstance(layer, L.Subsampling2D) else 1 / int(inside.sum())
    kernel = np.where(inside, factor, 0.0)
    summed = _weighted(layer, np.where(inside, patch, 0.0), kernel, at[2])
    return {**told, "kind": "sum" if isinstance(layer, L.Subsampling2D) else "average", **summed, "patch": patch}


def _global_average(layer: L.GlobalAvgPool2D, x: Array, at: Sequence[int]) -> Parts:
    patch = x[:, :, at[0] : at[0] + 1]
    kernel = np.full(patch.shape, 1 / (x.shape[0] * x.shape[1]))
    return {
        **_weighted(layer, patch, kernel, at[0]),
        "kind": "average", "channels": (at[0],), "rows": tuple(range(x.shape[0])),
        "columns": tuple(range(x.shape[1])), "inside": np.ones(x.shape[:2], bool),
    }  # fmt: skip


# One value in, or the values beside it


def _function(kind: str | None, slope: float, x: Array, at: Sequence[int]) -> Parts:
    value = float(x[tuple(at)])
    rivals = x[tuple(at[:-1])] if kind == "softmax" else None
    told: Parts = {"kind": "softmax" if rivals is not None else "function", "patch": np.array([value]), "before": value}
    if kind is None:
        return {**told, "kind": "copy"}
    return {**told, **_activated(value, kind, slope, rivals)}


def _scaled_tanh(layer: L.ScaledTanh, x: Array, at: Sequence[int]) -> Parts:
    value = float(x[tuple(at)])
    numbers = {"amplitude": f"{layer.amplitude:g}", "slope": number(layer.slope), "value": number(value)}
    note = ("{amplitude} · tanh({slope} · {value})", numbers)
    result = layer.amplitude * math.tanh(layer.slope * value)
    return {"kind": "function", "patch": np.array([value]), "before": value, "result": result, "note": note}


def _batch_norm(layer: L.BatchNorm, x: Array, at: Sequence[int]) -> Parts:
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


def _response_norm(layer: L.LocalResponseNorm, x: Array, at: Sequence[int]) -> Parts:
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


def _distance(layer: L.RBF, x: Array, at: Sequence[int]) -> Parts:
    kernel = np.asarray(layer.params["kernel"], np.float64)[:, at[0]]
    products = -np.square(x - kernel)
    note = ("minus the sum of {count} squared distances", {"count": str(products.size)})
    return {
        "kind": "distance", "patch": x, "kernel": kernel, "products": products, "total": float(products.sum()),
        "note": note,
    }  # fmt: skip


def _copy(x: Array, source: Sequence[int] | None) -> Parts:
    value = 0.0 if source is None else float(x[tuple(source)])
    return {"kind": "copy", "patch": np.array([value]), "before": value}


def _padded(layer: L.ZeroPadding2D, x: Array, at: Sequence[int]) -> Parts:
    row, column = at[0] - layer.padding[0][0], at[1] - layer.padding[1][0]
    inside = 0 <= row < x.shape[0] and 0 <= column < x.shape[1]
    return _copy(x, (row, column, at[2]) if inside else None)


def _signed(value: float) -> str:
    """A summand as it is, in brackets where it is negative: what is added stays added."""
    return f"({number(value)})" if value < 0 else number(value)


_WAYS: tuple[tuple[type[L.Layer], Callable[[Any, Array, Sequence[int]], Parts]], ...] = (
    (L.Conv2D, _convolution),
    (L.Conv1D, _convolution),
    (L.TableConv2D, _convolution),
    (L.Dense, _dense),
    (L.RBF, _distance),
    (L.MaxPool2D, _pooling),
    (L.MaxPool1D, _pooling),
    (L.AvgPool2D, _pooling),
    (L.AvgPool1D, _pooling),
    (L.Subsampling2D, _pooling),
    (L.GlobalAvgPool2D, _global_average),
    (L.ReLU, lambda layer, x, at: _function("relu", 0.0, x, at)),
    (L.LeakyReLU, lambda layer, x, at: _function("leaky_relu", layer.negative_slope, x, at)),
    (L.Sigmoid, lambda layer, x, at: _function("sigmoid", 0.0, x, at)),
    (L.Tanh, lambda layer, x, at: _function("tanh", 0.0, x, at)),
    (L.Softmax, lambda layer, x, at: _function("softmax", 0.0, x, at)),
    (L.Activation, lambda layer, x, at: _function(layer.activation, LEAKY_SLOPE, x, at)),
    (L.ScaledTanh, _scaled_tanh),
    (L.BatchNorm, _batch_norm),
    (L.LocalResponseNorm, _response_norm),
    (L.Dropout, lambda layer, x, at: _copy(x, at)),
    (L.Flatten, lambda layer, x, at: _copy(x, [int(i) for i in np.unravel_index(at[0], x.shape)])),
    (L.ZeroPadding2D, _padded),
)
"""How each layer is taken apart. By exact type: a subclass may compute something else."""
