"""What several panels show alike: a picture, bars with their numbers, a row of units, a frame, pixels without axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pellucid.ops import Array
from pellucid.visualise.drawing.figure import BETWEEN, BLUE, INK, VERMILION, grey, plain
from pellucid.visualise.drawing.labels import Labels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.patches import Rectangle

WIDE_BARS = 60
"""Of fewer units there is room between the bars."""


def bare(ax: Axes, *, spines: bool = True) -> None:
    """No ticks, and on demand no lines around the panel."""
    ax.set_xticks([])
    ax.set_yticks([])
    if not spines:
        without_spines(ax)


def without_spines(ax: Any, sides: Sequence[str] = ("left", "right", "top", "bottom")) -> None:
    """No lines around the panel, or none at some sides."""
    for side in sides:
        ax.spines[side].set_visible(False)


def frame(ax: Axes, left: float, top: float, width: float, height: float, *, line: float = 2.2) -> Rectangle:
    """A rectangle around pixels, in vermilion; it may stand out of the panel."""
    from matplotlib.patches import Rectangle

    around = Rectangle((left, top), width, height, fill=False, edgecolor=VERMILION, linewidth=line, clip_on=False)
    ax.add_patch(around)
    return around


def draw_units(ax: Axes, values: Array, say: Labels, marked: int | None = None) -> None:
    """A row of units as bars, one of them marked. Shapes: values (K,)."""
    ax.bar(np.arange(values.size), values, color=BLUE, width=0.8 if values.size < WIDE_BARS else 1.0)
    if marked is not None:
        ax.bar([marked], [values[marked]], color=VERMILION, width=max(0.8, values.size / 120))
    ax.axhline(0, color=INK, lw=0.6)
    ax.tick_params(labelsize=8)
    ax.set_xlabel(say("unit"), fontsize=8)
    plain(ax)
    ax.locator_params(axis="x", integer=True)


def draw_bars(
    ax: Axes, labels: Sequence[str], values: Sequence[float], colours: Sequence[str], written: Sequence[str]
) -> None:
    """Bars to the right, the first on top, each with its number behind it; left of it are the labels."""
    places = np.arange(len(values))[::-1]
    ax.barh(places, values, color=list(colours), height=0.7)
    ax.set_yticks(places, list(labels), fontsize=8)
    for place, value, text in zip(places, values, written, strict=True):
        at = (max(value, 0.0), float(place))
        ax.annotate(text, at, (3, 0), textcoords="offset points", va="center", fontsize=8)
    ax.margins(x=0.3)
    ax.tick_params(labelsize=8)
    without_spines(ax, ("top", "right"))


def draw_values(
    ax: Axes, values: Array, say: Labels, *, between: str = BETWEEN, aspect: Literal["auto"] | None = None
) -> None:
    """Values in grey, 0 black or, with negative ones around, mid-grey, which is said below. Shapes: values (H,W)."""
    limit = float(np.abs(values[np.isfinite(values)]).max(initial=0.0)) or 1.0
    low = -limit if (values < 0).any() else 0.0
    shown = np.ma.masked_invalid(values)
    ax.imshow(shown, cmap=grey(between), vmin=low, vmax=limit, interpolation="nearest", aspect=aspect)
    ax.set_xlabel(scale_words(bool(low), limit, say), fontsize=8, color=INK)


def scale_words(signs: bool, limit: float, say: Labels) -> str:
    """What black or mid-grey is, and what white."""
    return f"{say('mid-grey 0' if signs else 'black 0')}, {say('white {limit:.3g}', limit=limit)}"


def as_shown(picture: Any) -> Array:
    """A picture as Matplotlib draws it: values from 0 to 1, grey without the channel axis.

    Floats beyond 0 to 1 are stretched from their least to their largest value; of other than 1 or 3 channels, the mean
    is shown.
    Shapes: (H,W,C) or (H,W) -> (H,W) or (H,W,3).
    """
    array = np.asarray(picture)
    values = array / 255 if array.dtype == np.uint8 else array.astype(np.float64)
    if values.size and (values.min() < 0 or values.max() > 1):
        low, high = values.min(), values.max()
        values = (values - low) / (high - low if high > low else 1)
    if values.ndim == 3 and values.shape[2] != 3:
        values = values.mean(axis=2)
    return values


def show_picture(axes: Axes, picture: Any, title: str = "", *, fontsize: float = 9) -> None:
    """A picture without ticks, its title above it."""
    axes.imshow(as_shown(picture), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes.set_title(title, fontsize=fontsize, color=INK)
    bare(axes)


def side_by_side(cells: Sequence[Array], across: int, gap: int = 1) -> Array:
    """Cells of one size in rows, NaN on the lines between them.

    Shapes: cells (H,W,...) -> (rows*(H+gap)-gap, across*(W+gap)-gap,...) float32.
    """
    (height, width), down = cells[0].shape[:2], -(-len(cells) // across)
    rows, columns = down * (height + gap) - gap, across * (width + gap) - gap
    grid = np.full((rows, columns, *cells[0].shape[2:]), np.nan, np.float32)
    for index, cell in enumerate(cells):
        top, left = index // across * (height + gap), index % across * (width + gap)
        grid[top : top + height, left : left + width] = cell
    return grid
