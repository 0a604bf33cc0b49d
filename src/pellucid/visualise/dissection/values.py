"""How the numbers of layers come about that change one value, or look at the values beside it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pellucid._numbers import number
from pellucid.model.tracing import LayerTrace
from pellucid.ops import Shape
from pellucid.visualise.dissection.windows import Parts, Place

ADDENDS = 4
"""Values that an equation writes out; of more it says how many they are."""


def function(place: Place) -> Parts:
    """A value through a curve, or unchanged; through PReLU times a factor of its own."""
    value, how = float(place.x[place.at]), place.layer.nonlinearity
    if "alpha" in place.layer.params:
        alpha = np.broadcast_to(place.layer.params["alpha"], place.x.shape)[place.at]
        return _times(value, 1.0 if value > 0 else float(alpha))
    kind = "copy" if how is None else "softmax" if how.kind == "softmax" else "function"
    return {"kind": kind, "patch": np.array([value]), "before": value}


def dropout(place: Place) -> Parts:
    """In training times 0 or 1 / (1 - rate), else unchanged."""
    return _times(float(place.x[place.at]), slope_at(place.step, place.example, place.at))


def noise(place: Place) -> Parts:
    """In training with what was drawn added, else unchanged."""
    value = float(place.x[place.at])
    drawn = [float(place.step.output[(place.example, *place.at)]) - value] if place.step.training else []
    return _sum_of([value, *drawn], [1.0] * (1 + len(drawn)))


def slope_at(step: LayerTrace, example: int, at: tuple[int, ...]) -> float:
    """What a number is multiplied by on its way back through a layer that changes each number by itself."""
    dx, _ = step.layer.backward(np.ones_like(step.output), step.cache)
    return float(np.asarray(dx)[(example, *at)])


def _times(value: float, factor: float) -> Parts:
    if factor == 1:
        return {"kind": "copy", "patch": np.array([value]), "before": value}
    return _product_of([value, factor])


def normalised_together(layer: Any, shape: Shape, example: int, at: tuple[int, ...]) -> tuple[Any, ...]:
    """Which numbers of a batch share mean and variance with one, as an index. Shapes: shape without the batch axis."""
    if layer.role == "batch norm":
        return ..., at[-1]
    if layer.role == "layer norm":
        return (example, *at[: len(at) - len(layer.weights_shape(shape))])
    size = shape[-1] // layer.groups_of(shape[-1])
    return example, ..., slice(at[-1] // size * size, at[-1] // size * size + size)


def norm(place: Place) -> Parts:
    """Batch, layer or group norm: the number less its mean, over the deviation, times gamma, plus beta."""
    (step, example, x, at), layer = place, place.layer
    value = float(x[at])
    if layer.role == "batch norm" and not (step.training and layer.trainable):
        mean, variance = (float(layer.state[name][at[-1]]) for name in ("mean", "variance"))
    else:
        shared = np.asarray(step.input[normalised_together(layer, x.shape, example, at)], np.float64)
        mean, variance = float(shared.mean()), float(shared.var())
    gamma, beta = (float(np.broadcast_to(each, x.shape)[at]) for each in layer.gamma_beta(x.shape))
    factor = gamma / math.sqrt(variance + layer.epsilon)
    numbers = {"gamma": gamma, "value": value, "mean": mean, "variance": variance, "epsilon": layer.epsilon}
    note = (
        "{gamma} · ({value} - mean {mean}) / sqrt(variance {variance} + {epsilon}) + {beta}",
        {name: number(each) for name, each in numbers.items()} | {"beta": signed(beta)},
    )
    total, bias = value * factor, beta - mean * factor
    return {
        "kind": layer.role, "patch": np.array([value]), "kernel": np.array([factor]), "note": note,
        "products": np.array([total]), "total": total, "bias": bias, "before": total + bias,
    }  # fmt: skip


def response_norm(place: Place) -> Parts:
    """The number over a power of the squares of the channels nearby."""
    (_, _, x, at), layer = place, place.layer
    first = max(0, at[2] - layer.size // 2)
    channels = tuple(range(first, min(x.shape[2], at[2] - layer.size // 2 + layer.size)))
    beside, value = x[at[0], at[1], list(channels)], float(x[at])
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


def distance(place: Place) -> Parts:
    """Minus the squared distance to a unit's point."""
    kernel = np.asarray(place.layer.params["kernel"], np.float64)[:, place.at[0]]
    products = -np.square(place.x - kernel)
    note = ("minus the sum of {count} squared distances", {"count": str(products.size)})
    return {
        "kind": "distance", "patch": place.x, "kernel": kernel, "products": products, "total": float(products.sum()),
        "note": note,
    }  # fmt: skip


def moved(place: Place) -> Parts:
    """A number that stood elsewhere, or a sum of such, each with its share."""
    if getattr(place.layer, "interpolation", "nearest") != "nearest":
        return merged(place)
    source = place.layer.origin(place.at, place.x.shape)
    value = 0.0 if source is None else float(place.x[tuple(source)])
    return {"kind": "copy", "patch": np.array([value]), "before": value}


def merged(place: Place) -> Parts:
    """A number made of some of those that go in: their product, or their sum, each with its share."""
    (step, example, x, at), layer = place, place.layer
    several = x if layer.merges else [x]
    if layer.caption == ("*",):
        found = _product_of([float(each[at[-each.ndim :]]) for each in several])
        return {**found, "sources": tuple(range(len(several)))}
    wanted = np.zeros_like(step.output)
    wanted[(example, *at)] = 1
    dx, _ = layer.backward(wanted, step.cache)
    shares = [np.asarray(each[example], np.float64) for each in (dx if layer.merges else [dx])]
    picks = [np.nonzero(each) for each in shares]
    sources = tuple(i for i, pick in enumerate(picks) for _ in pick[0])
    values, kernel = (
        np.concatenate([each[pick] for each, pick in zip(arrays, picks, strict=True)]) for arrays in (several, shares)
    )
    return {**_sum_of(values, kernel), "sources": sources}


def _sum_of(values: Any, shares: Any) -> Parts:
    patch, kernel = np.array(values), np.array(shares)
    products = patch * kernel
    total = float(products.sum())
    found: Parts = {"patch": patch, "kernel": kernel, "products": products, "total": total, "before": total}
    if len(patch) == 1 and kernel[0] == 1:
        return {"kind": "copy", "patch": patch, "before": total}
    if len(patch) <= ADDENDS and (kernel == 1).all():
        found["note"] = _written(values, " + ")
    return {"kind": "weighted sum", **found}


def _product_of(values: list[float]) -> Parts:
    return {
        "kind": "product", "patch": np.array(values), "before": math.prod(values), "note": _written(values, " · "),
    }  # fmt: skip


def _written(values: Any, sign: str) -> tuple[str, dict[str, str]]:
    return "{values}", {"values": sign.join(signed(float(value)) for value in values)}


def signed(value: float) -> str:
    """A summand as it is, in brackets where it is negative: what is added stays added."""
    return f"({number(value)})" if value < 0 else number(value)
