"""Values that go past boxes of a block drawing (skip connections): lines above the boxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pellucid.visualise.architecture.data import Block
from pellucid.visualise.drawing.canvas import Circle, Item, Line, arrow

LIFT, DOT, SUM, STEM = 8.0, 1.4, 4.6, 5.0
"""Of values that go past boxes: from one line above the boxes to the next, the radius of the dot where a value
branches off and of the circle where values are merged, and the way from a box to either. Units: points."""
WAY = "#555555"


@dataclass(frozen=True)
class Skip:
    """A value that goes past boxes: from one to the entry of another, or to where that one's output is merged."""

    source: int
    target: int
    merged: bool


@dataclass(frozen=True)
class Spot:
    """Where values reach a column, are merged and branch off it: x of each. Units: points."""

    enter: float
    merge: float
    leave: float


def skips_of(blocks: Sequence[Block]) -> list[Skip]:
    """All that are drawn above the boxes, by the numbers of the boxes."""
    entered = [Skip(i, place, merged=False) for place, block in enumerate(blocks) for i in block.entries]
    return entered + [Skip(i, place, merged=True) for place, block in enumerate(blocks) for i in block.merges]


def levels_of(skips: Sequence[Skip], first: int, last: int) -> dict[Skip, int]:
    """How high each runs above the boxes numbered from first to last, as far as it passes them: longer ones higher."""
    passing = {
        skip: (max(skip.source, first - 1), min(skip.target, last + 1))
        for skip in skips
        if skip.source <= last and skip.target >= first
    }
    levels: dict[Skip, int] = {}
    for skip in sorted(passing, key=lambda skip: skip.target - skip.source):
        start, end = passing[skip]
        below = [level for other, level in levels.items() if passing[other][0] < end and start < passing[other][1]]
        levels[skip] = 1 + max(below, default=-1)
    return levels


def lift_of(levels: Mapping[Skip, int]) -> float:
    """The room that lines above the boxes take."""
    return LIFT * (1 + max(levels.values())) if levels else 0.0


def draw_merge(x: float, y: float, block: Block) -> list[Item]:
    """A circle with a plus in it where values are added, with a cross where they are multiplied."""
    far = 0.6 * SUM
    dx, dy = (far, 0.0) if any(note.startswith("+ ") for note in block.notes) else (0.7 * far, 0.7 * far)
    strokes = (((x - dx, y - dy), (x + dx, y + dy)), ((x - dy, y + dx), (x + dy, y - dx)))
    return [Circle(x, y, SUM), *(Line(stroke, width=1.0) for stroke in strokes)]


def draw_skip(skip: Skip, y: float, axis: float, spots: Mapping[int, Spot], edges: tuple[float, float]) -> list[Item]:
    """The line of a value that goes past boxes, from edge to edge where it begins or ends in another line of blocks."""
    source, target = spots.get(skip.source), spots.get(skip.target)
    begin = [(edges[0], y)] if source is None else [(source.leave, axis), (source.leave, y)]
    if target is None:
        return [Line(tuple(begin), WAY), *arrow(begin[-1], (edges[1], y))]
    x = target.merge if skip.merged else target.enter
    if skip.merged:
        return [Line((*begin, (x, y)), WAY), *arrow((x, y), (x, axis - SUM))]
    return [Line((*begin, (x, y), (x, axis)), WAY), *arrow((x, axis), (x + STEM + 2, axis))]
