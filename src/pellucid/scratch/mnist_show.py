"""Chapter 3's look at a digit."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["img_show"]


def img_show(img: Any) -> None:
    """Shows a picture by Pillow.

    Shapes: img (H,W) or (H,W,3).
    Units: 0 black to 255 white.
    """
    from PIL import Image

    Image.fromarray(np.uint8(img)).show()
