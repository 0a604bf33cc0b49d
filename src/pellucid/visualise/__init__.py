"""Pictures of what a network does: plain data first (`filter_grid`, `read_log`), then figures (`*_figure`).

`filters.py` draws kernels, `curves.py` draws the log of a run, `figure.py` makes and writes figures.
Matplotlib is imported when the first figure is made, never before, and pyplot's global state is never touched.
"""

from __future__ import annotations

from pellucid.visualise.curves import Log, curves_figure, read_log
from pellucid.visualise.figure import write_figure
from pellucid.visualise.filters import filter_grid, filters_figure

__all__ = ["Log", "curves_figure", "filter_grid", "filters_figure", "read_log", "write_figure"]
