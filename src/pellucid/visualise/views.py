"""Where the units of a layer look: which pixels of the picture each sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pellucid.errors import ConfigError
from pellucid.layers import Layer, ZeroPadding2D
from pellucid.ops.geometry import NO_PADS, Pair, ReceptiveField, Shape, resolve_padding, window_start

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


def view_of(layers: Sequence[Layer], input_shape: Shape) -> View | None:
    """What the units of the last of these layers see; None where they see everything: behind Flatten, for instance.

    Shapes: input_shape (H,W,C).
    Errors: ConfigError for a network that takes no pictures.
    """
    if len(input_shape) != 3:
        raise ConfigError(f"only pictures (H, W, C) have places to look at, this network takes {input_shape}")
    shape: Shape = input_shape
    field, start = ReceptiveField(), (0, 0)
    for layer in layers:
        window, pads = layer.window(), NO_PADS
        if window is not None:
            pads = resolve_padding(getattr(layer, "padding", "valid"), (shape[0], shape[1]), *window)
        elif isinstance(layer, ZeroPadding2D):
            pads = layer.padding
        first = window_start((0, 0), (1, 1) if window is None else window[1], pads)
        start = (start[0] + first[0] * field.jump[0], start[1] + first[1] * field.jump[1])
        field = field.step(*window) if window is not None else field
        shape = layer.output_shape(shape)
        if len(shape) != 3:
            return None
    return View(field, start, shape)
