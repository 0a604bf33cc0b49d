"""Where the shapes and letters of a drawing lie, for tests of what overlaps."""

from __future__ import annotations

from collections.abc import Iterable

from pellucid.visualise.drawing.canvas import Circle, Drawing, Item, Point, Text, text_width

Box = tuple[float, float, float, float]
"""left, top, right, bottom."""

ASCENT, DESCENT = 0.76, 0.24
"""How far letters of DejaVu Sans reach above and below their line, in sizes of the letter; (, g and j reach lowest."""


def texts(drawing: Drawing) -> list[Text]:
    """What is written on it."""
    return [item for item in drawing.items if isinstance(item, Text)]


def text_box(text: Text) -> Box:
    """The rectangle that the letters stay within, by an estimate of their widths."""
    width = text_width(text.text, text.size, bold=text.bold)
    left = text.x - {"start": 0.0, "middle": width / 2, "end": width}[text.anchor]
    return left, text.y - ASCENT * text.size, left + width, text.y + DESCENT * text.size


def bounds(items: Iterable[Item]) -> Box:
    """The rectangle around shapes and letters."""
    corners: list[Point] = []
    for item in items:
        if isinstance(item, Text):
            left, top, right, bottom = text_box(item)
            corners += [(left, top), (right, bottom)]
        elif isinstance(item, Circle):
            corners += [(item.x - item.radius, item.y - item.radius), (item.x + item.radius, item.y + item.radius)]
        else:
            corners += item.points
    xs, ys = zip(*corners, strict=True)
    return min(xs), min(ys), max(xs), max(ys)
