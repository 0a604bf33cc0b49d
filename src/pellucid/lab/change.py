"""How the picture that is looked at differs from the one it was: moved, turned, larger, noisy, in part covered.

What is where is one affine map, as in augmentation, and goes through the same kernel.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from typing import Any

import numpy as np

from pellucid import ops
from pellucid.errors import ConfigError, expect_known, shown
from pellucid.ops import Array
from pellucid.ops.changes import Changes
from pellucid.ops.geometry import whole
from pellucid.visualise.attribution.data import mean_colour

GRID = 32
"""A picture is covered in cells, so many a side at most; of a smaller picture each pixel is one."""

FARTHEST, WIDEST_TURN, SIZES, MOST_NOISE = 4096, 180, (20, 400), 100


@dataclass(frozen=True)
class Change:
    """What is done to a picture, in this order; nothing of it by default.

    invert: 1 to swap black and white. turn: to the right, about the middle. cover: the cells that are made the
    picture's mean colour, four of them in each hexadecimal digit, row by row; see `grid_of`.
    Units: down, right in pixels; turn in degrees; size in percent; noise, its standard deviation, in percent of the
    range of pixels.
    """

    invert: int = 0
    down: int = 0
    right: int = 0
    turn: int = 0
    size: int = 100
    noise: int = 0
    cover: str = ""

    def __post_init__(self) -> None:
        ends = {
            "invert": (0, 1),
            "down": (-FARTHEST, FARTHEST),
            "right": (-FARTHEST, FARTHEST),
            "turn": (-WIDEST_TURN, WIDEST_TURN),
            "size": SIZES,
            "noise": (0, MOST_NOISE),
        }
        for name, (least, most) in ends.items():
            whole(getattr(self, name), name, most, least=least)
        if not isinstance(self.cover, str) or not re.fullmatch(f"[0-9a-f]{{0,{GRID * GRID // 4}}}", self.cover):
            raise ConfigError(f"cover must be at most {GRID * GRID // 4} digits 0-9a-f, got {shown(self.cover)}")

    @classmethod
    def of(cls, given: Any) -> Change:
        """A change as a message has it. Errors: ConfigError for anything else."""
        if not isinstance(given, Mapping):
            raise ConfigError(f"change must be an object, got {shown(given)}")
        for name in given:
            expect_known("change", name, [each.name for each in fields(cls)])
        return cls(**given)

    def to_json(self) -> dict[str, Any]:
        """What differs from nothing."""
        return {name: value for name, value in asdict(self).items() if value != getattr(NONE, name)}

    def of_picture(self, picture: Array, ends: tuple[float, float]) -> Array:
        """The picture so changed; what comes in at an edge repeats it.

        Shapes: (H,W,C), uint8 or float32 -> the same. ends: the least and the largest value of a pixel.
        """
        low, high = ends
        made = picture.astype(np.float32)
        if self.invert:
            made = np.asarray(low + high - made, np.float32)
        if self.down or self.right or self.turn or self.size != 100:
            made = _placed(made, self)
        if self.noise:
            made += (high - low) * self.noise / 100 * _noise(made.shape)
        if self.cover:
            made[_covered(self.cover, picture.shape)] = mean_colour(made[None])[0]
        made = np.clip(made, low, high)
        return np.rint(made).astype(np.uint8) if picture.dtype == np.uint8 else np.asarray(made, np.float32)


NONE = Change()


def grid_of(shape: tuple[int, ...]) -> tuple[int, int]:
    """In how many rows and columns of cells a picture (H, W, ...) is covered."""
    return min(shape[0], GRID), min(shape[1], GRID)


def _placed(picture: Array, change: Change) -> Array:
    changes = Changes(1, picture.shape)
    angle, size = np.deg2rad(change.turn), change.size / 100
    cos, sin = np.cos(angle) / size, np.sin(angle) / size
    changes.move(xx=cos, xy=sin, yx=-sin, yy=cos)
    changes.move(x=-change.right, y=-change.down)
    one, none = np.ones(picture.shape[2], np.float32), np.zeros(picture.shape[2], np.float32)
    found: Array = ops.augment(picture[None], np.arange(1), changes.rows(), scale=one, offset=none, border="edge")[0]
    return found


@lru_cache(4)
def _noise(shape: tuple[int, ...]) -> Array:
    """The same in each frame, or everything would flicker."""
    return np.random.default_rng(0).standard_normal(shape, np.float32)


def _covered(cells: str, shape: tuple[int, ...]) -> Array:
    """Which pixels are covered. Shapes: (H,W) bool."""
    rows, columns = grid_of(shape)
    bits = [int(digit, 16) >> shift & 1 for digit in cells for shift in (3, 2, 1, 0)]
    flags = np.zeros(rows * columns, bool)
    flags[: len(bits)] = bits[: flags.size]
    down, across = (np.arange(size) * cells // size for size, cells in zip(shape[:2], (rows, columns), strict=True))
    found: Array = flags.reshape(rows, columns)[down][:, across]
    return found
