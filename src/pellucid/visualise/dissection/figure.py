"""One output number of a layer as a figure: where it looked, with which weights, and how the sum adds up."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pellucid import ops
from pellucid._numbers import number
from pellucid._text import clip
from pellucid.ops import Array
from pellucid.visualise.dissection.data import Dissection
from pellucid.visualise.drawing.figure import BLUE, INK, VERMILION, grey, new_figure, plain
from pellucid.visualise.drawing.labels import Labels
from pellucid.visualise.drawing.panels import bare, draw_bars, draw_units, draw_values, frame, scale_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CHANNELS = 4
"""Input channels drawn, those with the largest share of the sum; the others are added up."""
WRITTEN = 7
"""Windows up to this size have their numbers written in."""
TERMS = 12
"""Products of a dense layer, and classes of a softmax, that are drawn."""
TIMES = "\N{MULTIPLICATION SIGN}"
WINDOWS = ("convolution", "average", "sum", "max")


def draw_dissection(what: Dissection, *, title: str = "", lang: str | None = None) -> Figure:
    """The figure of a number that is taken apart already. lang: as dissect_figure."""
    return draw_parts(what, Labels(lang), title)


def draw_parts(what: Dissection, say: Labels, title: str = "") -> Figure:
    """The same with labels of one's own."""
    if what.kind in WINDOWS:
        figure = _windows(what, say)
    elif what.kind in ("dense", "distance", "softmax", "response norm"):
        figure = _terms(what, say)
    else:
        figure = _one_value(what, say)
    place = ", ".join(map(str, what.position))
    if what.names:
        place += f", {clip(what.names[what.position[-1]], 24)!r}"
    shape = "x".join(map(str, what.output_shape))
    shape = say("{count} units", count=shape) if len(what.output_shape) == 1 else shape
    head = say("number ({place}) of {layer}, {shape}", place=place, layer=what.layer, shape=shape)
    write_around(figure, title, head, say.layer(what.detail), [_channel_sums(what, say), what.in_words(say)])
    return figure


def write_around(figure: Figure, title: str, head: str, detail: str, lines: Sequence[str]) -> None:
    """What stands above the panels, and the lines below them."""
    start = f"{title}: " if title else ""
    figure.suptitle(f"{start}{head}\n{detail}", fontsize=11, color=INK)
    figure.supxlabel("\n".join(line for line in lines if line), fontsize=11, color=INK)


def strongest(what: Dissection, count: int = CHANNELS) -> tuple[list[int], list[float], float]:
    """The places in `channels` whose products add up to most, their sums, and the sum of all the others."""
    if what.products is None:
        return [0], [], 0.0
    sums = what.products.sum(axis=(0, 1))
    order = [int(i) for i in np.argsort(-np.abs(sums), kind="stable")[:count]]
    return order, [float(sums[i]) for i in order], float(sums.sum() - sums[order].sum())


def _channel_sums(what: Dissection, say: Labels) -> str:
    """The sum channel by channel, where there is more than one."""
    if what.kind != "convolution" or len(what.channels) == 1:
        return ""
    order, sums, rest = strongest(what)
    parts = [(value, say("channel {index}", index=what.channels[i])) for i, value in zip(order, sums, strict=True)]
    others = len(what.channels) - len(order)
    if others:
        parts.append((rest, say("the other {count}", count=f"{others:,}")))
    text = " ".join(f"{'-' if value < 0 else '+'} {number(abs(value))} ({whose})" for value, whose in parts)
    return f"{text.removeprefix('+ ')} = {number(what.total or 0.0)}"


def _windows(what: Dissection, say: Labels) -> Figure:
    order, sums, _ = strongest(what)
    height, width = what.patch.shape[:2]
    columns = [(say("patch"), what.patch)]
    if what.kernel is not None and what.products is not None:
        columns += [(f"{TIMES} {say('kernel')}", what.kernel), (f"= {say('products')}", what.products)]
    side = 0.44 * max(height, width) if max(height, width) <= WRITTEN else 2.2
    wide, tall = max(1.7, side * width / max(height, width)), max(1.5, side * height / max(height, width))
    figure = new_figure(2.3 + 2.5 + (wide + 0.35) * len(columns), max(2.4, (tall + 0.85) * len(order)) + 1.5)
    ratios = [2.2, *[wide] * len(columns), 2.4]
    places = figure.add_gridspec(len(order), len(columns) + 2, width_ratios=ratios)
    limits = [(_limit(v := values[:, :, order]), bool((v < 0).any())) for _, values in columns]  # one for all rows
    for row, index in enumerate(order):
        where = figure.add_subplot(places[row, 0])
        _input_panel(where, what, what.channels[index], say)
        for column, ((name, values), (limit, signs)) in enumerate(zip(columns, limits, strict=True), 1):
            ax = figure.add_subplot(places[row, column])
            padding = None if values is what.kernel or what.inside is None else ~what.inside
            _cells(ax, values[:, :, index], limit, signs, padding, say)
            ax.set_title(name if row == 0 else "", fontsize=10, color=INK)
            if values is what.products and sums:
                ax.set_xlabel(say("sum {value}", value=number(sums[row])), fontsize=9, color=INK)
            if values is what.patch and what.picked is not None:
                frame(ax, what.picked[1] - 0.5, what.picked[0] - 0.5, 1, 1, line=2)
    _output_panel(figure.add_subplot(places[:, -1]), what, say)
    return figure


