"""Pictures of what a network does: plain data first (`filter_grid`, `read_log`), then figures (`*_figure`).

`filters.py` draws kernels, `curves.py` draws the log of a run, `figure.py` makes and writes figures. `attribution.py`
asks which pixels a class depends on, and `attention.py` draws that; `excitation.py` finds and makes the pictures that
excite a filter, `excitement.py` draws them, `views.py` says which pixels a unit sees; `judgement.py` draws how well
classes are told apart; `answers.py` reads what a network answers.
Matplotlib is imported when the first figure is made, never before, and pyplot's global state is never touched.
"""

from __future__ import annotations

from pellucid.visualise.answers import probabilities
from pellucid.visualise.attention import attention_figure
from pellucid.visualise.attribution import default_layer, grad_cam, input_gradient, occlusion, saliency
from pellucid.visualise.curves import Log, curves_figure, read_log
from pellucid.visualise.excitation import Found, ascend, top_pictures
from pellucid.visualise.excitement import depth_figure, excitation_figure, found_figure, made_figure
from pellucid.visualise.figure import write_figure
from pellucid.visualise.filters import filter_grid, filters_figure
from pellucid.visualise.judgement import confusion_figure, mistakes_figure, reliability_figure

__all__ = [
    "Found",
    "Log",
    "ascend",
    "attention_figure",
    "confusion_figure",
    "curves_figure",
    "default_layer",
    "depth_figure",
    "excitation_figure",
    "filter_grid",
    "filters_figure",
    "found_figure",
    "grad_cam",
    "input_gradient",
    "made_figure",
    "mistakes_figure",
    "occlusion",
    "probabilities",
    "read_log",
    "reliability_figure",
    "saliency",
    "top_pictures",
    "write_figure",
]
