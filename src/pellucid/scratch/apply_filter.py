"""Filters drawn as chapter 7's program apply_filter draws them."""

from __future__ import annotations

import numpy as np

from pellucid.ops import Array
from pellucid.scratch import filters as drawn

__all__ = ["filter_show"]


def filter_show(filters: Array, nx: int = 4, show_num: int = 16) -> None:
    """Shows the first show_num filters, or all where there are fewer, nx in a row.

    Shapes: filters (FN,C,FH,FW).
    Errors: as `filters.filter_show`.
    """
    drawn.filter_show(np.asarray(filters)[:show_num], nx)
