"""Picture files for the tests of folders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def write(path: Path, *, size=(40, 30), colour=(200, 30, 60), mode="RGB", seed=None, **options):
    """A picture of size (W, H), of one colour or of noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if seed is None:
        image = Image.new("RGB", size, colour)
    else:
        noise = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        image = Image.fromarray(noise)
    image.convert(mode).save(path, **options)
    return path


def write_pets(root: Path) -> Path:
    """Two classes, 10 cats and 20 dogs, colours that tell which picture it is."""
    for name, count in (("cat", 10), ("dog", 20)):
        for number in range(count):
            write(root / name / f"{number:02}.png", colour=(number, 100, 200 if name == "cat" else 50))
    return root
