"""Histograms of all layers as panels, and over training as ridges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from pellucid.errors import DataError
from pellucid.ops import Array
from pellucid.visualise.figure import BLUE, INK, VERMILION, new_figure, plain
from pellucid.visualise.histograms import Histogram, Snapshots, UnitStates

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

RIDGES = 20
"""Of more epochs than this, every second, third ... is drawn, and the last."""
OVERLAP = 2.0
"""How high a ridge is, in distances between ridges."""


def histograms_figure(
    found: Mapping[str, Histogram],
    states: Mapping[str, UnitStates] | None = None,
    *,
    kind: str = "activations",
    columns: int | None = None,
    title: str = "",
) -> Figure:
    """A panel a layer or parameter: how many values lie where, on a logarithmic axis, and what is dead or saturated.

    Errors: DataError for nothing to draw.
    """
    axes, figure = _panels(list(found), kind, columns, 1.75, title)
    for ax, (name, one) in zip(axes, found.items(), strict=True):
        ax.stairs(np.maximum(one.counts, 0.5), one.edges, fill=True, baseline=0.5, color=BLUE)
        ax.set_yscale("log")
        ax.set_ylim(0.5, max(10.0, 3.0 * float(one.counts.max(initial=1))))
        ax.axvline(0, color=INK, lw=0.8, ls=":")
        told = states[name].told if states and name in states else ""
        ax.set_title(f"{name}: {one.total:,} values" + (f"\n{told}" if told else ""), fontsize=9, color=INK)
        _value_axis(ax)
    figure.supylabel("values in a bin (log)", fontsize=9, color=INK)
    return figure


def ridges_figure(
    snapshots: Snapshots,
    kind: str = "weights",
    layers: Sequence[str] | None = None,
    *,
    columns: int | None = None,
    title: str = "",
) -> Figure:
    """How a layer's numbers spread over training: a ridge an epoch, the first at the bottom, in one panel a name.

    Each ridge's height is the logarithm of 1 + the values per bin width, and all ridges of a panel share one scale.
    Errors: as Snapshots.of.
    """
    series = snapshots.of(kind, layers)
    axes, figure = _panels(list(series), kind, columns, 2.9, title)
    shown = drawn_epochs(snapshots.epochs)
    for ax, (name, every) in zip(axes, series.items(), strict=True):
        ridges = {e: one for e, one in zip(snapshots.epochs, every, strict=True) if e in shown and one is not None}
        _draw_ridges(ax, ridges)
        ax.set_title(name, fontsize=9, color=INK)
        _value_axis(ax)
    figure.supylabel("epoch; height: log of the number of values", fontsize=9, color=INK)
    return figure


def drawn_epochs(epochs: Sequence[int]) -> list[int]:
    """The first epoch, the last, and at most RIDGES in all, evenly spread."""
    places = np.unique(np.linspace(0, len(epochs) - 1, min(RIDGES, len(epochs))).round().astype(int))
    return [epochs[place] for place in places]


def ridge(one: Histogram, edges: Array) -> Array:
    """A histogram's height over other bins: log(1 + values per bin), its counts spread evenly over each of its own.

    Shapes: edges (B+1,) -> (B,).
    """
    below = np.concatenate([[0.0], np.cumsum(one.counts)])
    return np.asarray(np.log1p(np.diff(np.interp(edges, one.edges, below))))


def _draw_ridges(ax: Axes, ridges: Mapping[int, Histogram]) -> None:
    low = min(one.edges[0] for one in ridges.values())
    high = max(one.edges[-1] for one in ridges.values())
    edges = np.linspace(low, high, 129)
    heights = {epoch: ridge(one, edges) for epoch, one in ridges.items()}
    tallest = max(float(height.max()) for height in heights.values()) or 1.0
    centres = (edges[:-1] + edges[1:]) / 2
    order = list(heights)
    for place, epoch in reversed(list(enumerate(order))):  # the last epoch lies behind
        outline = place + OVERLAP * heights[epoch] / tallest
        ends = place in (0, len(order) - 1)
        ax.fill_between(centres, place, outline, facecolor="#D5E5F2", alpha=0.9, lw=0, zorder=2 * (len(order) - place))
        colour = VERMILION if ends and place else BLUE
        ax.plot(centres, outline, color=colour, lw=1.6 if ends else 0.8, zorder=2 * (len(order) - place) + 1)
    ax.set_yticks(range(0, len(order), 1 + len(order) // 8), [str(e) for e in order[:: 1 + len(order) // 8]])
    ax.set_ylim(-0.2, len(order) - 1 + OVERLAP + 0.2)


def _panels(
    names: Sequence[str], kind: str, columns: int | None, height: float, title: str
) -> tuple[list[Axes], Figure]:
    """One panel a name, in rows, those left over empty, and the figure with its title."""
    if not names:
        raise DataError(f"there are no {kind} to draw")
    across = columns or min(len(names), 3 if len(names) <= 9 else 4)
    down = -(-len(names) // across)
    figure = new_figure(3.3 * across + 0.4, height * down + 0.9)
    axes = list(figure.subplots(down, across, squeeze=False).flat)
    for ax in axes[len(names) :]:
        ax.set_axis_off()
    figure.suptitle(f"{title}: {kind}" if title else kind, fontsize=12, color=INK)
    return axes[: len(names)], figure


def _value_axis(ax: Axes) -> None:
    plain(ax)
    ax.tick_params(labelsize=8)
    ax.locator_params(axis="x", nbins=5)
