"""Pictures of what a network does: plain data first (`filter_grid`, `read_log`), then figures (`*_figure`).

`filters.py` draws kernels, `features.py` the maps of a picture, `small_grid.py` those of one convolution,
`dissection.py` how one number comes about, `histograms.py` how numbers are spread, `curves.py` the log of a run;
`figure.py` makes and writes figures.
Matplotlib is imported when the first figure is made, never before, and pyplot's global state is never touched.
"""

from __future__ import annotations

from pellucid.visualise.curves import Log, curves_figure, read_log
from pellucid.visualise.dissection import Dissection, dissect
from pellucid.visualise.dissection_figure import dissect_figure, draw_dissection
from pellucid.visualise.features import Features, feature_grid, feature_maps, importance
from pellucid.visualise.features_figure import features_figure
from pellucid.visualise.figure import write_figure
from pellucid.visualise.filters import filter_grid, filters_figure
from pellucid.visualise.histograms import Histogram, layer_histograms, read_snapshots, unit_states
from pellucid.visualise.histograms_figure import histograms_figure, ridges_figure
from pellucid.visualise.small_grid import chained_panels, channel_panels, small_grid

__all__ = [
    "Dissection",
    "Features",
    "Histogram",
    "Log",
    "chained_panels",
    "channel_panels",
    "curves_figure",
    "dissect",
    "dissect_figure",
    "draw_dissection",
    "feature_grid",
    "feature_maps",
    "features_figure",
    "filter_grid",
    "filters_figure",
    "histograms_figure",
    "importance",
    "layer_histograms",
    "read_log",
    "read_snapshots",
    "ridges_figure",
    "small_grid",
    "unit_states",
    "write_figure",
]
