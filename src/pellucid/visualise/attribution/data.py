"""What a network looks at: which pixels the score of a class depends on, asked in three ways.

All three answer for one class at a time, and each leaves something out, which its docstring says. None of them shows
that the network is right, nor that a person would look at the same place.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pellucid.datasets.download import Progress
from pellucid.errors import ConfigError
from pellucid.model import Model
from pellucid.model.tracing import Trace, trace
from pellucid.ops import Array
from pellucid.ops.geometry import pair
from pellucid.visualise.answers import batch_of_one, probabilities
from pellucid.visualise.depth import whole

Classes = int | Sequence[int] | Array | None
OCCLUDED_BATCH = 64
"""Covered pictures in memory at once."""


def input_gradient(model: Model, pictures: Any, classes: Classes = None) -> Array:
    """How the score of a class changes with each value of the picture: d score / d picture, before the softmax.

    Does not show how much of the score a pixel makes up: it is a slope, at this very picture. Where the network is
    saturated it is 0 however much the pixel matters, and a strong contrast that hardly varies looks like nothing. It is
    noisy, and tells more of edges than of things.
    classes: one for all, or one a picture; None takes the most probable one of each.
    Shapes: pictures (N,H,W,C) -> (N,H,W,C).
    Units: score for each unit of the network's input, which is what `preprocessing` makes of pixels.
    Errors: ConfigError for a class that the network does not have; ShapeError as `trace`.
    Source: Simonyan, Vedaldi & Zisserman 2014, section 3, equation 4.
    """
    seen = trace(model, pictures)
    wanted = _most_probable(seen) if classes is None else classes
    gradient = seen.back_from_class(wanted, weights=False)[0].d_input
    if gradient is None:
        raise ConfigError(f"{seen[0].layer.place()} gives no gradient of its input, so there is none to draw")
    return np.asarray(gradient)


def saliency(gradient: Array) -> Array:
    """One number a pixel: the largest slope among its channels, without its sign.

    Shapes: (...,H,W,C) -> (...,H,W).
    Source: Simonyan, Vedaldi & Zisserman 2014, section 3.1.
    """
    return np.asarray(np.abs(gradient).max(axis=-1))


def grad_cam(model: Model, picture: Any, layer: str | None = None, classes: Classes = None) -> Array:
    """The maps of a layer, each weighted by the mean slope of the score along it, and what speaks for the class kept.

    relu(sum over k of mean over (i,j) of (d score / d map[i,j,k]) * map[k]), then enlarged to the picture.

    Does not show what speaks against the class, nor anything finer than the layer's maps. The map is stretched over the
    whole picture, so without padding its edge is drawn up to half a receptive field off. A mean slope stands for all
    places: where the maps meet a dense layer, a map may be counted where it has no effect.
    layer: with maps, by name; None for `default_layer`.
    classes: one or several; None for the most probable one.
    Shapes: picture (H,W,C) -> (classes,H,W).
    Units: score.
    Errors: ConfigError for an unknown layer, one without maps or one behind the scores, and for an unknown class.
    Source: Selvaraju et al. 2017, section 3, equations 1 and 2.
    """
    seen = trace(model, batch_of_one(model, picture))
    chosen = seen[default_layer(model) if layer is None else layer]
    maps, (height, width) = chosen.output, seen.inputs.shape[1:3]
    if maps.ndim != 4:
        raise ConfigError(f"{chosen.layer.place()} gives no maps; name a layer before the pictures are flattened")
    found = []
    for index in _listed(seen, classes):
        slope = seen.back_from_class(index, to=chosen.name, weights=False)[chosen.name].d_output
        if slope is None:
            raise ConfigError(f"{chosen.layer.place()} is behind the scores; name a layer before them")
        weights = slope[0].mean(axis=(0, 1))
        found.append(enlarge(np.maximum(maps[0] @ weights, 0), (height, width)))
    return np.stack(found)


def default_layer(model: Model) -> str:
    """The layer whose maps Grad-CAM draws: the last convolution with more than one pixel, normalised and activated.

    Errors: ConfigError for a network without such a convolution.
    """
    visits = list(model.graph.walk())
    maps = [visit for visit in visits if len(visit.output_shape) == 3 and visit.output_shape[:2] != (1, 1)]
    chosen = next((visit for visit in reversed(maps) if visit.layer.role == "convolution"), None)
    if chosen is None:
        raise ConfigError(f"{model.name} has no convolution with maps to draw; use the gradient or occlusion")
    return whole(visits, chosen).layer.name


def occlusion(
    model: Model,
    picture: Any,
    size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    fill: Any = None,
    classes: Classes = None,
    progress: Progress | None = None,
) -> Array:
    """How much less probable a class becomes when a rectangle of the picture is covered, one place after the other.

    Each pixel gets the mean loss over the rectangles that cover it; below 0, covering makes the class more probable.

    Does not show parts that stand in for each other: while one is covered, the other still tells. It knows no shape but
    the rectangle and no size but this one, and the cover itself is something the network has never seen.
    size: of the rectangle, rows and columns; stride: from one to the next, by default a quarter of the size. The last
        ones lie flush with the edge.
    fill: what covers, one number or one a channel, in the picture's own units; None for the picture's mean colour.
    Shapes: picture (H,W,C) -> (classes,H,W).
    Units: size, stride in pixels; the map in probability.
    Errors: ConfigError for a rectangle larger than the picture, a stride that leaves gaps, or an unknown class.
    Source: Zeiler & Fergus 2014, section 4.2.
    """
    one = batch_of_one(model, picture)
    height, width = one.shape[1:3]
    rows, columns = pair(size, "occlusion: size")
    steps = (max(1, rows // 4), max(1, columns // 4)) if stride is None else pair(stride, "occlusion: stride")
    if rows > height or columns > width or steps[0] > rows or steps[1] > columns:
        raise ConfigError(
            f"occlusion: size must be at most the picture's {height}x{width}, and stride at most the size, "
            f"got size {rows}x{columns} and stride {steps[0]}x{steps[1]}"
        )
    cover = mean_colour(one)[0] if fill is None else np.broadcast_to(fill, one.shape[3:])
    if one.dtype == np.uint8:
        cover = np.clip(np.rint(cover), 0, 255)
    whole = probabilities(model, one)[0]
    picks = _checked([int(whole.argmax())] if classes is None else classes, len(whole), model.name)
    places = [(top, left) for top in _starts(height, rows, steps[0]) for left in _starts(width, columns, steps[1])]
    loss, count = np.zeros((len(picks), height, width)), np.zeros((height, width))
    for start in range(0, len(places), OCCLUDED_BATCH):
        batch = places[start : start + OCCLUDED_BATCH]
        covered = np.repeat(one, len(batch), axis=0)
        for target, (top, left) in zip(covered, batch, strict=True):
            target[top : top + rows, left : left + columns] = cover
        for answer, (top, left) in zip(probabilities(model, covered), batch, strict=True):
            loss[:, top : top + rows, left : left + columns] += (whole - answer)[picks][:, None, None]
            count[top : top + rows, left : left + columns] += 1
        if progress is not None:
            progress(start + len(batch), len(places), "covering the picture")
    return np.asarray(loss / count, np.float32)


def mean_colour(pictures: Array) -> Array:
    """What covers a part of each. Shapes: (N,H,W,C) -> (N,C) float64."""
    return np.asarray(pictures.mean(axis=(1, 2), dtype=np.float64))


def enlarge(values: Array, size: tuple[int, int]) -> Array:
    """A map at a picture's size, bilinearly. Shapes: (h,w) -> (H,W) float32."""
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(values, np.float32))
    return np.asarray(image.resize((size[1], size[0]), Image.Resampling.BILINEAR))


def _listed(seen: Trace, classes: Classes) -> list[int]:
    return [int(index) for index in np.atleast_1d(_most_probable(seen) if classes is None else classes)]


def _most_probable(seen: Trace) -> Array:
    scores = seen.scores
    if scores.ndim == 2 and scores.shape[1] == 1:
        return (scores[:, 0] > 0).astype(np.int64)
    return np.asarray(scores.reshape(len(scores), -1).argmax(axis=1))


def _checked(classes: Any, count: int, name: str) -> Array:
    picks = np.atleast_1d(np.asarray(classes))
    if picks.dtype.kind not in "iu" or picks.min() < 0 or picks.max() >= count:
        raise ConfigError(f"{name} has classes 0 to {count - 1}, got {classes}")
    return picks


def _starts(length: int, size: int, stride: int) -> list[int]:
    """Where rectangles begin along one side; the last one ends with the picture."""
    return sorted({*range(0, length - size, stride), length - size})
