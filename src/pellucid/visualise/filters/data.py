"""Kernels of a convolution in one array of greys or colours, and in an order."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import ConfigError, ShapeError, unknown_name
from pellucid.ops.geometry import expect_numbers, whole
from pellucid.visualise.drawing.figure import MAX_DRAWN

Array = NDArray[Any]
SCALES = ("common", "each")
COLUMN_COUNTS = (1, 16)
MAX_SLICES = 32
SORTS = {"norm": ", the largest first", "similarity": ", alike ones side by side"}
"""Orders of filters, and what a title says of them."""


def filter_grid(
    kernel: Array, *, scale: str = "common", columns: int | None = None, limit: float | None = None, zoom: int = 1
) -> Array:
    """Kernels side by side in one picture: value = 0.5 + w / (2 * limit), so that a weight of zero is mid-grey.

    One and three input channels are drawn as grey and colour pictures, in rows of `columns`. Deeper kernels become a
    grid of grey slices: one row a filter, one column an input channel (the first 32 of each).
    Every weight takes zoom x zoom pixels, the lines between kernels always one.
    "common" takes limit = max |w| over all kernels (or the `limit` given), "each" takes it over each filter.

    Shapes: kernel (KH,KW,C,O) -> (rows*(zoom*KH+1)-1, columns*(zoom*KW+1)-1), and three values each if C == 3; the
        lines between kernels are NaN.
    Errors: ShapeError if the kernel has not four axes or is empty; ConfigError for an unknown scale, and for columns
        or zoom below 1.
    """
    kernel = check_kernel(kernel, scale)
    channels, filters = kernel.shape[2:]
    if scale == "each":
        limits = np.abs(kernel).max(axis=(0, 1, 2))
    else:
        limits = np.full(filters, np.abs(kernel).max() if limit is None else limit)
    zoom, columns = whole(zoom, "zoom", MAX_DRAWN), None if columns is None else whole(columns, "columns", MAX_DRAWN)
    expect_numbers((*kernel.shape, zoom, zoom), "the drawing")
    values = (0.5 + kernel / np.where(limits > 0, 2 * limits, 1)).repeat(zoom, axis=0).repeat(zoom, axis=1)
    height, width = values.shape[:2]
    if channels in (1, 3):
        across = default_columns(filters) if columns is None else columns
        cells = [values[:, :, :, index] for index in range(filters)]
    else:
        rows, across = min(filters, MAX_SLICES), min(channels, MAX_SLICES)
        cells = [values[:, :, c : c + 1, o] for o in range(rows) for c in range(across)]
    down = -(-len(cells) // across)
    grid = np.full((down * (height + 1) - 1, across * (width + 1) - 1, cells[0].shape[2]), np.nan, np.float32)
    for index, cell in enumerate(cells):
        top, left = index // across * (height + 1), index % across * (width + 1)
        grid[top : top + height, left : left + width] = cell
    return grid if channels == 3 else grid[:, :, 0]


def filter_order(kernel: Array, sort: str = "norm") -> Array:
    """The filters' numbers in another order.

    "norm": by the root of the sum of their squared weights, the largest first. "similarity": the largest first, and
    then each time the one most like the last (the largest cosine of the angle between their weights), so that filters
    for the same edge stand side by side. Equal ones keep their order.
    Shapes: kernel (KH,KW,C,O) -> (O,).
    Errors: ShapeError as filter_grid; ConfigError for an unknown order.
    Source: the norm as a measure of what a filter matters is Li et al. 2017's, section 3.1, with squares for sizes.
    """
    kernel = check_kernel(kernel, SCALES[0])
    if sort not in SORTS:
        raise unknown_name("order of filters", sort, SORTS)
    flat = kernel.reshape(-1, kernel.shape[3]).T.astype(np.float64)
    norms = np.sqrt(np.square(flat).sum(axis=1))
    if sort == "norm":
        return np.argsort(-norms, kind="stable")
    alike = flat @ flat.T / np.maximum(np.outer(norms, norms), 1e-300)
    order = [int(norms.argmax())]
    while len(order) < len(flat):
        alike[:, order[-1]] = -np.inf  # taken
        order.append(int(alike[order[-1]].argmax()))
    return np.array(order)


def default_columns(filters: int) -> int:
    """How many kernels stand in a row: few empty cells first, then a picture about 1.5 times as wide as high."""

    def cost(columns: int) -> tuple[int, float]:
        rows = -(-filters // columns)
        return rows * columns - filters, abs(np.log(columns / rows / 1.5))

    least, most = COLUMN_COUNTS
    wide_enough = max(least, int(np.sqrt(filters)))
    return min(range(wide_enough, max(most, 2 * wide_enough) + 1), key=cost) if filters > most // 2 else filters


def check_kernel(kernel: Array, scale: str) -> Array:
    kernel = np.asarray(kernel)
    if kernel.ndim != 4 or 0 in kernel.shape:
        raise ShapeError(f"kernels to draw: expected four axes (KH,KW,C,O), none empty, got shape {kernel.shape}")
    if scale not in SCALES:
        raise ConfigError(f"scale must be one of {', '.join(SCALES)}, got {scale!r}")
    return kernel
