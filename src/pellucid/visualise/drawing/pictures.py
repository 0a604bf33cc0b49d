"""A picture as it is shown: values from 0 to 1, no ticks, its title above it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.ops import Array
from pellucid.visualise.drawing.figure import INK
from pellucid.visualise.drawing.panels import bare

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def as_shown(picture: Any) -> Array:
    """A picture as Matplotlib draws it: values from 0 to 1, grey without the channel axis.

    Floats beyond 0 to 1 are stretched from their least to their largest value; of other than 1 or 3 channels, the mean
    is shown.
    Shapes: (H,W,C) or (H,W) -> (H,W) or (H,W,3).
    """
    array = np.asarray(picture)
    values = array / 255 if array.dtype == np.uint8 else array.astype(np.float64)
    if values.size and (values.min() < 0 or values.max() > 1):
        low, high = values.min(), values.max()
        values = (values - low) / (high - low if high > low else 1)
    if values.ndim == 3 and values.shape[2] != 3:
        values = values.mean(axis=2)
    return values


def show_picture(axes: Axes, picture: Any, title: str = "", *, fontsize: float = 9) -> None:
    """A picture without ticks, its title above it."""
    axes.imshow(as_shown(picture), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes.set_title(title, fontsize=fontsize, color=INK)
    bare(axes)
