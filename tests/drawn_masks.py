"""Pictures with masks whose truth is known: bright squares and dim discs on noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from pellucid.ops import Array


def squares_and_discs(count: int, side: int = 32, seed: int = 0) -> tuple[Array, Array]:
    """Shapes: (count,side,side,1) and (count,side,side) uint8: 0 is the ground, 1 a square, 2 a disc."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 60, (count, side, side, 1), dtype=np.uint8)
    masks = np.zeros((count, side, side), np.uint8)
    rows, columns = np.mgrid[0:side, 0:side]
    for image, mask in zip(images, masks, strict=True):
        size = int(rng.integers(side // 4, side // 2))
        top, left = rng.integers(0, side - size, 2)
        mask[top : top + size, left : left + size] = 1
        row, column = rng.integers(side // 5, side - side // 5, 2)
        mask[(rows - row) ** 2 + (columns - column) ** 2 < (side // 6) ** 2] = 2
        image[mask == 1] += 150
        image[mask == 2] += 80
    return images, masks


def write_masks(
    folder: Path, count: int, *, seed: int = 0, side: int = 32, levels: tuple[int, ...] = (0, 1, 2)
) -> Path:
    """The same as files, folder/images and folder/masks; levels: what stands for each class."""
    for name, arrays in zip(("images", "masks"), squares_and_discs(count, side, seed), strict=True):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number, array in enumerate(arrays):
            shown = np.array(levels, np.uint8)[array] if name == "masks" else array[..., 0]
            Image.fromarray(shown).save(folder / name / f"{number}.png")
    return folder