def _cells(ax: Axes, values: Array, limit: float, signs: bool, padding: Array | None, say: Labels) -> None:
    """A small matrix in grey, 0 black or, with negative values around, mid-grey; its numbers in the cells."""
    shown = values if padding is None else np.where(padding, np.nan, values)
    low = -limit if signs else 0.0
    ax.imshow(np.ma.masked_invalid(shown), cmap=grey(), vmin=low, vmax=limit, interpolation="nearest")
    bare(ax)
    if max(values.shape) > WRITTEN:
        ax.set_xlabel(scale_words(bool(low), limit, say), fontsize=8, color=INK)
        return
    for (row, column), value in np.ndenumerate(values):
        padded = padding is not None and bool(padding[row, column])
        bright = padded or (value - low) / (limit - low) > 0.5
        text = say("pad") if padded and value != 0 else _number(float(value), limit)
        ax.text(column, row, text, ha="center", va="center", fontsize=8, color="black" if bright else "white")


def _input_panel(ax: Axes, what: Dissection, channel: int, say: Labels) -> None:
    """The input's channel with the window framed."""
    values = what.input if what.input.ndim == 3 else what.input[None]
    draw_map(ax, values[:, :, channel], say)
    if what.rows and what.columns:
        top, left = what.rows[0] - 0.5, what.columns[0] - 0.5
        frame(ax, left, top, what.columns[-1] - what.columns[0] + 1, what.rows[-1] - what.rows[0] + 1, line=2)
    ax.set_title(say("input, channel {index}", index=channel), fontsize=9, color=INK)


def _output_panel(ax: Axes, what: Dissection, say: Labels) -> None:
    """The layer's output with the number framed."""
    output, at = what.output, what.position
    if output.ndim == 1:
        draw_units(ax, output, say, at[0])
        ax.set_title(say("output: unit {index} of {count}", index=at[0], count=output.size), fontsize=9, color=INK)
        return
    if output.ndim == 2:
        ax.plot(output[:, at[1]], color=BLUE, lw=1.2)
        ax.plot([at[0]], [output[at]], "o", color=VERMILION)
        plain(ax)
        ax.tick_params(labelsize=8)
        ax.locator_params(nbins=4)
    else:
        draw_map(ax, output[:, :, at[2]], say)
        frame(ax, at[1] - 0.5, at[0] - 0.5, 1, 1, line=2)
    ax.set_title(say("output, channel {index}", index=at[-1]), fontsize=9, color=INK)


def _terms(what: Dissection, say: Labels) -> Figure:
    """Many products, or the numbers that softmax compares: the largest as bars, each written out."""
    wanted = what.rivals is not None and what.kind != "softmax"
    figure = new_figure(8.6 + 3.2 * wanted, 5.0)
    axes = figure.subplots(1, 2 + wanted, width_ratios=[1.5, *[1] * (1 + wanted)])
    if what.kind == "softmax" and what.rivals is not None:
        _rivals_panel(axes[0], what, say)
    else:
        _products_panel(axes[0], what, say)
        if wanted:
            _rivals_panel(axes[1], what, say)
    _output_panel(axes[-1], what, say)
    return figure


def _products_panel(ax: Axes, what: Dissection, say: Labels) -> None:
    products = np.asarray(what.products).ravel()
    patch, kernel = what.patch.ravel(), np.asarray(what.kernel).ravel()
    order = np.argsort(-np.abs(products), kind="stable")[:TERMS]
    sign = {"distance": "- (({a}) - ({b}))²", "response norm": "({a})²"}.get(what.kind, f"{{a}} {TIMES} {{b}}")
    noun = "channel {index}" if what.channels else "input {index}"
    names = [what.channels[i] if what.channels else i for i in order]
    labels = [
        f"{say(noun, index=name)}: {sign.format(a=f'{patch[i]:.3g}', b=f'{kernel[i]:.3g}')}"
        for name, i in zip(names, order, strict=True)
    ]
    values = [float(products[i]) for i in order]
    if products.size > len(order):
        labels.append(say("the other {count}", count=f"{products.size - len(order):,}"))
        values.append(float(products.sum() - products[order].sum()))
    draw_terms(ax, labels, values, [BLUE if value >= 0 else VERMILION for value in values])
    ax.set_title(
        say("the largest {shown} of {count:,} products", shown=len(order), count=products.size), fontsize=9, color=INK
    )


