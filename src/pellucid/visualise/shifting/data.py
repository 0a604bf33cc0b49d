"""A picture that moves by pixels: what the maps of a layer and the answer make of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid._display import Brief
from pellucid.datasets.download import Progress
from pellucid.errors import ConfigError
from pellucid.model import Model
from pellucid.model.tracing import trace
from pellucid.ops import Array, Pair
from pellucid.ops.geometry import whole
from pellucid.visualise.answers import probabilities
from pellucid.visualise.features.data import UNCHANGED


@dataclass(frozen=True, repr=False)
class ShiftFrame(Brief):
    """The picture at one place.

    Shapes: picture (H,W,C) as given; maps (OH,OW,O'), those of the layer's `count` that `channels` names; answer (K,),
        the probabilities of the classes.
    Units: offset in pixels down and to the right; changed: the size of the change of all maps, by that of the maps of
        the picture where it was, |maps - first| / |first|.
    """

    offset: Pair
    picture: Array
    maps: Array
    channels: tuple[int, ...]
    count: int
    answer: Array
    changed: float


def shift(
    model: Model,
    picture: Any,
    layer: str | None = None,
    *,
    offsets: Sequence[Pair] | None = None,
    channels: int | None = None,
    progress: Progress | None = None,
) -> list[ShiftFrame]:
    """A picture moved by each offset, with the maps of a layer and what the network answers.

    What comes in at an edge repeats it: black where that is black.
    layer: with maps, by name; None for `default_maps`.
    offsets: (down, right); None for `shift_path`.
    channels: the maps that are kept of each frame, at most: those with the largest values at first; None for all.
    Shapes: picture (H,W,C), or (H,W), uint8 or float.
    Errors: ShapeError and DataError as `trace`; ConfigError for a layer without maps, an unknown one, an offset as
        large as the picture, or a network without one score a class.
    """
    still = np.asarray(picture).reshape(*np.asarray(picture).shape[:2], -1)
    height, width = still.shape[:2]
    path = shift_path() if offsets is None else list(offsets)
    wrong = [offset for offset in path if abs(offset[0]) >= height or abs(offset[1]) >= width]
    if wrong or not path:
        got = f"got {wrong[0]}" if wrong else "got none"
        raise ConfigError(f"a picture of {height}x{width} can move by less than that, {got}")
    frames: list[ShiftFrame] = []
    shown = layer or default_maps(model)
    step = trace(model, still[None])[shown]
    if step.output.ndim != 4:
        raise ConfigError(f"{step.layer.place()} gives no maps; name a layer before the pictures are flattened")
    first = step.output[0]
    size = float(np.linalg.norm(first)) or 1.0
    order = np.argsort(-np.abs(first).max(axis=(0, 1)), kind="stable")
    picks = sorted(order[: None if channels is None else whole(channels, "channels")].tolist())
    for number, offset in enumerate(path, 1):
        view = moved(still, offset)
        maps = trace(model, view[None])[shown].output[0]
        changed = float(np.linalg.norm(maps - first)) / size
        answer = probabilities(model, view[None])[0]
        frames.append(ShiftFrame(offset, view, maps[:, :, picks], tuple(picks), len(order), answer, changed))
        if progress is not None:
            progress(number, len(path), "moving the picture")
    return frames


def default_maps(model: Model) -> str:
    """The last layer with maps of more than one pixel: behind the last pooling, mostly.

    Errors: ConfigError for a network without any.
    """
    chosen = ""
    for visit in model.graph.walk():
        shape = visit.output_shape
        if len(shape) == 3 and shape[0] * shape[1] > 1 and visit.layer.role not in UNCHANGED:
            chosen = visit.layer.name
    if not chosen:
        raise ConfigError(f"{model.name} has no layer with maps to draw")
    return chosen


MAX_REACH = 4096
"""Pixels that a path may lead away from the middle."""


def shift_path(reach: int = 4, step: int = 1) -> list[Pair]:
    """Offsets from the middle to the right, to the left and back, then down, up and back.

    >>> shift_path(2, 2)
    [(0, 0), (0, 2), (0, 0), (0, -2), (0, 0), (2, 0), (0, 0), (-2, 0), (0, 0)]

    Errors: ConfigError for a reach or a step below 1.
    """
    far, by = whole(reach, "shift: pixels", MAX_REACH), whole(step, "shift: every")
    out = list(range(by, far + 1, by)) or [far]
    way = [*out, *reversed([0, *out[:-1]])]
    both = [*way, *(-place for place in way)]
    return [(0, 0), *((0, place) for place in both), *((place, 0) for place in both)]


def moved(picture: Array, offset: Pair) -> Array:
    """The picture so many pixels further down and to the right, the edge repeated behind it. Shapes: (H,W,C) -> same.

    >>> moved(np.array([[[1], [2], [3]]]), (0, 1))[0, :, 0].tolist()
    [1, 1, 2]
    """
    rows, columns = (
        np.clip(np.arange(size) - by, 0, size - 1) for size, by in zip(picture.shape[:2], offset, strict=True)
    )
    return np.ascontiguousarray(picture[rows][:, columns])
