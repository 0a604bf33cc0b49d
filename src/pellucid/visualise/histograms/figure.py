"""Histograms of all layers as panels, and over training as ridges."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import numpy as np

from pellucid._numbers import percent
from pellucid.errors import ConfigError, DataError
from pellucid.model.tracing import Trace, trace
from pellucid.ops import Array
from pellucid.ops.geometry import whole
from pellucid.visualise.depth import FEW, drawn_layers, few_note, spread
from pellucid.visualise.drawing.figure import BLUE, INK, MAX_DRAWN, VERMILION, new_figure, plain
from pellucid.visualise.drawing.labels import Labels
from pellucid.visualise.histograms.data import Histogram, Snapshots, UnitStates, layer_histograms, unit_states
from pellucid.visualise.registry import DATA_OF_RUN, LayerName, Option, Picture, Shown, Source

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

RIDGES = 20
"""Of more epochs than this, every second, third ... is drawn, and the last."""
OVERLAP = 2.0
"""How high a ridge is, in distances between ridges."""
SPIKE = 2.0
"""A bin with the zeros of a ReLU, so many times as high as all others, is cut off and said in percent."""


def histograms_figure(
    found: Mapping[str, Histogram],
    states: Mapping[str, UnitStates] | None = None,
    *,
    kind: str = "activations",
    columns: int | None = None,
    title: str = "",
    lang: str | None = None,
) -> Figure:
    """A panel a layer or parameter: how many values lie where, on a logarithmic axis, and what is dead or saturated.

    lang: of the labels, "en" or "ko"; None for the locale's.
    Errors: DataError for nothing to draw; ConfigError for another language.
    """
    say = Labels(lang)
    axes, figure = _panels(list(found), say(kind), columns, 1.75, title)
    for ax, (name, one) in zip(axes, found.items(), strict=True):
        ax.stairs(np.maximum(one.counts, 0.5), one.edges, fill=True, baseline=0.5, color=BLUE)
        ax.set_yscale("log")
        ax.set_ylim(0.5, max(10.0, 3.0 * float(one.counts.max(initial=1))))
        ax.axvline(0, color=INK, lw=0.8, ls=":")
        text = f"\n{states[name].in_words(say)}" if states and name in states and one.total else ""
        words = "{name}: {count:,} values" if one.total else "{name}: no finite value"
        ax.set_title(say(words, name=name, count=one.total) + text, fontsize=9, color=INK)
        _value_axis(ax)
    figure.supylabel(say("values in a bin (log)"), fontsize=9, color=INK)
    return figure


def ridges_figure(
    snapshots: Snapshots,
    kind: str = "weights",
    layers: Sequence[str] | None = None,
    *,
    columns: int | None = None,
    title: str = "",
    lang: str | None = None,
) -> Figure:
    """How a layer's numbers spread over training: a ridge an epoch, the first at the bottom, in one panel a name.

    A ridge's height is how many values lie in a bin, each ridge on its own scale: early weights lie so close together
    that beside them all later ones would be flat. Where most values are the zeros of a ReLU, their bin is cut off at
    the height of the next, and how many percent it holds stands beside the ridge.
    lang: of the labels, "en" or "ko"; None for the locale's.
    Errors: as Snapshots.of; ConfigError for another language.
    """
    say = Labels(lang)
    series = snapshots.of(kind, layers)
    axes, figure = _panels(list(series), say(kind), columns, 2.9, title)
    shown = drawn_epochs(snapshots.epochs)
    for ax, (name, every) in zip(axes, series.items(), strict=True):
        ridges = {e: one for e, one in zip(snapshots.epochs, every, strict=True) if e in shown and one is not None}
        _draw_ridges(ax, ridges, say)
        ax.set_title(name, fontsize=9, color=INK)
        _value_axis(ax)
    figure.supylabel(say("epoch; height: values in a bin"), fontsize=9, color=INK)
    return figure


def drawn_epochs(epochs: Sequence[int]) -> list[int]:
    """The first epoch, the last, and at most RIDGES in all, evenly spread."""
    places = np.unique(np.linspace(0, len(epochs) - 1, min(RIDGES, len(epochs))).round().astype(int))
    return [epochs[place] for place in places]


def ridge(one: Histogram, edges: Array) -> Array:
    """A histogram over other bins: values per bin, its counts spread evenly over each of its own.

    Shapes: edges (B+1,) -> (B,).
    """
    below = np.concatenate([[0.0], np.cumsum(one.counts)])
    return np.asarray(np.diff(np.interp(edges, one.edges, below)))


def outline(one: Histogram, edges: Array) -> tuple[Array, float | None]:
    """A ridge from 0 to 1 over bins, and, where the zeros of a ReLU are cut off, what share of all values they are.

    Shapes: edges (B+1,) -> (B,).
    """
    heights = ridge(one, edges)
    own = int(np.clip(np.searchsorted(one.edges, 0.0, "right") - 1, 0, len(one.counts) - 1))
    holds = (edges[1:] > one.edges[own]) & (edges[:-1] < one.edges[own + 1])  # the bins with a part of that of 0
    others = float(heights[~holds].max(initial=0.0))
    if not one.edges[0] <= 0 <= one.edges[-1] or others <= 0 or float(heights.max()) <= SPIKE * others:
        return heights / max(float(heights.max()), 1e-300), None
    return np.minimum(heights / others, 1.0), float(one.counts[own]) / max(one.total, 1)


def _draw_ridges(ax: Axes, ridges: Mapping[int, Histogram], say: Labels) -> None:
    low = min(one.edges[0] for one in ridges.values())
    high = max(one.edges[-1] for one in ridges.values())
    edges = np.linspace(low, high, 129)
    centres = (edges[:-1] + edges[1:]) / 2
    order = list(ridges)
    for place, epoch in reversed(list(enumerate(order))):  # the last epoch lies behind
        heights, zeros = outline(ridges[epoch], edges)
        line = place + OVERLAP * heights
        ends = place in (0, len(order) - 1)
        ax.fill_between(centres, place, line, facecolor="#D5E5F2", alpha=0.9, lw=0, zorder=2 * (len(order) - place))
        colour = VERMILION if ends and place else BLUE
        ax.plot(centres, line, color=colour, lw=1.6 if ends else 0.8, zorder=2 * (len(order) - place) + 1)
        if zeros is not None and (ends or len(order) <= 6):
            text = say("{share} at 0", share=percent(zeros, 0))
            ax.text(edges[-1], place + 0.15, text, ha="right", fontsize=7, color=INK, zorder=3 * len(order))
    ax.set_yticks(range(0, len(order), 1 + len(order) // 8), [str(e) for e in order[:: 1 + len(order) // 8]])
    ax.set_ylim(-0.2, len(order) - 1 + OVERLAP + 0.2)


def _panels(
    names: Sequence[str], kind: str, columns: int | None, height: float, title: str
) -> tuple[list[Axes], Figure]:
    """One panel a name, in rows, those left over empty, and the figure with its title."""
    if not names:
        raise DataError(f"there are no {kind} to draw")
    usual = {1: 1, 2: 2, 4: 2}.get(len(names), 3 if len(names) <= 9 else 4)
    across = usual if columns is None else whole(columns, "columns", MAX_DRAWN)
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


EXAMPLES = """What each layer gives for test pictures, with dead and saturated units:
   pellucid show histograms runs/simple-convnet-digits-001

