"""Light pictures given to a network that learned on dark backgrounds, and the other way round."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid.model.inputs import input_range

DARK, LIGHT = 64, 192

NUM_LOOKED_AT = 256
"""Pictures whose borders are looked at."""


def border_mean(images: NDArray[Any]) -> float:
    """The mean over the outermost ring of pixels. Shapes: images (N,H,W,C), values 0 to 255."""
    edges = (images[:, 0], images[:, -1], images[:, 1:-1, 0], images[:, 1:-1, -1])
    return float(np.concatenate([edge.ravel() for edge in edges]).mean())


def facts_of_pictures(images: Any) -> dict[str, Any]:
    """What a model keeps of the pictures it learned from: the range of floats, the border's mean of levels (0 to 255).

    Shapes: images (N,H,W,C), or (N,L,C), which have no border.
    """
    facts: dict[str, Any] = {"range": input_range(images)}
    if images.dtype == np.uint8 and len(images.shape) == 4:
        facts["background"] = border_mean(images[:NUM_LOOKED_AT])
    return facts


def looks_inverted(picture: NDArray[np.uint8], background: object) -> bool:
    """Whether a grey picture (H,W,1) has a light border and the network learned on dark ones, or the reverse."""
    if picture.shape[-1] != 1 or not isinstance(background, int | float):
        return False
    border = border_mean(picture[None])
    return (border > LIGHT and background < DARK) or (border < DARK and background > LIGHT)
