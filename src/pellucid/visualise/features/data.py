"""A picture on its way through a network: the maps of each layer, and which of them the answer rests on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid._display import Brief
from pellucid.errors import ConfigError, ShapeError, expect_known
from pellucid.model import Model
from pellucid.model.tracing import Trace, trace
from pellucid.ops import Array
from pellucid.ops.geometry import expect_numbers, whole
from pellucid.visualise.answers import batch_of_one
from pellucid.visualise.depth import drawn_layers
from pellucid.visualise.drawing.figure import MAX_DRAWN
from pellucid.visualise.drawing.panels import as_shown, side_by_side
from pellucid.visualise.filters import SCALES


@dataclass(frozen=True, repr=False)
class LayerFeatures(Brief):
    """What one layer makes of one picture, and how much each channel of it matters.

    Shapes: output (H, W, C) or any other without the batch axis; importance (C,), or None where it is not maps or the
        network gives no scores.
    Units: importance in units of the score before softmax: see `importance`.
    """

    name: str
    output: Array
    importance: Array | None = None

    @property
    def most(self) -> int | None:
        """The channel that matters most; None where none raises the score."""
        if self.importance is None or not (self.importance > 0).any():
            return None
        return int(self.importance.argmax())


@dataclass(frozen=True, repr=False)
class Features(Brief):
    """One picture through a network.

    Shapes: picture (H, W, C) in [0, 1]; answer (K,), what the network says of each class, None where that is no row.
    """

    picture: Array
    layers: tuple[LayerFeatures, ...]
    answer: Array | None

    @property
    def top(self) -> int | None:
        """The class that the network says; None where it says NaN."""
        return None if self.answer is None or np.isnan(self.answer).any() else int(self.answer.argmax())


def feature_grid(
    maps: Array,
    columns: int | None = None,
    *,
    scale: str = "common",
    channels: Sequence[int] | None = None,
    limit: Array | float | None = None,
    signs: bool | None = None,
    gap: int = 1,
    zoom: int = 1,
) -> Array:
    """One layer's maps side by side in one picture, a channel a cell, from 0 (black) to 1 (white).

    Maps without negative values, as behind a ReLU: value = y / max. Others: 0.5 + y / (2 * max |y|), so that 0 is
    mid-grey. "common" takes the max over the whole layer, "each" over each channel. For maps beside others, `limit` is
    the max instead, one number or one a channel, and `signs` says whether any of them has negative values. A value that
    is no finite number stays NaN.

    Shapes: maps (H,W,C) -> (rows*(zoom*H+gap)-gap, columns*(zoom*W+gap)-gap); lines between cells are NaN.
    Units: gap in pixels; every value takes zoom x zoom. channels: those drawn, in this order; None for all.
    Errors: ShapeError unless maps has three axes, none empty; ConfigError for an unknown scale, for columns, gap or
        zoom below 1, and for a channel that is not there.
    """
    maps = np.asarray(maps)
    if maps.ndim != 3 or 0 in maps.shape:
        raise ShapeError(f"maps to draw: expected three axes (H,W,C), none empty, got shape {maps.shape}")
    expect_known("scale", scale, SCALES)
    gap, zoom = whole(gap, "gap", MAX_DRAWN), whole(zoom, "zoom", MAX_DRAWN)
    columns = None if columns is None else whole(columns, "columns", MAX_DRAWN)
    count = maps.shape[2]
    shown = list(range(count)) if channels is None else list(channels)
    wrong = [channel for channel in shown if not 0 <= channel < count]
    if wrong or not shown:
        raise ConfigError(f"these maps have channels 0 to {count - 1}, got {wrong[0] if wrong else 'none to draw'}")
    across = columns or grid_columns(len(shown))
    expect_numbers((*maps.shape[:2], len(shown), zoom, zoom), "the drawing")
    values = _scaled(maps, scale, limit, signs)[:, :, shown].repeat(zoom, axis=0).repeat(zoom, axis=1)
    return side_by_side(list(np.moveaxis(values, -1, 0)), across, gap)


def grid_columns(channels: int) -> int:
    """How many maps stand in a row, so that the grid is about square."""
    return int(np.ceil(np.sqrt(channels)))


def _scaled(maps: Array, scale: str, limit: Array | float | None, signs: bool | None) -> Array:
    if limit is None:
        axes = (0, 1) if scale == "each" else None
        limit = np.abs(np.where(np.isfinite(maps), maps, 0)).max(axis=axes, keepdims=True)
    largest = np.where(np.asarray(limit) > 0, limit, 1)
    result = 0.5 + maps / (2 * largest) if (signed(maps) if signs is None else signs) else maps / largest
    return np.where(np.isfinite(maps), result, np.nan)


def signed(maps: Array) -> bool:
    """Whether maps hold negative values, so that their 0 is drawn mid-grey and not black."""
    return bool((maps < 0).any())


def importance(seen: Trace) -> dict[str, Array]:
    """How much each channel adds to the score that a trace goes back from: mean over places of (d score / d y) * y.

    Large where the score would fall if the channel went a little towards 0: a first-order answer, of this picture
    alone. Multiply by the H * W places of a map for the change of the whole score.
    Shapes: for each layer with maps (N,H,W,C) the gradients reached, (N,C).
    Errors: ConfigError for a trace without gradients: take `trace(model, pictures).back_from_class(...)`.
    """
    if not seen.what:
        raise ConfigError("this trace has no gradients; take trace(model, pictures).back_from_class(classes)")
    return {
        step.name: np.asarray((step.d_output * step.output).mean(axis=(1, 2)))
        for step in seen
        if step.d_output is not None and step.output.ndim == 4
    }


def feature_maps(model: Model, picture: Any, layers: Sequence[str] | None = None) -> Features:
    """What each layer makes of one picture, and what each channel adds to the score of the class that is answered.

    layers: by name; None for all but those that pass on what they get (Dropout, Flatten, zero padding), or a few of
    many, see `drawn_layers`.
    Shapes: picture (H, W, C), or (H, W); uint8 or float.
    Errors: ShapeError and DataError as `trace`; ConfigError for an unknown layer, which lists those there are.
    """
    seen = trace(model, batch_of_one(model, picture))
    names = drawn_layers(seen.model) if layers is None else tuple(layers)
    for name in names:
        seen[name]  # names the layers there are
    answer = class_scores(seen)
    matters: dict[str, Array] = {}
    if answer is not None and any(step.output.ndim == 4 for step in seen):
        matters = importance(seen.back(_of_the_answer(seen.scores), to=seen.names[0], weights=False))
    steps = tuple(
        LayerFeatures(name, seen[name].output[0], matters[name][0] if name in matters else None) for name in names
    )
    return Features(as_shown(picture), steps, answer)


def _of_the_answer(scores: Array) -> Array:
    """The gradient of the score that decides: the largest; of one sigmoid, its own, or minus it below 0."""
    if scores.shape[1] == 1:
        return np.where(scores >= 0, 1, -1)
    return np.asarray(scores.argmax(axis=1)[:, None] == np.arange(scores.shape[1]))


def class_scores(seen: Trace) -> Array | None:
    """What a network says of each class of its first picture; None where its output is no row of numbers.

    Shapes: (K,). One sigmoid answers for the second of two classes, so it gives two.
    """
    if seen.outputs.ndim != 2:
        return None
    row = seen.outputs[0]
    return np.array([1 - row[0], row[0]]) if row.size == 1 else row
