"""Where the units of a layer look: which pixels of the picture each sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pellucid.errors import ConfigError
from pellucid.layers.graph import INPUT, Graph
from pellucid.ops.geometry import Pair, Shape, window_start
from pellucid.ops.receptive_field import ReceptiveField

Box = tuple[int, int, int, int]
"""(top, left, bottom, right) in pixels, bottom and right behind the last; may reach beyond the picture."""


@dataclass(frozen=True)
class View:
    """What unit (i, j) of a layer sees: `field.size` pixels from start + (i, j) * field.jump on.

    Units: pixels of the network's input; start is negative where padding comes first.
    Source: Araujo, Norris & Sim 2019, equations 1 and 2.
    """

    field: ReceptiveField
    start: Pair
    map_shape: Shape
    """(OH, OW, O) of the layer's output."""

    def box(self, place: Pair) -> Box:
        """The pixels that the unit at (row, column) of the map sees."""
        top, left = (self.start[axis] + place[axis] * self.field.jump[axis] for axis in (0, 1))
        return top, left, top + self.field.size[0], left + self.field.size[1]


def view_of(graph: Graph) -> View | None:
    """What the units of a graph's answer see; None where they see everything: behind Flatten, for instance.

    Errors: ConfigError for a network that takes no pictures.
    """
    if len(graph.input_shape) != 3:
        raise ConfigError(f"only pictures (H, W, C) have places to look at, this network takes {graph.input_shape}")
    views: dict[int, View | None] = {INPUT: View(ReceptiveField(), (0, 0), graph.input_shape)}
    for visit in graph.walk():
        read = [views[i] for i in visit.inputs]
        seen = [view for view in read if view is not None]
        moved = visit.layer.role in ("rearrangement", "upsampling", "transposed convolution")
        if len(seen) < len(read) or len(visit.output_shape) != 3 or moved:
            views[visit.number] = None
            continue
        shape, field, start = _union(seen)
        window = visit.layer.window()
        first = window_start((0, 0), (1, 1) if window is None else window[1], visit.layer.pads(shape))
        start = (start[0] + first[0] * field.jump[0], start[1] + first[1] * field.jump[1])
        field = field.step(*window) if window is not None else field
        views[visit.number] = View(field, start, visit.output_shape)
    return views[graph.output]


def _union(views: Sequence[View]) -> tuple[Shape, ReceptiveField, Pair]:
    """The shape of maps of one size that are read together, and what a unit sees through any of them, from where on."""
    first = views[0]
    starts = [min(view.start[axis] for view in views) for axis in (0, 1)]
    ends = [max(view.start[axis] + view.field.size[axis] for view in views) for axis in (0, 1)]
    size = ends[0] - starts[0], ends[1] - starts[1]
    return first.map_shape, replace(first.field, size=size), (starts[0], starts[1])
