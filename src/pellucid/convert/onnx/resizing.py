"""Resize and Upsample: by whole factors our upsampling, otherwise a matrix for each axis."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pellucid import layers as L
from pellucid.convert.onnx.reading import Held, Inexpressible, Node, Reader
from pellucid.convert.onnx.rearranging import expect_side
from pellucid.ops.geometry import Array


def read_resize(reader: Reader, node: Node) -> Held:
    held = reader.settled(node.held())
    how = {**DEFAULTS, **node.attributes}
    if node.operator == "Upsample" or node.opset < 11:
        how["coordinate_transformation_mode"], how["nearest_mode"] = "asymmetric", "floor"
        scales, sizes, roi = node.given("scales", 1), None, None
    else:
        roi, scales, sizes = node.constant(1), node.constant(2), node.constant(3)
    axes = [axis % held.rank for axis in how.get("axes") or range(held.rank)]
    factors, outs = _factors(held, axes, scales, sizes, str(how["keep_aspect_ratio_policy"]))
    if factors.get(0, 1.0) != 1:
        raise Inexpressible("along the batch")
    whole = _by_layer(reader, held, factors, outs, how)
    if whole is not None:
        return whole
    fill: Any = float(how["extrapolation_value"])
    crop = how["coordinate_transformation_mode"] == "tf_crop_and_resize"
    held = reader.scaled(held, 1.0, -fill) if crop and fill else held
    for place, axis in enumerate(axes):
        size = held.sizes[axis - 1] if axis else 1
        region = (0.0, 1.0) if roi is None or not np.size(roi) else (float(roi[place]), float(roi[place + len(axes)]))
        if axis and (outs[axis] != size or crop):
            expect_side(size)
            expect_side(outs[axis])
            held = reader.mixed(held, axis, line(size, outs[axis], factors[axis], how, region))
    return reader.scaled(held, 1.0, fill) if crop and fill else held


DEFAULTS = {
    "mode": "nearest",
    "coordinate_transformation_mode": "half_pixel",
    "nearest_mode": "round_prefer_floor",
    "cubic_coeff_a": -0.75,
    "exclude_outside": 0,
    "antialias": 0,
    "extrapolation_value": 0.0,
    "keep_aspect_ratio_policy": "stretch",
}


def _factors(
    held: Held, axes: list[int], scales: Any, sizes: Any, policy: str
) -> tuple[dict[int, float], dict[int, int]]:
    """By how much each axis becomes longer, and how long it is then."""
    whole = [0, *held.sizes]
    if scales is not None and np.size(scales):
        factors = {axis: float(scale) for axis, scale in zip(axes, np.reshape(scales, -1), strict=True)}
        return factors, {axis: math.floor(whole[axis] * factor) for axis, factor in factors.items()}
    if sizes is None:
        raise Inexpressible("neither scales nor sizes are known")
    wanted = dict(zip(axes, np.reshape(sizes, -1).tolist(), strict=True))
    wanted = {axis: int(size) for axis, size in wanted.items() if axis}
    factors = {axis: size / whole[axis] for axis, size in wanted.items()}
    if policy != "stretch":
        one = (min if policy == "not_larger" else max)(factors.values())
        factors = dict.fromkeys(factors, one)
        wanted = {axis: math.floor(whole[axis] * one + 0.5) for axis in factors}
    return factors, wanted


def _by_layer(
    reader: Reader, held: Held, factors: dict[int, float], outs: dict[int, int], how: dict[str, Any]
) -> Held | None:
    """The same by UpSampling2D, where that gives it."""
    spatial = [factors.get(axis, 1.0) for axis in (2, 3)]
    if held.rank != 4 or factors.get(1, 1.0) != 1 or any(f != int(f) or f < 1 for f in spatial):
        return None
    name = "nearest" if how["mode"] == "nearest" else "bilinear" if how["mode"] == "linear" else ""
    for axis, factor in zip((2, 3), spatial, strict=True):
        size = held.sizes[axis - 1]
        if not name or outs.get(axis, size) != size * factor or size * factor > 4096:
            return None
        ours = {
            "mode": how["mode"],
            "coordinate_transformation_mode": "half_pixel",
            "nearest_mode": "round_prefer_floor",
        }
        same = line(size, int(size * factor), factor, {**DEFAULTS, **ours}, (0.0, 1.0))
        if not np.allclose(line(size, int(size * factor), factor, how, (0.0, 1.0)), same, atol=1e-7):
            return None
    sizes = int(spatial[0]), int(spatial[1])
    return reader.of_maps(reader.layer(lambda: L.UpSampling2D(sizes, name), reader.maps(held)))


def line(size: int, out: int, scale: float, how: dict[str, Any], region: tuple[float, float]) -> Array:
    """The weights that make a line of `out` numbers of one of `size`. Shapes: -> (size, out).

    Source: ONNX's text of Resize, opset 19: coordinates, then the neighbours' weights.
    """
    places = np.arange(out, dtype=np.float64)
    mode = how["coordinate_transformation_mode"]
    last = size - 1
    if mode == "half_pixel":
        x = (places + 0.5) / scale - 0.5
    elif mode == "half_pixel_symmetric":
        x = size / 2 * (1 - out / (scale * size)) + (places + 0.5) / scale - 0.5
    elif mode == "pytorch_half_pixel":
        x = (places + 0.5) / scale - 0.5 if out > 1 else places * 0
    elif mode == "align_corners":
        x = places * last / (scale * size - 1) if scale * size > 1 else places * 0
    elif mode == "asymmetric":
        x = places / scale
    elif mode == "tf_crop_and_resize":
        start, end = region
        x = start * last + places * (end - start) * last / (out - 1) if out > 1 else 0.5 * (start + end) * last + places
    else:
        raise Inexpressible(f"coordinates by {mode}")
    matrix = np.zeros((size, out))
    for column, at in enumerate(x):
        if mode == "tf_crop_and_resize" and not 0 <= at <= last:
            continue
        for place, weight in _neighbours(float(at), scale, how):
            if 0 <= place <= last or not how["exclude_outside"]:
                matrix[min(max(place, 0), last), column] += weight
        if how["exclude_outside"]:
            matrix[:, column] /= matrix[:, column].sum()
    return matrix.astype(np.float32)


def _neighbours(at: float, scale: float, how: dict[str, Any]) -> list[tuple[int, float]]:
    """The places whose numbers one is made of, and their weights."""
    if how["mode"] == "nearest":
        up, down = math.floor(at + 0.5), math.ceil(at - 0.5)
        rounded = {"floor": math.floor(at), "ceil": math.ceil(at), "round_prefer_ceil": up, "round_prefer_floor": down}
        return [(rounded[how["nearest_mode"]], 1.0)]
    if how["mode"] not in ("linear", "cubic"):
        raise Inexpressible(f"interpolation by {how['mode']}")
    wide = min(scale, 1.0) if how["antialias"] else 1.0
    reach = (1 if how["mode"] == "linear" else 2) / wide
    first = math.floor(at - reach) + 1
    found = [(place, _kernel((place - at) * wide, how)) for place in range(first, math.ceil(at + reach))]
    total = sum(weight for _, weight in found) if how["antialias"] else 1.0
    return [(place, weight / total) for place, weight in found if weight] or [(round(at), 1.0)]


def _kernel(distance: float, how: dict[str, Any]) -> float:
    t = abs(distance)
    if how["mode"] == "linear":
        return max(1 - t, 0.0)
    a = float(how["cubic_coeff_a"])
    if t <= 1:
        return ((a + 2) * t - (a + 3)) * t * t + 1
    return ((a * t - 5 * a) * t + 8 * a) * t - 4 * a if t < 2 else 0.0
