"""The block drawing: a cuboid for maps, an upright bar for units, and what they are written below.

Height and depth of a cuboid are in proportion to H and W, its thickness to the square root of the channels; a bar's
length is in proportion to the square root of its units. The scales are as large as let the network fit a page.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pellucid._text import clip, text_columns
from pellucid.model import Model
from pellucid.model.summary import short
from pellucid.visualise.architecture.data import (
    CONVOLUTION,
    DENSE,
    INPUT,
    MODULE,
    OTHER,
    POOLING,
    STACKED,
    Block,
    Column,
    blocks_of,
    columns_of,
    names_of,
    note_words,
    times,
)
from pellucid.visualise.architecture.modules import modules_of
from pellucid.visualise.architecture.skips import (
    DOT,
    LIFT,
    STEM,
    SUM,
    WAY,
    Skip,
    Spot,
    draw_merge,
    draw_skip,
    levels_of,
    lift_of,
    skips_of,
)
from pellucid.visualise.drawing.canvas import (
    Circle,
    Drawing,
    Item,
    Line,
    Point,
    Polygon,
    Text,
    arrow,
    rectangle,
    text_width,
)
from pellucid.visualise.drawing.figure import INK, VERMILION
from pellucid.visualise.drawing.labels import Labels

PAGE = 842.0, 595.0
"""A4, lying: points."""
MARGIN, GAP, BETWEEN, SMALL, HEAD = 18.0, 10.0, 3.0, 8.0, 13.0
LEADING = 10.5
MAX_DRAWN = 8
"""Equal convolutions of one column that are drawn; the label counts them all."""
MAX_LETTERS = 22
FACES = (170.0, 140.0, 110.0, 85.0, 60.0)
THICKNESS = (1.6, 1.25, 1.0, 0.8, 0.6, 0.45)
SLANT = 0.3, 0.24
"""How far right and up a cuboid's depth goes, in its width's scale."""
LEAST, BAR = 2.0, 9.0
"""The least extent of a box, and how thick a bar is."""
FILLS = {INPUT: "#FFFFFF", CONVOLUTION: "#BBDDF2", MODULE: "#93CBA8", POOLING: "#F0905A", DENSE: "#F7E28B"}
FILLS[OTHER] = "#DDDDDD"
"""Grey print keeps them apart: luminance 1, 0.69, 0.53, 0.40, 0.76; pooling is ruled too, and dense layers are bars."""
_ABOVE_AND_BELOW = 2 * MARGIN + HEAD + 45
"""Title and legend. Units: points."""
RULED = {POOLING: VERMILION, OTHER: INK}
KIND_WORDS = {
    INPUT: "input",
    CONVOLUTION: "convolution, with what follows it",
    MODULE: "several layers; batch norm and activations are not written",
    POOLING: "pooling",
    DENSE: "fully connected",
    OTHER: "other",
}


@dataclass(frozen=True)
class Scale:
    """Points for a pixel of a map, for the root of a channel, and for the root of a unit."""

    pixel: float
    channel: float
    unit: float

    def measure(self, block: Block) -> tuple[float, float, float, float]:
        """(thickness, height, right, up) of one row of a block: its front, and where its depth goes; bars have none."""
        height, width, channels = block.size
        if not block.is_map:
            return BAR, max(self.unit * math.sqrt(channels), LEAST), 0.0, 0.0
        depth = max(width * self.pixel, LEAST)
        thick = max(self.channel * math.sqrt(channels / block.rows), LEAST)
        return thick, max(height * self.pixel, LEAST), SLANT[0] * depth, SLANT[1] * depth


@dataclass(frozen=True)
class PlacedColumn:
    """A column with its label, measured: `tall` is the height of one of its rows."""

    blocks: Column
    label: tuple[tuple[str, bool], ...]
    drawn: float
    tall: float
    width: float

    @property
    def rows(self) -> int:
        """In how many rows it is drawn."""
        return max(block.rows for block in self.blocks)


def draw_blocks(model: Model, lang: str | None = None, *, modules: bool = False) -> Drawing:
    """The network as blocks on a page of at most A4, lying; a very long one goes on below.

    modules: what `modules_of` takes together is one box. lang: of the labels, "en" or "ko"; what layers are called
    stays as it is.
    Errors: ConfigError for a model whose input's shape is not known, and for another language.
    """
    say, blocks = Labels(lang), blocks_of(model)
    blocks = modules_of(blocks) if modules else blocks
    skips = skips_of(blocks)
    bands, scale = _fit(blocks, columns_of(blocks), skips, say)
    wide = max(_wide(band) for band in bands)
    parameters, macs = model.count_params(), sum(row.macs for row in model.outline().rows)
    words = "{name}: {parameters:,} parameters, {macs} multiply-accumulates a picture"
    title = say(words, name=clip(model.name, 60), parameters=parameters, macs=short(macs))
    legend = _legend_lines(blocks, say)
    across = max([wide, text_width(title, HEAD, bold=True), *map(_legend_width, legend)])
    drawing = Drawing(across + 2 * MARGIN, 0, title)
    drawing.add([Text(MARGIN, MARGIN + HEAD, title, HEAD, "start", bold=True)])
    top = MARGIN + HEAD + 16
    begin = 0
    for band in bands:
        # spread over the width that is there, but never so far that the boxes lose each other
        spread = min((across - _wide(band)) / max(len(band) - 1, 1), 24)
        left = MARGIN + (across - _wide(band) - spread * (len(band) - 1)) / 2
        end = begin + sum(len(placed.blocks) for placed in band)
        levels = levels_of(skips, begin, end - 1)
        ends = begin == 0, end == len(blocks) or blocks[end].apart
        top = _draw_band(drawing, band, scale, (left, top), spread, levels, begin, ends) + 12
        begin = end
    for line in legend:
        left = MARGIN
        for kind, words in line:
            if kind:
                drawing.add(_front(rectangle(left, top, 12, 9), kind))
            drawing.add([Text(left + (16 if kind else 0), top + 7.5, words, SMALL, "start")])
            left += _entry_width(kind, words)
        top += 13
    drawing.height = top + MARGIN - 10
    return drawing


# Measuring


def _fit(
    blocks: Sequence[Block], columns: Sequence[Column], skips: Sequence[Skip], say: Labels
) -> tuple[list[list[PlacedColumn]], Scale]:
    """The fewest bands, and of those the largest scale, that fit the page."""
    largest = max(max(block.size[:2]) for block in blocks)
    units = max((block.size[2] for block in blocks if not block.is_map), default=1)
    tried = []
    for face in FACES:
        for channel in THICKNESS:
            unit = min(3.0 * channel, 0.8 * face / math.sqrt(units))
            scale = Scale(face / largest, channel, unit)
            tried.append((_wrap([_measure(column, scale, say) for column in columns]), scale))
    fits = [(bands, scale) for bands, scale in tried if _heights(bands, skips) + _ABOVE_AND_BELOW <= PAGE[1]]
    return min(fits, key=lambda fit: len(fit[0])) if fits else tried[-1]


def _wrap(columns: Sequence[PlacedColumn]) -> list[list[PlacedColumn]]:
    bands: list[list[PlacedColumn]] = [[]]
    for placed in columns:
        if bands[-1] and _wide([*bands[-1], placed]) > PAGE[0] - 2 * MARGIN:
            bands.append([])
        bands[-1].append(placed)
    return bands


def _wide(band: Sequence[PlacedColumn]) -> float:
    return sum(placed.width for placed in band) + GAP * (len(band) - 1)


def _heights(bands: Sequence[Sequence[PlacedColumn]], skips: Sequence[Skip]) -> float:
    height, begin = 0.0, 0
    for band in bands:
        end = begin + sum(len(placed.blocks) for placed in band)
        height += lift_of(levels_of(skips, begin, end - 1)) + _boxes_height(band) + 24
        height += LEADING * max(len(placed.label) for placed in band)
        begin = end
    return height


def _boxes_height(band: Sequence[PlacedColumn]) -> float:
    pitch = _pitch(band)
    return max(max(placed.tall + (placed.rows - 1) * pitch for placed in band), 10)


def _pitch(band: Sequence[PlacedColumn]) -> float:
    """From the middle of one row of boxes to that of the next."""
    return max((placed.tall for placed in band if placed.rows > 1), default=0.0) + 14


def _measure(column: Column, scale: Scale, say: Labels) -> PlacedColumn:
    label = _label(column, say)
    start, drawn, tall = 0.0, 0.0, 0.0
    for block in _shown(column):
        thick, height, right, up = scale.measure(block)
        drawn, tall = max(drawn, start + thick + right), max(tall, height + up)
        start += thick + BETWEEN
    last = column[-1]
    drawn += (2 * SUM + STEM if last.merges else 0) + (2 * STEM if last.branches else 0)
    drawn += STEM + 4 if column[0].entries else 0
    return PlacedColumn(column, label, drawn, tall, max([drawn, *(text_width(t, SMALL, bold=b) for t, b in label)]))


def _shown(column: Column) -> tuple[Block, ...]:
    stacked = [block for block in column if block.kind in STACKED]
    return (*stacked[:MAX_DRAWN], *(block for block in column if block.kind not in STACKED))


def _label(column: Column, say: Labels) -> tuple[tuple[str, bool], ...]:
    """What is written under a column, and whether in bold: the equal layers, then the pooling behind them."""
    lines: list[tuple[str, bool]] = []
    parts = [[block for block in column if block.kind != POOLING]]
    parts.append([block for block in column if block.kind == POOLING])
    for part in filter(None, parts):
        if lines:
            lines.append(("", False))
        block = part[0]
        lines.append((clip(names_of(part) if block.kind != INPUT else say(INPUT), MAX_LETTERS), True))
        if block.kind != INPUT:
            many = f"{len(part)} x " if len(part) > 1 else ""
            cut = (f"{MAX_DRAWN} drawn",) if len(part) > MAX_DRAWN else ()
            lines += _folded(say.layer(f"{many}{block.what}"), [note_words(note, say) for note in (*cut, *block.notes)])
        lines.append((times(part[-1].shape), False))
        if block.flattened:
            lines.append((say("flatten to {count:,}", count=block.flattened), False))
        parameters = sum(each.parameters for each in part)
        if parameters:
            lines.append((say("{count:,} params", count=parameters), False))
    return tuple(lines)


def _folded(what: str, notes: Sequence[str]) -> Iterator[tuple[str, bool]]:
    """What a layer is on a line, its notes on as many as they need."""
    head, _, tail = what.partition(", ")
    yield clip(head, MAX_LETTERS), False
    line = ""
    for note in [*filter(None, [tail]), *notes]:
        if line and text_columns(line) + text_columns(note) + 2 > 16:
            yield clip(line, MAX_LETTERS), False
            line = ""
        line = f"{line}, {note}" if line else note
    if line:
        yield clip(line, MAX_LETTERS), False


# Drawing


def _draw_band(
    drawing: Drawing,
    band: Sequence[PlacedColumn],
    scale: Scale,
    corner: Point,
    spread: float,
    levels: Mapping[Skip, int],
    number: int,
    ends: tuple[bool, bool],
) -> float:
    """Blocks side by side, the first with this number, their labels and arrows; the y under it.

    ends: whether nothing comes into them from the band before, and nothing goes on to the next.
    """
    (left, top), edge = corner, corner[0] - GAP
    pitch, boxes, top = _pitch(band), _boxes_height(band), corner[1] + lift_of(levels)
    axis = top + boxes / 2
    spots: dict[int, Spot] = {}
    before: tuple[float, list[float]] | None = None if ends[0] else (left - GAP - 4, [axis])
    for placed in band:
        rows, first, last = placed.rows, placed.blocks[0], placed.blocks[-1]
        middles = [axis + (row - (rows - 1) / 2) * pitch for row in range(rows)]
        entry = left + (placed.width - placed.drawn) / 2 + (STEM + 4 if first.entries else 0)
        if before is not None and not first.apart:
            drawing.add(_arrows(before, entry, middles, first.groups))
        stops, right = [], entry
        for middle in middles:
            x = entry
            for block in _shown(placed.blocks):
                x, stop, right = _draw_block(drawing, block, scale, x, middle)
            stops.append(stop)
        before = max(stops) + 2, middles
        merge = right + STEM + SUM
        if last.merges:
            drawing.add(_arrows(before, merge - SUM + 2, [axis], 1))
            drawing.add(draw_merge(merge, axis, last))
            before, right = (merge + SUM, [axis]), merge + SUM
        leave = right + STEM
        if last.branches:
            drawing.add([Line(((before[0], axis), (leave, axis)), WAY), Circle(leave, axis, DOT, WAY, WAY)])
            before = leave, [axis]
        for _ in placed.blocks:
            spots[number] = Spot(entry - STEM - 4, merge, leave)
            number += 1
        for line, (words, bold) in enumerate(placed.label):
            y = top + boxes + 14 + LEADING * line
            drawing.add([Text(left + placed.width / 2, y, words, SMALL, bold=bold)] if words else [])
        left += placed.width + GAP + spread
    if not ends[1] and before is not None:
        drawing.add(_arrows(before, before[0] + 12, [axis], 1))
    for skip, level in levels.items():
        drawing.add(draw_skip(skip, top - LIFT * (level + 0.5), axis, spots, (edge, left - spread)))
    return top + boxes + 14 + LEADING * max(len(placed.label) for placed in band)


def _draw_block(drawing: Drawing, block: Block, scale: Scale, x: float, middle: float) -> tuple[float, float, float]:
    """A cuboid or a bar; (where the next one starts, where an arrow may start, how far right it reaches)."""
    tip = f"{block.name}: {block.what}, {times(block.shape)}" if block.kind != INPUT else f"input {times(block.shape)}"
    tip += f", {block.parameters:,} parameters" if block.parameters else ""
    thick, height, right, up = scale.measure(block)
    top, edge = middle - height / 2 + up / 2, x + thick
    if block.is_map:
        lid = ((x, top), (x + right, top - up), (edge + right, top - up), (edge, top))
        side = ((edge, top), (edge + right, top - up), (edge + right, top - up + height), (edge, top + height))
        fill = FILLS[block.kind]
        drawing.add([Polygon(lid, _shaded(fill, 1.06), tip=tip), Polygon(side, _shaded(fill, 0.86), tip=tip)])
    drawing.add(_front(rectangle(x, top, thick, height), block.kind, tip))
    return edge + BETWEEN, edge + right / 2, edge + right


def _front(corners: Sequence[Point], kind: str, tip: str = "") -> list[Item]:
    """A face in the colour of its kind, ruled where the kind is."""
    (left, top), _, (right, bottom), _ = corners
    items: list[Item] = [Polygon(tuple(corners), FILLS[kind], tip=tip)]
    if kind in RULED:
        count = int((bottom - top) / 3)
        items += [
            Line(((left, top + 3 * place), (right, top + 3 * place)), RULED[kind], 0.5) for place in range(1, count + 1)
        ]
    return items


def _arrows(before: tuple[float, list[float]], x: float, middles: Sequence[float], groups: int) -> list[Item]:
    """From each row to each row that sees it: to its own alone where the convolution's groups are the rows."""
    start, sources = before
    return [
        item
        for i, source in enumerate(sources)
        for j, target in enumerate(middles)
        if not (i != j and len(sources) == len(middles) == groups)
        for item in arrow((start, source), (x - 2, target))
    ]


def _shaded(colour: str, factor: float) -> str:
    """A colour lighter (above 1) or darker."""
    parts = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    return "#" + "".join(f"{min(255, round(part * factor)):02X}" for part in parts)


def _legend_lines(blocks: Sequence[Block], say: Labels) -> list[list[tuple[str, str]]]:
    """What the colours mean, and in a second line what the sizes do."""
    kinds = [kind for kind in KIND_WORDS if any(block.kind == kind for block in blocks)]
    sizes = [say("boxes: height and depth in proportion to H and W, thickness to √channels")]
    if any(not block.is_map for block in blocks):
        sizes.append(say("bars: length in proportion to √units"))
    if any(block.branches for block in blocks):
        sizes.append(say("lines above the boxes: values that a box further on reads too"))
    return [[(kind, say(KIND_WORDS[kind])) for kind in kinds], [("", "; ".join(sizes))]]


def _legend_width(line: Sequence[tuple[str, str]]) -> float:
    return sum(_entry_width(*entry) for entry in line)


def _entry_width(kind: str, words: str) -> float:
    return (16 if kind else 0) + text_width(words, SMALL) + 18