def _rivals_panel(ax: Axes, what: Dissection, say: Labels) -> None:
    rivals = np.asarray(what.rivals)
    unit = what.position[-1]
    order = [int(i) for i in np.argsort(-rivals, kind="stable")[:TERMS]]
    if unit not in order:
        order[-1] = unit
    labels = [f"{_unit(what, i, say)}: e^{rivals[i]:.3g}" for i in order]
    draw_terms(ax, labels, [float(rivals[i]) for i in order], [VERMILION if i == unit else BLUE for i in order])
    words = (
        "before softmax: the largest {shown} of {count}" if rivals.size > len(order) else "before softmax: all {count}"
    )
    ax.set_title(say(words, shown=len(order), count=rivals.size), fontsize=9, color=INK)


def _unit(what: Dissection, index: int, say: Labels) -> str:
    """A unit's class, where it stands for one; else its number."""
    return clip(what.names[index], 18) if what.names else say("unit {index}", index=index)


def draw_terms(ax: Axes, labels: Sequence[str], values: Sequence[float], colours: Sequence[str]) -> None:
    """Bars of summands, each written out."""
    draw_bars(ax, labels, values, colours, [number(value, 3) for value in values])
    ax.axvline(0, color=INK, lw=0.8)
    ax.locator_params(axis="x", nbins=4)


def _one_value(what: Dissection, say: Labels) -> Figure:
    """A value through a curve, a norm, or unchanged: what it came from, and where it stands."""
    figure = new_figure(8.6, 4.3)
    axes = figure.subplots(1, 2)
    if what.kind == "function" and what.activation in ops.ACTIVATIONS:
        _curve(axes[0], what, say)
    else:
        ax, values = axes[0], [*map(float, what.patch), what.result]
        places = range(len(values))
        ax.bar(places, values, color=[*[BLUE] * len(what.patch), VERMILION], width=0.5)
        ax.axhline(0, color=INK, lw=0.8)
        ax.set_xticks(places, [*[say("in")] * len(what.patch), say("out")], fontsize=9)
        for place, value in enumerate(values):
            ax.annotate(number(value), (place, value), (0, 3), textcoords="offset points", ha="center", fontsize=9)
        ax.margins(y=0.15)
        plain(ax)
        ax.set_title(say("the value going in and coming out"), fontsize=9, color=INK)
    _output_panel(axes[1], what, say)
    return figure


def _curve(ax: Axes, what: Dissection, say: Labels) -> None:
    reach = max(1.0, 1.3 * abs(what.before))
    places = np.linspace(-reach, reach, 201)
    ax.plot(places, ops.activation(places, what.activation or "", **what.numbers), color=BLUE, lw=1.8)
    ax.plot([what.before], [what.result], "o", color=VERMILION, ms=8)
    right = what.before > 0  # the words stand above the curve, on the side where it is lower
    text, at = f"({number(what.before)}, {number(what.result)})", (what.before, what.result)
    ax.annotate(
        text, at, (-12 if right else 0, 10), textcoords="offset points", fontsize=9, ha="right" if right else "center"
    )
    ax.set_xlabel(say("in"), fontsize=9)
    ax.set_ylabel(say("out"), fontsize=9)
    ax.set_title(what.activation or "", fontsize=9, color=INK)
    plain(ax)


def draw_map(ax: Axes, values: Array, say: Labels) -> None:
    """A map in grey with its rows and columns numbered. Shapes: values (H,W)."""
    draw_values(ax, values, say)
    ax.tick_params(labelsize=8)
    ax.locator_params(integer=True, nbins=4)
    for axis, size in ((ax.yaxis, values.shape[0]), (ax.xaxis, values.shape[1])):
        if size <= 2:  # too few for Matplotlib's whole numbers
            axis.set_ticks(range(size))


def _limit(values: Array) -> float:
    finite = values[np.isfinite(values)]
    return float(np.abs(finite).max(initial=0.0)) or 1.0


def _number(value: float, limit: float) -> str:
    """A cell's number, as short as its panel allows; all cells of a panel alike."""
    if not math.isfinite(value):
        return str(value)
    if value == int(value) and abs(value) < 1000:  # what is no whole number has a point
        return f"{value + 0.0:.0f}"
    if limit >= 1000 or limit < 0.01:
        return f"{value:.0e}"
    text = f"{value:.0f}" if limit >= 100 else f"{value:.1f}" if limit >= 10 else f"{value:.2f}"
    if limit < 0.1:
        text = f"{value:.3f}"
    return text.removeprefix("-") if float(text) == 0 else text
