"""A drawing board: strokes become a picture such as the network learned from, as large, as thick, in the same place.

MNIST's digits are 20 pixels long at most and stand with their centre of mass in the middle of 28 x 28 pixels; scikit-
learn's fill 8 x 8. Both are read from the test pictures, so other drawings on a dark or a light ground fit, too.
Source: LeCun et al. 1998, section III-A.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pellucid.errors import ConfigError, shown
from pellucid.lab.pictures import NumberedPictures
from pellucid.model.background import DARK, LIGHT
from pellucid.ops import Array
from pellucid.ops.geometry import whole

SIDE = 1000
"""The board's, in the units of strokes."""

MAX_NUMBERS = 9000
"""Of all strokes together, three a point: what fits into a message."""

FINE, MOST_DOTS = 8, 512
"""Dots of the drawing for each pixel, along rows and columns; fewer where a side would have more than so many."""

INK = 1 / 8
"""Of the range of pixels: what is brighter is drawn on."""

Stroke = Sequence[int]
"""x, y and pressure of each point in turn, from 0 to SIDE."""


@dataclass(frozen=True)
class Board:
    """What drawings of a data set are like.

    light: dark on light. fitted: brought to that length, since the pictures have a ground that drawings stand on.
    Units: length, of the longer side, and thick, of a line, in pixels.
    """

    shape: tuple[int, int, int]
    light: bool
    length: float
    thick: float
    fitted: bool = True

    @classmethod
    def of(cls, pictures: NumberedPictures) -> Board:
        """By the first test pictures; of photographs, which have no ground, the whole picture is drawn on."""
        height, width, channels = pictures.test.images.shape[1:]
        background = pictures.background or 0.0
        side = min(height, width)
        if DARK <= background <= LIGHT:
            return cls((height, width, channels), False, float(side), side / 12, fitted=False)
        light = background > LIGHT
        grey = pictures.sample(256).mean(axis=-1) / 255
        ink = 1 - grey if light else grey
        drawn = [each for each in ink > INK if each.any()]
        lengths = [max(np.ptp(np.flatnonzero(each.any(axis=axis))) + 1 for axis in (0, 1)) for each in drawn]
        if not lengths:
            return cls((height, width, channels), light, float(side), side / 12)
        length = float(np.median(lengths))
        amount = float(np.median(ink.sum(axis=(1, 2)) / max(float(ink.max()), INK)))
        return cls((height, width, channels), light, length, float(np.clip(amount / (2 * length), 1, side / 6)))

    def picture(self, strokes: Sequence[Stroke]) -> Array:
        """What was drawn: brought to `length`, its centre of mass in the middle as far as nothing is cut off.

        Shapes: (H,W,C) uint8.
        Errors: ConfigError for strokes without a point, or what are none.
        """
        from PIL import Image, ImageDraw

        lines = [_points(stroke) for stroke in _some(strokes)]
        every = np.concatenate(lines)
        low, high = every[:, :2].min(axis=0), every[:, :2].max(axis=0)
        height, width, channels = self.shape
        room = max(self.length - self.thick, 1.0)
        wanted = max(float((high - low).max()), SIDE / 20)  # a dot stays a dot
        if not self.fitted:
            low, high, wanted, room = np.zeros(2), np.full(2, SIDE), SIDE, float(min(height, width))
        fine = max(2, min(FINE, MOST_DOTS // max(height, width)))
        scale = fine * room / wanted
        canvas = Image.new("L", (fine * width, fine * height))
        draw = ImageDraw.Draw(canvas)
        middle = np.array([fine * width, fine * height]) / 2
        for line in lines:
            places = (line[:, :2] - (low + high) / 2) * scale + middle
            radii = fine * self.thick / 2 * (0.5 + line[:, 2] / SIDE)
            for i, (x, y) in enumerate(places):
                draw.ellipse((x - radii[i], y - radii[i], x + radii[i], y + radii[i]), fill=255)
                if i:
                    ends = [tuple(places[i - 1]), (x, y)]
                    draw.line(ends, fill=255, width=max(1, round(float(radii[i - 1] + radii[i]))))
        dots = np.asarray(canvas).reshape(height, fine, width, fine).mean(axis=(1, 3))
        drawn = _centred(dots) if self.fitted else dots
        levels = np.rint(255 - drawn if self.light else drawn).astype(np.uint8)
        return np.repeat(levels[..., None], channels, axis=2)


def _some(strokes: Sequence[Stroke]) -> Sequence[Stroke]:
    if not isinstance(strokes, list) or not all(isinstance(stroke, list) for stroke in strokes):
        raise ConfigError(f"strokes must be a list of lists, got {shown(strokes)}")
    kept = [stroke for stroke in strokes if stroke]
    count = sum(map(len, kept))
    if not kept or count > MAX_NUMBERS or any(len(stroke) % 3 for stroke in kept):
        raise ConfigError(f"strokes must hold x, y and pressure of 1 to {MAX_NUMBERS // 3:,} points")
    return kept


def _points(stroke: Stroke) -> Array:
    """Shapes: (n,3)."""
    return np.array([whole(value, "a stroke's number", SIDE, least=0) for value in stroke], np.float64).reshape(-1, 3)


def _centred(dots: Array) -> Array:
    """Moved by whole pixels until the centre of mass is in the middle, or the drawing meets the edge."""
    for axis in (0, 1):
        weight = dots.sum(axis=1 - axis)
        there = np.flatnonzero(weight > 0)
        if there.size:
            wanted = round((len(weight) - 1) / 2 - float(weight @ np.arange(len(weight))) / float(weight.sum()))
            dots = np.roll(dots, int(np.clip(wanted, -there[0], len(weight) - 1 - there[-1])), axis=axis)
    return dots
