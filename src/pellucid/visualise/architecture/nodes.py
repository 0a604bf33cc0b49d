"""The node drawing: a circle for each number, a line for each connection, for networks small enough to see through.

In a convolution each unit hears of its window alone (sparsity), and lines in the same style are the same weight
(sharing).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pellucid._text import clip
from pellucid.errors import ConfigError
from pellucid.layers import Layer
from pellucid.model import Model
from pellucid.ops.geometry import Pads, Pair, Shape, output_size
from pellucid.visualise.architecture.data import blocks_of, times
from pellucid.visualise.drawing.canvas import Circle, Drawing, Item, Line, Point, Text, text_width
from pellucid.visualise.drawing.figure import BLUE, INK, VERMILION
from pellucid.visualise.drawing.labels import Labels

MAX_MAP, MAX_CHANNELS = 12, 6
"""The largest maps that are drawn number by number."""
MAX_UNITS = 16
"""A longer row of units is drawn by its ends."""
MAX_STYLED = 60
"""Connections of a convolution that are all drawn in their weights' styles; of more, those of two units."""
STEP, COLUMN_GAP, MARGIN, SMALL, LEADING = 19.0, 90.0, 18.0, 8.0, 11.0
RADIUS = 6.0
FAINT, MARKED = "#BDBDBD", "#FFE9B0"
_COLOURS, _DASHES = (INK, BLUE, VERMILION), ((), (5.0, 2.0), (1.5, 1.5))
STYLES: tuple[tuple[str, tuple[float, ...]], ...] = tuple(
    (_COLOURS[(place + turn) % 3], _DASHES[place]) for turn in range(3) for place in range(3)
)
"""Three in a row keep apart by their dashes, so in grey print too; with more weights than nine, all are alike."""


@dataclass(frozen=True)
class Link:
    """Input `source` reaches output `target` (places in the flattened arrays) through weight `weight` of the kernel."""

    source: int
    target: int
    weight: int


@dataclass(frozen=True)
class NodeColumn:
    """One array of numbers as circles: where those are that are drawn, by their place in the flattened array."""

    places: dict[int, Point]
    dots: tuple[Point, ...] = ()

    def moved(self, right: float, down: float) -> NodeColumn:
        """The same, elsewhere."""
        places = {unit: (x + right, y + down) for unit, (x, y) in self.places.items()}
        return NodeColumn(places, tuple((x + right, y + down) for x, y in self.dots))

    @property
    def extent(self) -> Point:
        """Width and height."""
        xs, ys = zip(*self.places.values(), strict=True)
        return max(xs) - min(xs), max(ys) - min(ys)