The weights of one layer, from before the first epoch to the last:
   pellucid show histograms RUN --kind weights --layer conv1 --over-time"""
PICTURES = 100
"""Test pictures that a histogram counts over."""
TRACE_BYTES = 512 * 2**20
"""What the outputs of a trace may take; of large networks fewer pictures are counted."""
FLOAT_BYTES = 4

WORDS = {
    "{dead} of {units} units dead": "유닛 {units}개 중 {dead}개가 죽음",
    "{share} of values saturated, {stuck} of {units} units always": (
        "값의 {share}가 포화, 유닛 {units}개 중 {stuck}개는 늘 포화"
    ),
    "{name}: {count:,} values": "{name}: 값 {count:,}개",
    "{name}: no finite value": "{name}: 유한한 값 없음",
    "values in a bin (log)": "구간의 값 개수 (로그)",
    "activations": "활성값",
    "weights": "가중치",
    "gradients": "기울기",
    "{title}: {kind}": "{title}: {kind}",
    "epoch; height: values in a bin": "에포크, 높이는 구간의 값 개수",
    "{share} at 0": "0이 {share}",
    ", {count} test pictures": ", 테스트 이미지 {count}장",
    "{count} test pictures are counted: more would not fit into memory": (
        "테스트 이미지 {count}장만 셉니다. 더 많으면 메모리에 들어가지 않습니다"
    ),
}
"""Korean by English."""


@Picture("histograms", EXAMPLES, words=WORDS)
def show_histograms(
    source: Source,
    kind: Annotated[str, Option("--kind", "activations|weights|gradients", "Which numbers.")] = "activations",
    layer: LayerName = None,
    data: Annotated[str | None, Option("--data", "NAME|FOLDER", f"{DATA_OF_RUN} from its own data.")] = None,
    over_time: Annotated[bool, Option("--over-time", None, "Each epoch as a ridge, from the snapshots.")] = False,
) -> Shown:
    """Draw how the numbers of each layer are spread; dead and saturated units are counted."""
    layers = None if layer is None else [layer]
    if over_time and source.folder is None:
        raise ConfigError(
            f"{source.what}: --over-time needs a run folder, with its snapshots; this is a model file alone"
        )
    few = few_note(source.model, source.say) if layers is None else ""
    if kind == "activations" and layers is None:
        layers = list(drawn_layers(source.model))  # Flatten and Dropout would show the same again
    elif few:
        layers = list(spread([each.name for each in source.model.flat_layers if "kernel" in each.params], FEW))
    if few:
        source.note(few)
    if over_time:
        snapshots = source.snapshots()
        return Shown(lambda: ridges_figure(snapshots, kind, layers, title=source.title, lang=source.lang), "ridges")
    model = source.model
    trained = "" if model.trained_on else source.say(" (not trained)")
    seen, what = _traced(source, kind, data)
    with source.working("counting"):
        states = unit_states(seen) if kind == "activations" else None
        counted = layer_histograms(seen, kind, layers)
    title = f"{model.name}{trained}{what}"
    return Shown(lambda: histograms_figure(counted, states, kind=kind, title=title, lang=source.lang), "histograms")


def _traced(source: Source, kind: str, data: str | None) -> tuple[Trace, str]:
    """A trace over test pictures, and how many in words; for weights alone, over one empty picture."""
    model = source.model
    if kind == "weights":
        return trace(model, np.zeros((1, *model.graph.input_shape), np.float32)), ""
    test = source.held_out(data).test
    shapes = [model.graph.input_shape, *(visit.output_shape for visit in model.graph.walk())]
    wanted = min(PICTURES, len(test))
    count = min(wanted, max(1, TRACE_BYTES // (FLOAT_BYTES * sum(map(math.prod, shapes)))))
    if count < wanted:
        source.note(source.say("{count} test pictures are counted: more would not fit into memory", count=count))
    labels = test.labels[:count] if kind == "gradients" else None
    with source.working(f"following {count} test pictures"):
        return trace(model, test.images[:count], labels), source.say(", {count} test pictures", count=count)
