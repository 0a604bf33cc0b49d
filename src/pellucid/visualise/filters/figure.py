"""Kernels of a convolution as pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pellucid.errors import ShapeError
from pellucid.ops import Array
from pellucid.visualise.drawing.figure import INK, grey, new_figure
from pellucid.visualise.drawing.labels import Labels
from pellucid.visualise.drawing.panels import without_spines
from pellucid.visualise.filters.data import MAX_SLICES, SORTS, check_kernel, default_columns, filter_grid, filter_order

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def filters_figure(
    kernel: Array,
    *,
    before: Array | None = None,
    name: str = "convolution",
    scale: str = "common",
    columns: int | None = None,
    sort: str | None = None,
    lang: str | None = None,
) -> Figure:
    """Kernels as a figure; with `before`, the same layer before and after training side by side.

    sort: see `filter_order`; both panels in the order of `kernel`, each filter under its own number. None: as they are.
    lang: of the labels, "en" or "ko"; None for the locale's.
    Units: `scale="common"` has one scale for all filters of a panel, said in weights at the colour bar, or above each
    of two panels.
    Errors: as filter_grid and filter_order; ShapeError if `before` has another shape than `kernel`.
    """
    say, kernel = Labels(lang), check_kernel(kernel, scale)
    if before is not None and before.shape != kernel.shape:
        raise ShapeError(f"kernels of {name!r}: expected before {kernel.shape} as after, got {before.shape}")
    order = np.arange(kernel.shape[3]) if sort is None else filter_order(kernel, sort)
    kernel = kernel[..., order]
    panels = [("", kernel)]
    if before is not None:
        panels = [(say("before training"), np.asarray(before)[..., order]), (say("after training"), kernel)]
    limits = [
        float(np.abs(panel).max()) for _, panel in panels
    ]  # beside trained weights, early ones would be flat grey
    height, width, channels, filters = kernel.shape
    zoom = 2 if channels not in (1, 3) and channels > 16 else -(-12 // max(height, width))
    grids = [
        filter_grid(panel, scale=scale, columns=columns, limit=limit, zoom=zoom)
        for (_, panel), limit in zip(panels, limits, strict=True)
    ]
    panel_width = 4.2 if len(panels) == 2 else 5.2
    tall = (1.0 if channels == 3 else 0.87) * panel_width * grids[0].shape[0] / grids[0].shape[1]
    figure = new_figure(panel_width * len(panels) + 1.1, min(max(tall, 1.2), 9.0) + 1.2)
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    ranged = len(panels) == 2 and scale == "common"
    for ax, (label, _), grid, limit in zip(axes, panels, grids, limits, strict=True):
        shown = ax.imshow(np.ma.masked_invalid(grid), cmap=grey(), vmin=0, vmax=1, interpolation="nearest")
        ax.set_title(f"{label}, ±{limit:.3g}" if ranged else label, color=INK, fontsize=10)
        _number(ax, kernel, columns, zoom, order, say)
    if channels == 3:
        words = say("mid-grey is 0; each filter on its own scale")
        if scale == "common":
            words = say("mid-grey is 0; ±{limit:.3g} at the ends", limit=limits[-1])
        if ranged:
            words = say("mid-grey is 0; each side on its own scale")
        figure.supxlabel(words, fontsize=9, color=INK)
    else:
        bar = figure.colorbar(shown, ax=list(axes), ticks=[0, 0.5, 1], shrink=0.9, aspect=30, pad=0.02)
        one, most = scale == "common" and not ranged, say("max")
        bar.ax.set_yticklabels(
            [f"{-limits[-1]:.3g}", "0", f"{limits[-1]:.3g}"] if one else [f"-{most}", "0", f"+{most}"]
        )
        scales = "weight, each side on its own scale" if ranged else "weight, one scale for all"
        bar.set_label(say("weight, each filter on its own scale" if scale == "each" else scales))
    words = "{name}: {filters} filters of {height} x {width} x {channels}"
    head = say(words, name=name, filters=filters, height=height, width=width, channels=channels)
    sides = (("{count} filters", filters), ("{count} channels", channels))
    counts = [say(what, count=MAX_SLICES) for what, n in sides if n > MAX_SLICES]
    if channels not in (1, 3) and counts:
        head += say(", the first {counts} drawn", counts=say(" and ").join(counts))
    if sort is not None:
        head += say(SORTS[sort])
    figure.suptitle(head, color=INK, fontsize=12)
    return figure


def _number(ax: Axes, kernel: Array, columns: int | None, zoom: int, order: Array, say: Labels) -> None:
    """Ticks that let a reader count: the first filter of each row and the place in the row, or filter and channel.

    Filters in another order have their numbers in their corners.
    """
    height, width = (zoom * extent for extent in kernel.shape[:2])
    channels, filters = kernel.shape[2:]
    if channels in (1, 3):
        across = default_columns(filters) if columns is None else columns
        rows, places = [], []
        if (order == np.arange(filters)).all():
            rows = [str(first) for first in range(0, filters, across)]
            places = [f"+{place}" if place else "0" for place in range(across)]
            ax.set_xlabel(say("place in the row"), fontsize=8)
            ax.set_ylabel(say("first filter of the row"), fontsize=8)
        else:
            _corner_numbers(ax, order, across, height + 1, width + 1)
    else:
        rows = [str(index) for index in order[:MAX_SLICES]]
        places = [str(index) for index in range(min(channels, MAX_SLICES))]
        ax.set_xlabel(say("input channel"), fontsize=8)
        ax.set_ylabel(say("filter"), fontsize=8)
    skip_x, skip_y = 1 + len(places) // 17, 1 + len(rows) // 17
    ax.set_xticks([(width - 1) / 2 + (width + 1) * i for i in range(len(places))][::skip_x], places[::skip_x])
    ax.set_yticks([(height - 1) / 2 + (height + 1) * i for i in range(len(rows))][::skip_y], rows[::skip_y])
    ax.tick_params(length=0, labelsize=8)
    without_spines(ax)


def _corner_numbers(ax: Axes, order: Array, across: int, tall: int, wide: int) -> None:
    """Each filter's own number in its upper left corner, readable on black and on white."""
    from matplotlib.patheffects import withStroke

    for place, index in enumerate(order):
        row, column = divmod(place, across)
        number = ax.text(column * wide - 0.2, row * tall - 0.2, str(index), ha="left", va="top", fontsize=6, color=INK)
        number.set_path_effects([withStroke(linewidth=1.6, foreground="white")])
