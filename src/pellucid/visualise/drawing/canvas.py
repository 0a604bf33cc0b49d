"""A drawing as plain shapes, laid out once and written twice: as SVG text, and as a Matplotlib figure.

Positions are in points (1/72 inch) from the upper left corner, y downwards.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

from pellucid.ops.geometry import number
from pellucid.visualise.drawing.figure import INK, new_figure, ready

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Point = tuple[float, float]

FONTS = "DejaVu Sans, Verdana, Helvetica, Arial, Malgun Gothic, Apple SD Gothic Neo, NanumGothic, sans-serif"

# Advances of DejaVu Sans in 1/20 of the size, rounded up; the other fonts of FONTS are no wider.
_NARROW = {6: "'IJijl", 7: " ,./:;\\|·", 8: "()-[]ft", 9: "!r", 10: '"*_`-', 11: "?csz", 12: "FLkvxy"}
_WIDE = {13: "$0123456789EPSTYabdeghnopqu{}√", 14: "ABCKRVXZ", 15: "NU", 16: "&DGHOQ", 17: "#+<=>^w~→", 18: "M"}
_ADVANCE = {letter: units / 20 for units, letters in (_NARROW | _WIDE).items() for letter in letters}
_BOLD = 1.13
"""The bold letters' width by that of the others; 1.1 on average over words and numbers."""


@dataclass(frozen=True)
class Polygon:
    """A filled shape; `tip` is what a browser says under the pointer."""

    points: tuple[Point, ...]
    fill: str
    edge: str = INK
    width: float = 0.7
    tip: str = ""


@dataclass(frozen=True)
class Line:
    """A line through points."""

    points: tuple[Point, ...]
    colour: str = INK
    width: float = 0.8
    dash: tuple[float, ...] = ()


@dataclass(frozen=True)
class Circle:
    """A filled circle."""

    x: float
    y: float
    radius: float
    fill: str = "white"
    edge: str = INK
    width: float = 0.8
    tip: str = ""


@dataclass(frozen=True)
class Text:
    """One line of text; x, y is where its baseline starts, has its middle, or ends."""

    x: float
    y: float
    text: str
    size: float = 8.0
    anchor: str = "middle"
    bold: bool = False
    colour: str = INK


Item = Polygon | Line | Circle | Text


@dataclass
class Drawing:
    """Shapes on a page, the later ones above the earlier. Units: width and height in points."""

    width: float
    height: float
    title: str
    items: list[Item] = field(default_factory=list)

    def add(self, items: Iterable[Item]) -> None:
        """Put shapes on top."""
        self.items.extend(items)


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """About how wide a line of text is, and hardly ever less. Units: size and result in points."""
    ems = sum(_ADVANCE.get(letter, 1.0 if ord(letter) > 126 or letter in "%@mW" else 0.65) for letter in text)
    return ems * size * (_BOLD if bold else 1.0)


def rectangle(left: float, top: float, width: float, height: float) -> tuple[Point, ...]:
    """The corners of an upright rectangle."""
    return ((left, top), (left + width, top), (left + width, top + height), (left, top + height))


def arrow(start: Point, end: Point, *, colour: str = "#555555", head: float = 4.0) -> list[Item]:
    """A line with a filled head at its end."""
    (x0, y0), (x1, y1) = start, end
    length = math.hypot(x1 - x0, y1 - y0) or 1.0
    ux, uy = (x1 - x0) / length, (y1 - y0) / length
    base = (x1 - head * ux, y1 - head * uy)
    wings = tuple((base[0] + side * 0.45 * head * uy, base[1] - side * 0.45 * head * ux) for side in (1, -1))
    return [Line((start, base), colour), Polygon(((x1, y1), *wings), colour, colour, 0.3)]


# SVG


