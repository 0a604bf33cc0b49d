"""Filters drawn as the book's programs draw them."""

from __future__ import annotations

import numpy as np

from pellucid.errors import ConfigError, ShapeError
from pellucid.ops import Array

__all__ = ["filter_show"]

_DPI = 100


def filter_show(filters: Array, nx: int = 8, margin: int = 3, scale: int = 10) -> None:
    """Shows the first channel of each filter as a grey picture, nx in a row: its smallest weight black, its largest
    white. The book's own ignores margin and scale.

    Draws a new figure of Matplotlib's pyplot and shows it. For all channels, one scale, or a file:
    `pellucid.visualise.filters_figure`.

    Shapes: filters (FN,C,FH,FW).
    Units: scale pixels a weight, margin pixels between filters.
    Errors: ShapeError unless filters have four axes; ConfigError if nx or scale is below 1, or margin negative.
    """
    filters = np.asarray(filters)
    if filters.ndim != 4 or 0 in filters.shape:
        raise ShapeError(f"filter_show: filters must be (FN, C, FH, FW), none empty, got shape {filters.shape}")
    if nx < 1 or scale < 1 or margin < 0:
        raise ConfigError(
            f"filter_show: nx and scale must be at least 1 and margin 0, got nx {nx}, margin {margin}, scale {scale}"
        )
    import matplotlib.pyplot as plt

    number, _, height, width = filters.shape
    ny = -(-number // nx)
    cell_w, cell_h = width * scale + margin, height * scale + margin
    total_w, total_h = nx * cell_w + margin, ny * cell_h + margin
    figure = plt.figure(figsize=(total_w / _DPI, total_h / _DPI), dpi=_DPI)
    for index, kernel in enumerate(filters[:, 0]):
        row, column = divmod(index, nx)
        left, top = margin + column * cell_w, margin + row * cell_h
        bottom = total_h - top - height * scale
        place = np.array([left, bottom, width * scale, height * scale]) / [total_w, total_h, total_w, total_h]
        axes = figure.add_axes(tuple(place), xticks=[], yticks=[])
        axes.imshow(kernel, cmap="gray", interpolation="nearest")
    plt.show()
