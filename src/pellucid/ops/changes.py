"""What is to happen to pictures, kind after kind, as the rows of numbers that `ops.augment` takes."""

from __future__ import annotations

import numpy as np

from pellucid.ops.geometry import Array


class Changes:
    """What happens to n pictures of one shape (H, W, C).

    place: (2,3,n), from the place of a pixel in the result, (right, down, 1) in pixels from the middle, to where it
    comes from. colour: (3,3,n), on (red, green, blue). grey: (n,), how often the mean of the picture is added to that;
    mean: (n,), by what the mean is multiplied so far. box: (4,n), rows and columns that are cut out. share: (n,), what
    is left of the picture beside another.
    """

    def __init__(self, count: int, shape: tuple[int, ...]) -> None:
        self.height, self.width, self.channels = shape
        self.place = np.tile(np.eye(2, 3)[..., None], count)
        self.colour = np.tile(np.eye(3)[..., None], count)
        self.grey, self.mean, self.share = np.zeros(count), np.ones(count), np.ones(count)
        self.box = np.zeros((4, count))

    def move(
        self,
        xx: Array | float = 1.0,
        xy: Array | float = 0.0,
        x: Array | float = 0.0,
        yx: Array | float = 0.0,
        yy: Array | float = 1.0,
        y: Array | float = 0.0,
    ) -> None:
        """Let what is at (right, down) now come from (xx * right + xy * down + x, yx * right + yy * down + y)."""
        right, down, rest = self.place[:, 0], self.place[:, 1], self.place[:, 2]
        moved = (right * xx + down * yx, right * xy + down * yy, right * x + down * y + rest)
        self.place = np.stack(moved, axis=1)

    def recolour(self, matrix: Array) -> None:
        """Change colours, not greys; nothing where there are no colours. Shapes: matrix (3,3,n)."""
        if self.channels == 3:
            self.colour = sum(matrix[:, k, None] * self.colour[k] for k in range(3))

    def rows(self) -> Array:
        """A row for each picture, as `ops.augment` takes it. Shapes: (n,21) float32."""
        across, down = (self.width - 1) / 2, (self.height - 1) / 2
        place = self.place.copy()
        place[:, 2] += np.array([[across], [down]]) - (place[:, 0] * across + place[:, 1] * down)
        parts = (place.reshape(6, -1), self.colour.reshape(9, -1), self.grey[None], self.box, self.share[None])
        return np.ascontiguousarray(np.concatenate(parts).T, np.float32)
