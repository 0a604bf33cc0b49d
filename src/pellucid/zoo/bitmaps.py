"""Target codes in the shape of digits: 7 x 12 black-and-white pictures, drawn for this package."""

from __future__ import annotations

import numpy as np

from pellucid.errors import ConfigError
from pellucid.ops.geometry import Array, Shape

WIDTH, HEIGHT = 7, 12

# each digit in 7 columns; the empty rows above and below are added
_DRAWN = """
 ..###..  ...#...  ..###..  .#####.  ....##.  ######.  ..####.  #######  ..###..  ..###..
 .#...#.  ..##...  .#...#.  .....#.  ...#.#.  #......  .#.....  ......#  .#...#.  .#...#.
 #.....#  .#.#...  #.....#  ....#..  ..#..#.  #......  #......  .....#.  #.....#  #.....#
 #.....#  ...#...  ......#  ...#...  .#...#.  #......  #......  .....#.  .#...#.  #.....#
 #.....#  ...#...  .....#.  ..###..  #....#.  #####..  #.###..  ....#..  ..###..  .#...##
 #.....#  ...#...  ....#..  .....#.  #....#.  .....#.  ##...#.  ....#..  .#...#.  ..###.#
 #.....#  ...#...  ...#...  ......#  #######  ......#  #.....#  ...#...  #.....#  ......#
 #.....#  ...#...  ..#....  ......#  .....#.  ......#  #.....#  ...#...  #.....#  ......#
 .#...#.  ...#...  .#.....  #....#.  .....#.  #....#.  .#...#.  ..#....  .#...#.  .....#.
 ..###..  .#####.  #######  .####..  .....#.  .####..  ..###..  ..#....  ..###..  .####..
"""


def digit_bitmaps(shape: Shape, rng: np.random.Generator) -> Array:
    """The digits 0 to 9 as columns of +1 (ink) and -1 (paper), an initializer for RBF.

    Shapes: (84, K) with K at most 10: 12 rows of 7 pixels each, row by row.
    Errors: ConfigError for another shape.

    >>> zero = digit_bitmaps((84, 10), np.random.default_rng(0))[:, 0].reshape(12, 7)
    >>> print("".join("#" if pixel > 0 else "." for pixel in zero[1]))
    ..###..
    """
    if len(shape) != 2 or shape[0] != WIDTH * HEIGHT or shape[1] > 10:
        raise ConfigError(
            f"digit bitmaps are codes of {WIDTH * HEIGHT} numbers for at most 10 classes, got {shape}; "
            'with more classes use codes="random"'
        )
    rows = [line.split() for line in _DRAWN.strip().splitlines()]
    ink = np.array([[[letter == "#" for letter in row[digit]] for row in rows] for digit in range(10)])
    pictures = np.full((10, HEIGHT, WIDTH), -1.0, np.float32)
    pictures[:, 1:-1][ink] = 1.0
    return np.ascontiguousarray(pictures.reshape(10, -1).T[:, : shape[1]])