def links_of(layer: Layer, input_shape: Shape) -> tuple[Link, ...]:
    """What each output of a convolution or pooling hears of; places in the padding are left out.

    Weights are numbered as in the flattened kernel; pooling's have number 0.
    Shapes: input_shape without the batch axis, (H, W, C) or (W, C).
    Errors: ConfigError for another layer.
    """
    height, width, channels = (1, *input_shape) if len(input_shape) == 2 else input_shape
    outputs, window = layer.output_shape(input_shape), layer.window()
    filters = outputs[-1]
    seen = [layer.channels_seen(o, channels) for o in range(filters)]
    part, kernel = len(seen[0]), layer.params.get("kernel")
    usual = [(part, filters), *([(channels, filters // channels)] if part == 1 else [])]
    as_usual = all(len(each) == part for each in seen) and (kernel is None or kernel.shape[-2:] in usual)
    if window is None or not as_usual:
        raise ConfigError(f"{layer.place()}: its connections are not drawn one by one; take the style blocks")
    found = []
    for (i, j), (a, b), (y, x) in _windows((height, width), window, layer.pads((height, width))):
        for o in range(filters):
            target = (i * outputs[-2] + j) * filters + o
            for c in range(part):
                weight = ((a * window[0][1] + b) * part + c) * filters + o if layer.role == "convolution" else 0
                found.append(Link((y * width + x) * channels + seen[o][c], target, weight))
    return tuple(found)


def draw_nodes(model: Model, lang: str | None = None) -> Drawing:
    """The network as circles and lines. lang: of the labels, "en" or "ko"; None for the locale's.

    Errors: ConfigError for maps of more than 12 x 12 x 6 numbers, and for layers whose connections are not drawn.
    """
    say = Labels(lang)
    if not model.graph.is_chain:
        raise ConfigError(f"{model.name} has branches, which are not drawn node by node; take the style blocks")
    arrays: list[tuple[Shape, Layer | None, Shape]] = [(model.graph.input_shape, None, ())]
    for visit in model.graph.walk():
        own, before, shape = visit.layer, visit.input_shape, visit.output_shape
        if (own.role == "dense" and len(before) == 1) or own.window() is not None:
            arrays.append((shape, own, before))
        elif own.role != "flatten" and not visit.keeps_place:
            raise ConfigError(f"{own.place()} is not drawn node by node; take the style blocks")
    columns = [_column(shape, layer) for shape, layer, _ in arrays]
    links = [() if own is None or own.role == "dense" else links_of(own, before) for _, own, before in arrays]
    notes = {block.name: block.notes for block in blocks_of(model)}
    tall = max(column.extent[1] for column in columns)
    title = say("{name}: {count:,} parameters, node by node", name=clip(model.name, 60), count=model.count_params())
    top = MARGIN + 13 + 16 + RADIUS
    words = [_words(*array, len(each), notes, say) for array, each in zip(arrays, links, strict=True)]
    wides = [
        max([column.extent[0] + 2 * RADIUS, *(text_width(text, SMALL, bold=True) for text in texts)])
        for column, texts in zip(columns, words, strict=True)
    ]
    legend = _legend([layer for _, layer, _ in arrays], any(len(each) > MAX_STYLED for each in links), say)
    end = MARGIN + sum(wides) + COLUMN_GAP * (len(wides) - 1)
    width = max([end, MARGIN + text_width(title, 13, bold=True), *(MARGIN + text_width(t, SMALL) for t in legend)])
    drawing = Drawing(width + MARGIN, 0, title)
    x = MARGIN + (width - end) / 2
    placed: list[NodeColumn] = []
    lines: list[Item] = []
    circles: list[Circle] = []
    labels: list[Item] = []
    bottom = top + tall + RADIUS + 18
    for place, (column, wide, (shape, layer, _)) in enumerate(zip(columns, wides, arrays, strict=True)):
        across, height = column.extent
        here = column.moved(x + (wide - across) / 2, top + (tall - height) / 2)
        marked: set[int] = set()
        if layer is not None:
            drawn, marked = _lines(layer, shape[-1], links[place], placed[-1], here)
            lines += drawn
        placed.append(here)
        names = times(shape)
        for unit, (cx, cy) in here.places.items():
            fill = MARKED if unit in marked else "white"
            circles.append(Circle(cx, cy, RADIUS, fill, tip=say("number {unit} of {shape}", unit=unit, shape=names)))
        circles += [Circle(cx, cy, 1.1, INK) for cx, cy in here.dots]
        for number, text in enumerate(words[place]):
            labels.append(Text(x + wide / 2, bottom + LEADING * number, text, SMALL, bold=number == 0))
        x += wide + COLUMN_GAP
    bottom += LEADING * max(map(len, words)) + 4
    drawing.add([*lines, *circles, *labels])
    drawing.add([Text(MARGIN, MARGIN + 13, title, 13, "start", bold=True)])
    drawing.add([Text(MARGIN, bottom + LEADING * i, text, SMALL, "start") for i, text in enumerate(legend)])
    drawing.height = bottom + LEADING * len(legend) + MARGIN - LEADING
    return drawing


def _windows(size: Pair, window: tuple[Pair, Pair, Pair], pads: Pads) -> Iterator[tuple[Pair, Pair, Pair]]:
    """(output place, kernel place, input place), without those in the padding."""
    kernel, strides, dilation = window
    for i, j, a, b in np.ndindex(*output_size(size, kernel, strides, pads, dilation), *kernel):
        y, x = i * strides[0] + a * dilation[0] - pads[0][0], j * strides[1] + b * dilation[1] - pads[1][0]
        if 0 <= y < size[0] and 0 <= x < size[1]:
            yield (i, j), (a, b), (y, x)


def _column(shape: Shape, layer: Layer | None) -> NodeColumn:
    """Where the circles of one array are: maps as grids one above the other, a row of units from top to bottom."""
    if len(shape) == 1:
        count = shape[0]
        shown = list(range(count))
        if count > MAX_UNITS:
            shown = [*range(MAX_UNITS // 2), *range(count - MAX_UNITS // 2, count)]
        gap = 1.6 if count > MAX_UNITS else 0.0
        places = {unit: (0.0, STEP * (i + gap * (i >= MAX_UNITS // 2))) for i, unit in enumerate(shown)}
        middle = STEP * (MAX_UNITS / 2 - 0.5 + gap / 2)
        return NodeColumn(places, tuple((0.0, middle + 5 * d) for d in (-1, 0, 1)) if gap else ())
    rows, columns, channels = (shape[0], 1, shape[1]) if len(shape) == 2 else shape
    if len(shape) not in (2, 3) or max(rows, columns) > MAX_MAP or channels > MAX_CHANNELS:
        where = "the input" if layer is None else layer.place()
        raise ConfigError(
            f"{where}: {times(shape)} numbers are too many to draw node by node "
            f"(at most {MAX_MAP}x{MAX_MAP}x{MAX_CHANNELS}); take the style blocks"
        )
    places = {}
    for y, x, c in np.ndindex(rows, columns, channels):
        places[(y * columns + x) * channels + c] = (STEP * 0.8 * x, STEP * 0.8 * (y + c * (rows + 0.8)))
    return NodeColumn(places)


def _lines(
    layer: Layer, channels: int, links: Sequence[Link], sources: NodeColumn, targets: NodeColumn
) -> tuple[list[Item], set[int]]:
    """The connections that are drawn, and the units whose windows are. channels: of what the layer gives."""
    if layer.role == "dense":
        pairs = ((start, end) for start in sources.places.values() for end in targets.places.values())
        return [Line(pair, "#8A8A8A", 0.5) for pair in pairs], set()
    if len(links) <= MAX_STYLED:
        strong, marked = set(links), set()
    else:
        outputs = sorted({link.target for link in links})
        marked = {outputs[0], outputs[len(outputs) - channels]}  # a channel's first and last
        strong = {link for link in links if link.target in marked}
    weights = sorted({link.weight for link in strong})
    styled = layer.role == "convolution" and len(weights) <= len(STYLES)
    lines: list[Item] = []
    if len(links) <= 1000:
        lines += [
            Line((sources.places[link.source], targets.places[link.target]), FAINT, 0.35)
            for link in links
            if link not in strong
        ]
    for link in links:
        if link in strong:
            colour, dash = STYLES[weights.index(link.weight)] if styled else (INK, ())
            lines.append(Line((sources.places[link.source], targets.places[link.target]), colour, 1.2, dash))
    return lines, marked


def _words(
    shape: Shape, layer: Layer | None, before: Shape, links: int, notes: dict[str, tuple[str, ...]], say: Labels
) -> list[str]:
    """What is written under a column: the layer, its shape, how much is connected and how many weights that takes."""
    if layer is None:
        return [say("input"), times(shape)]
    lines = [clip(layer.name, 24), times(shape)]
    lines += [say.layer(", ".join(notes[layer.name]))] if notes.get(layer.name) else []
    inputs, outputs = math.prod(before), math.prod(shape)
    weights = layer.params["kernel"].size if "kernel" in layer.params else 0
    biases = layer.params["bias"].size if "bias" in layer.params else 0
    if layer.role == "dense":
        lines.append(f"{inputs:,} x {outputs:,} = " + say("{count:,} weights", count=weights))
    else:
        lines.append(say("{count:,} connections", count=links))
        if weights:
            lines.append(say("{count:,} weights, shared", count=weights))
            lines.append(say("(fully: {sum})", sum=f"{inputs:,} x {outputs:,} = {inputs * outputs:,}"))
    return [*lines, say("{count:,} biases" if biases > 1 else "1 bias", count=biases)] if biases else lines


def _legend(layers: Sequence[Layer | None], marked: bool, say: Labels) -> list[str]:
    lines = []
    if any(layer is not None and layer.role == "convolution" for layer in layers):
        lines.append(say("Lines to a convolution: the same style is the same weight."))
    if marked:
        lines.append(say("Filled units: those whose windows are drawn strong; the others' are faint."))
    return lines
