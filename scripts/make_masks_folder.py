"""Make a folder of pictures with masks whose truth is known: digits of MNIST on clutter.

    python scripts/make_masks_folder.py FOLDER --train 2000 --test 400

FOLDER/train/images and FOLDER/train/masks, and the same in test: pictures in grey in which two to four digits, larger
or smaller, lie among strokes and pieces of other digits; a mask is 0 where there is none and 1 to 10 on the pixels of
the digits 0 to 9. classes.txt names them. test has digits of MNIST's test part alone.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from pellucid import datasets
from pellucid.ops import Array

INK = 96
"""From this level on a digit's pixel is of its class."""
LEAST_SHOWN = 20
"""Pixels of a digit that must lie on free ground."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--train", type=int, default=2000, help="pictures to learn from")
    parser.add_argument("--test", type=int, default=400, help="pictures to judge by")
    parser.add_argument("--side", type=int, default=64, help="of a picture, in pixels")
    parser.add_argument("--data", default="mnist", help="whose digits: mnist, or digits (8 x 8, in the package)")
    options = parser.parse_args()
    found = datasets.load(options.data)
    for part, split, count in (("train", found.train, options.train), ("test", found.test, options.test)):
        folders = [options.folder / part / side for side in ("images", "masks")]
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(count)
        for number in range(count):
            for folder, levels in zip(folders, drawn(split.images, split.labels, options.side, rng), strict=True):
                Image.fromarray(levels).save(folder / f"{number:05d}.png")
    names = ["background", *(f"digit {digit}" for digit in range(10))]
    (options.folder / "classes.txt").write_text("\n".join(names) + "\n", encoding="utf-8")


def drawn(images: Array, labels: Array, side: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """A picture and its mask. Shapes: (side,side) uint8 each."""
    picture, mask = clutter(images, side, rng), np.zeros((side, side), np.uint8)
    for _ in range(rng.integers(2, 5)):
        row = int(rng.integers(len(images)))
        digit = enlarged(images[row, ..., 0], int(rng.integers(round(side * 0.3), round(side * 0.5) + 1)))
        top, left = rng.integers(0, side - np.array(digit.shape) + 1)
        place = slice(top, top + len(digit)), slice(left, left + digit.shape[1])
        own = digit >= INK
        if (mask[place][own] > 0).any() or own.sum() < LEAST_SHOWN:  # no digit over another one
            continue
        picture[place] = np.maximum(picture[place], digit * rng.uniform(0.8, 1))
        mask[place][own] = labels[row] + 1
    noisy = picture + rng.normal(0, 10, picture.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8), mask


def clutter(images: Array, side: int, rng: np.random.Generator) -> Array:
    """An uneven ground with straight strokes, dimmer than digits, and torn pieces of digits. Shapes: (side,side)."""
    down, right = np.mgrid[0:side, 0:side] / side
    ground = 40 * rng.random() + 40 * (rng.uniform(-1, 1) * down + rng.uniform(-1, 1) * right)
    for _ in range(6):
        angle, offset = rng.uniform(0, np.pi), rng.uniform(-0.2, 1.2)
        far = np.abs(np.cos(angle) * right + np.sin(angle) * down - offset) * side
        ground = np.maximum(ground, rng.uniform(60, 150) * (far < rng.uniform(0.5, 1.5)))
    for _ in range(8):
        piece = enlarged(images[int(rng.integers(len(images))), ..., 0], round(side * 0.4))
        size = max(side // 10, 2)
        top, left = rng.integers(0, np.array(piece.shape) - size + 1)
        there = rng.integers(0, side - size + 1, 2)
        place = slice(there[0], there[0] + size), slice(there[1], there[1] + size)
        ground[place] = np.maximum(ground[place], piece[top : top + size, left : left + size])
    return ground


def enlarged(levels: Array, side: int) -> Array:
    """A square picture at another size. Shapes: (H,W) uint8 -> (side,side)."""
    return np.asarray(Image.fromarray(levels).resize((side, side), Image.Resampling.BILINEAR))


if __name__ == "__main__":
    main()