def to_svg(drawing: Drawing, *, scale: float = 1.0) -> str:
    """The drawing as an SVG document; text stays text, and names are escaped.

    scale: how large it is shown; 1 is its size on paper.
    """
    width, height = (_number(extent) for extent in (drawing.width, drawing.height))
    scale = number(scale, "scale", 0.01, 1000)
    shown = (_number(extent * scale) for extent in (drawing.width, drawing.height))
    head = '<svg xmlns="http://www.w3.org/2000/svg" width="{}pt" height="{}pt"'.format(*shown)
    lines = [f'{head} viewBox="0 0 {width} {height}" font-family="{FONTS}" role="img">']
    lines.append(f"<title>{_escaped(drawing.title)}</title>")
    lines.append(f'<rect width="{width}" height="{height}" fill="white"/>')
    lines += [_svg_item(item) for item in drawing.items]
    return "\n".join([*lines, "</svg>", ""])


def _svg_item(item: Item) -> str:
    if isinstance(item, Text):
        weight = ' font-weight="bold"' if item.bold else ""
        place = f'x="{_number(item.x)}" y="{_number(item.y)}" font-size="{_number(item.size)}"'
        style = f'text-anchor="{item.anchor}" fill="{item.colour}"{weight}'
        return f"<text {place} {style}>{_escaped(item.text)}</text>"
    if isinstance(item, Line):
        dash = f' stroke-dasharray="{" ".join(map(_number, item.dash))}"' if item.dash else ""
        drawn = f'fill="none" stroke="{item.colour}" stroke-width="{_number(item.width)}"{dash}'
        return f'<polyline points="{_points(item.points)}" {drawn}/>'
    paint = f'fill="{item.fill}" stroke="{item.edge}" stroke-width="{_number(item.width)}"'
    tip = f"<title>{_escaped(item.tip)}</title>" if item.tip else ""
    if isinstance(item, Circle):
        place = f'cx="{_number(item.x)}" cy="{_number(item.y)}" r="{_number(item.radius)}"'
        return f"<circle {place} {paint}>{tip}</circle>"
    return f'<polygon points="{_points(item.points)}" {paint} stroke-linejoin="round">{tip}</polygon>'


def _points(points: Sequence[Point]) -> str:
    return " ".join(f"{_number(x)},{_number(y)}" for x, y in points)


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _escaped(text: str) -> str:
    """Text for XML, which has no place for control characters; as wide as it was measured."""
    return escape("".join(letter if letter.isprintable() else "?" for letter in text))


# Matplotlib


def to_figure(drawing: Drawing, axes: Any = None) -> Figure:
    """The same drawing as a Matplotlib figure of its size, or in the axes given, as large as they now are."""
    ready()
    from matplotlib.lines import Line2D
    from matplotlib.patches import Circle as RoundPatch
    from matplotlib.patches import Polygon as PolygonPatch

    size = 1.0
    if axes is None:
        figure = new_figure(drawing.width / 72, drawing.height / 72, layout=None)
        axes = figure.add_axes((0, 0, 1, 1))
    else:
        room = axes.get_window_extent()
        size = 72 / axes.figure.dpi * min(room.width / drawing.width, room.height / drawing.height)
    axes.set_xlim(0, drawing.width)
    axes.set_ylim(drawing.height, 0)
    axes.set_aspect("equal")
    axes.set_axis_off()
    for order, item in enumerate(drawing.items):
        if isinstance(item, Text):
            words = axes.text(item.x, item.y, item.text, fontsize=size * item.size, va="baseline", color=item.colour)
            words.set(ha=_SIDES[item.anchor], weight="bold" if item.bold else "normal", parse_math=False, zorder=order)
            continue
        shape: Any
        if isinstance(item, Line):
            xs, ys = zip(*item.points, strict=True)
            shape = Line2D(xs, ys, color=item.colour, lw=size * item.width)
            shape.set_solid_capstyle("butt")
            if item.dash:
                shape.set_linestyle((0, tuple(step / item.width for step in item.dash)))
        elif isinstance(item, Circle):
            shape = RoundPatch((item.x, item.y), item.radius, fc=item.fill, ec=item.edge, lw=size * item.width)
        else:
            shape = PolygonPatch(item.points, closed=True, fc=item.fill, ec=item.edge, lw=size * item.width)
            shape.set_joinstyle("round")
        shape.set_zorder(order)
        axes.add_artist(shape)
    figure_of: Figure = axes.figure
    return figure_of


_SIDES = {"start": "left", "middle": "center", "end": "right"}
