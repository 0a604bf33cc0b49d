"""Maps of one convolution in rows and columns: its channels under the picture, and each of them through it again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid._display import Brief
from pellucid.errors import ConfigError, ShapeError
from pellucid.layers import Layer
from pellucid.ops import Array, Pair
from pellucid.visualise.drawing.figure import INK, new_figure
from pellucid.visualise.drawing.labels import Labels

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, repr=False)
class Panel(Brief):
    """One map of a grid and what is written over it. Shapes: values (H, W)."""

    title: str
    values: Array


Panels = Mapping[Pair, Panel]
"""What stands where: (row, column) -> panel; places without one stay empty."""


def channel_panels(
    layer: Layer, picture: Any, names: Sequence[str] | None = None, *, lang: str | None = None
) -> dict[Pair, Panel]:
    """The picture in the first row, the channels of a convolution below: two rows, a column a channel.

    Of two channels, this is a 2x2 figure: the picture above left, nothing above right.
    names: of the channels; None for their numbers. lang: of the titles, "en" or "ko"; None for the locale's.
    Shapes: picture (H,W), or (H,W,C).
    Errors: ShapeError where picture and layer do not fit; ConfigError for another number of names than of channels.
    """
    say = Labels(lang)
    pixels, maps = _through(layer, picture)
    titles = _names(names, maps.shape[2], say)
    panels = {(0, 0): Panel(say("picture"), pixels)}
    panels |= {(1, c): Panel(titles[c], maps[:, :, c]) for c in range(len(titles))}
    return panels


def chained_panels(
    layer: Layer, picture: Any, names: Sequence[str] | None = None, *, lang: str | None = None
) -> dict[Pair, Panel]:
    """The picture, the K channels of a convolution below it, and each of them through the same convolution again.

    Three rows of K * K columns; each map stands at the left end of those made from it. Of two channels, this is the 3x4
    figure whose two middle maps below are the same: convolutions can be swapped.
    Shapes: picture (H,W), or (H,W,1).
    Errors: as channel_panels; ShapeError for a layer that takes more than one channel.
    """
    say = Labels(lang)
    pixels, maps = _through(layer, picture)
    titles = _names(names, maps.shape[2], say)
    panels = {(0, 0): Panel(say("picture"), pixels)}
    for first, name in enumerate(titles):
        panels[1, first * len(titles)] = Panel(name, maps[:, :, first])
        _, again = _through(layer, maps[:, :, first])
        for second, then in enumerate(titles):
            panels[2, first * len(titles) + second] = Panel(
                say("{first}, then {second}", first=name, second=then), again[:, :, second]
            )
    return panels


def small_grid(
    panels: Panels,
    rows: int | None = None,
    columns: int | None = None,
    *,
    scale: str = "each",
    title: str = "",
    lang: str | None = None,
) -> Figure:
    """Maps in rows and columns, in grey, each with its size and its scale beside it.

    scale: "each" map its own, or one "common" to all. rows, columns: None for as many as the panels need.
    Errors: ConfigError for panels outside the grid, or none at all, and for an unknown scale.
    """
    if not panels:
        raise ConfigError("a grid needs one panel or more, got none")
    if scale not in ("each", "common"):
        raise ConfigError(f"scale must be each or common, got {scale!r}")
    least = [1 + max(place[axis] for place in panels) for axis in (0, 1)]
    down, across = rows or least[0], columns or least[1]
    if down < least[0] or across < least[1]:
        raise ConfigError(f"these panels need {least[0]} rows and {least[1]} columns, got {rows} and {columns}")
    every = [panel.values for panel in panels.values()]
    low, high = min(float(v.min()) for v in every), max(float(v.max()) for v in every)
    figure = new_figure(3.1 * across, 2.65 * down + 0.4)
    axes = figure.subplots(down, across, squeeze=False)
    for place, ax in np.ndenumerate(axes):
        panel = panels.get((place[0], place[1]))
        if panel is None:
            ax.set_axis_off()
            continue
        limits = (low, high) if scale == "common" else (None, None)
        shown = ax.imshow(panel.values, cmap="gray", vmin=limits[0], vmax=limits[1], interpolation="nearest")
        ax.set_title(f"{panel.title}, {panel.values.shape[0]}x{panel.values.shape[1]}", fontsize=9, color=INK)
        ax.tick_params(labelsize=8)
        for axis in (ax.xaxis, ax.yaxis):
            axis.get_major_locator().set_params(integer=True, nbins=5)
        bar = figure.colorbar(shown, ax=ax, shrink=0.85)
        bar.ax.tick_params(labelsize=8)
    own = Labels(lang)("each map on its own scale" if scale == "each" else "one scale for all maps")
    figure.suptitle(f"{title} ({own})" if title else own, fontsize=11, color=INK)
    return figure


def _through(layer: Layer, picture: Any) -> tuple[Array, Array]:
    """The picture as it is drawn, and what the layer makes of it. Shapes: (H,W), (OH,OW,O)."""
    given = np.asarray(picture, np.float32)
    if given.ndim not in (2, 3):
        raise ShapeError(f"a picture to convolve: expected (H,W) or (H,W,C), got shape {given.shape}")
    pixels = given[:, :, None] if given.ndim == 2 else given
    maps = layer(pixels[None])[0]
    if maps.ndim != 3:
        raise ShapeError(f"{layer.place()} gives no maps to draw but {maps.shape} a picture; take a convolution")
    return pixels.mean(axis=2), maps


def _names(names: Sequence[str] | None, channels: int, say: Labels) -> list[str]:
    if names is None:
        return [say("channel {index}", index=index) for index in range(channels)]
    if len(names) != channels:
        raise ConfigError(f"this layer has {channels} channels, got {len(names)} names: {', '.join(names)}")
    return list(names)
