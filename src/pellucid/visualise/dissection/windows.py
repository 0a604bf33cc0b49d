"""How the numbers of layers with a window, or with weights, come about: patch, kernel, products."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from pellucid.layers import Layer
from pellucid.model.tracing import LayerTrace
from pellucid.ops import Array, Pads, Pair
from pellucid.ops.geometry import window_start

Parts = dict[str, Any]
"""Fields of a `Dissection`."""


class Place(NamedTuple):
    """One output number of a layer.

    Shapes: x, the picture of the batch that it belongs to, as the layer takes it, in float64; a series as a picture one
        pixel high, of which `at` says row 0; a list for a layer that merges.
    """

    step: LayerTrace
    example: int
    x: Any
    at: tuple[int, ...]

    @property
    def layer(self) -> Any:
        """Whose it is."""
        return self.step.layer


def place_of(step: LayerTrace, example: int, at: Sequence[int]) -> Place:
    """The output number at `at` of one picture of a batch."""
    layer, given = step.layer, step.input
    if layer.merges:
        return Place(step, example, [np.asarray(each[example], np.float64) for each in given], tuple(at))
    x = np.asarray(given[example], np.float64)
    windowed = layer.window() is not None or layer.role in ("pooling", "transposed convolution")
    one_row = x.ndim == 2 and windowed  # (W, C) one pixel high
    return Place(step, example, x[None] if one_row else x, (0, *at) if one_row else tuple(at))


def _window(x: Array, at: Sequence[int], window: tuple[Pair, Pair, Pair], pads: Pads, fill: float) -> Parts:
    """The patch under a window, all channels, with its padding filled in. Shapes: patch (KH,KW,C)."""
    kernel, strides, dilation = window
    first = window_start((at[0], at[1]), strides, pads)
    rows, columns = (first[axis] + dilation[axis] * np.arange(kernel[axis]) for axis in (0, 1))
    return _patch(x, rows, columns, fill)


def _patch(x: Array, rows: Array, columns: Array, fill: float) -> Parts:
    """What lies in these rows and columns. Shapes: patch (rows, columns, C)."""
    inside = ((rows >= 0) & (rows < x.shape[0]))[:, None] & ((columns >= 0) & (columns < x.shape[1]))
    patch = x[np.clip(rows, 0, x.shape[0] - 1)][:, np.clip(columns, 0, x.shape[1] - 1)]
    return {
        "patch": np.where(inside[:, :, None], patch, fill),
        "rows": tuple(rows.tolist()),
        "columns": tuple(columns.tolist()),
        "inside": inside,
    }


def convolution(place: Place) -> Parts:
    """Patch, filter and products."""
    (_, _, x, at), layer = place, place.layer
    window = _window(x, at, layer.window(), layer.pads(x.shape), 0.0)
    channels = layer.channels_seen(at[2], x.shape[2])
    kernel = np.asarray(layer.filter_kernel(at[2]), np.float64)
    summed = _weighted(layer, window["patch"][:, :, list(channels)], kernel, at[2])
    return {**window, "kind": "convolution", "channels": channels, **summed}


def transposed_convolution(place: Place) -> Parts:
    """The pixels whose kernels reach the number, each with the weights that it lays there."""
    (_, _, x, at), layer = place, place.layer
    options = layer.options(x.shape)
    lying = [
        _lying(at[axis], x.shape[axis], layer.kernel_size[axis], options["strides"][axis], options["dilation"][axis],
               options["padding"][axis][0])
        for axis in (0, 1)
    ]  # fmt: skip
    (rows, taps_down), (columns, taps_along) = lying
    window = _patch(x, rows, columns, 0.0)
    kernel = np.asarray(layer.filter_kernel(at[2]), np.float64)[taps_down][:, taps_along]
    channels = tuple(range(x.shape[2]))
    return {**window, "kind": "convolution", "channels": channels, **_weighted(layer, window["patch"], kernel, at[2])}


def _lying(place: int, length: int, kernel: int, stride: int, dilation: int, before: int) -> tuple[Array, Array]:
    """The places of the input whose kernels reach a place along an axis, and with which weight each; at least one,
    which lies outside where none reaches it."""
    taps = np.arange(kernel)[::-1]
    found, left = np.divmod(place + before - dilation * taps, stride)
    there = (left == 0) & (found >= 0) & (found < length)
    return (found[there], taps[there]) if there.any() else (np.array([-1]), np.array([0]))


def dense(place: Place) -> Parts:
    """Inputs, a unit's weights, and products."""
    kernel = np.asarray(place.layer.params["kernel"], np.float64)[:, place.at[-1]]
    return {"kind": "dense", **_weighted(place.layer, place.x[place.at[:-1]], kernel, place.at[-1])}


def _weighted(layer: Layer, patch: Array, kernel: Array, unit: int) -> Parts:
    products = patch * kernel
    bias = float(layer.params["bias"][unit]) if "bias" in layer.params else None
    total = float(products.sum())
    return {
        "patch": patch, "kernel": kernel, "products": products, "total": total, "bias": bias,
        "before": total + (bias or 0.0),
    }  # fmt: skip


POOLED = {"max": "max", "mean": "average", "sum": "sum"}
"""The kinds of pooling, by what it does with its window; another reduction cannot be taken apart."""


def pooling(place: Place) -> Parts:
    """The window, and which of it is the largest, or what each counts."""
    (_, _, x, at), layer = place, place.layer
    channel, corner = at[-1], at[:-1] if len(at) == 3 else (0, 0)
    whole = (x.shape[0], x.shape[1]), (1, 1), (1, 1)
    window = _window(x, corner, layer.window() or whole, layer.pads(x.shape), math.nan)
    patch, inside = window["patch"][:, :, channel : channel + 1], window["inside"][:, :, None]
    found: Parts = {**window, "patch": patch, "channels": (channel,)}
    if layer.reduction == "max":
        picked = np.unravel_index(int(np.where(inside, patch, -np.inf).argmax()), patch.shape)
        value = float(patch[picked])
        return {**found, "kind": "max", "picked": tuple(int(i) for i in picked), "before": value}
    taps = 1
    for places, length, pads in zip((window["rows"], window["columns"]), x.shape, layer.counted(x.shape), strict=False):
        taps *= sum(-pads[0] <= one < length + pads[1] for one in places)
    factor = float(layer.params["kernel"][channel]) if layer.params else 1 / taps
    summed = _weighted(layer, np.where(inside, patch, 0.0), np.where(inside, factor, 0.0), channel)
    return {**found, "kind": POOLED[layer.reduction], **summed, "patch": patch}
