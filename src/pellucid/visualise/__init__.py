"""Pictures of what a network does: plain data first (`filter_grid`, `read_log`), then figures (`*_figure`).

`filters.py` draws kernels, `features.py` the maps of a picture, `small_grid.py` those of one convolution,
`dissection.py` takes one number apart, `histograms.py` says how numbers are spread, `curves.py` draws the log
of a run, `figure.py` makes and writes figures. `attribution.py`
asks which pixels a class depends on, and `attention.py` draws that; `excitation.py` finds and makes the pictures that
excite a filter, `excitement.py` draws them, `views.py` says which pixels a unit sees; `judgement.py` draws how well
classes are told apart; `answers.py` reads what a network answers.
`sliding.py` takes a kernel over a picture place by place and `shifting.py` moves the picture itself; they are drawn
by `sliding_figure.py` and `shifting_figure.py`, and `animation.py` writes GIFs.
`architecture.py` draws the network itself (with `canvas.py`, `stages.py`, `blocks.py`, `nodes.py`), and `fonts.py`
keeps Korean words readable.
Matplotlib is imported when the first figure is made, never before, and pyplot's global state is never touched.
"""

from __future__ import annotations

from pellucid.visualise.animation import Animation, write_gif
from pellucid.visualise.answers import probabilities
from pellucid.visualise.architecture import architecture_figure, architecture_svg, architecture_text
from pellucid.visualise.attention import attention_figure
from pellucid.visualise.attribution import default_layer, grad_cam, input_gradient, occlusion, saliency
from pellucid.visualise.curves import Log, accuracy_figure, curves_figure, held_name, read_log
from pellucid.visualise.dissection import Dissection, dissect
from pellucid.visualise.dissection_figure import dissect_figure, draw_dissection
from pellucid.visualise.excitation import Found, ascend, top_pictures
from pellucid.visualise.excitement import depth_figure, excitation_figure, found_figure, made_figure
from pellucid.visualise.features import Features, feature_grid, feature_maps, importance
from pellucid.visualise.features_figure import features_figure
from pellucid.visualise.figure import write_figure
from pellucid.visualise.filters import filter_grid, filter_order, filters_figure
from pellucid.visualise.histograms import Histogram, layer_histograms, read_snapshots, unit_states
from pellucid.visualise.histograms_figure import histograms_figure, ridges_figure
from pellucid.visualise.judgement import confusion_figure, mistakes_figure, reliability_figure
from pellucid.visualise.shifting import ShiftFrame, shift, shift_path
from pellucid.visualise.shifting_figure import shift_animation
from pellucid.visualise.sliding import Slide, SlideFrame, kernel_network, slide, slide_places
from pellucid.visualise.sliding_figure import slide_animation
from pellucid.visualise.small_grid import chained_panels, channel_panels, small_grid

__all__ = [
    "Animation",
    "Dissection",
    "Features",
    "Found",
    "Histogram",
    "Log",
    "ShiftFrame",
    "Slide",
    "SlideFrame",
    "accuracy_figure",
    "architecture_figure",
    "architecture_svg",
    "architecture_text",
    "ascend",
    "attention_figure",
    "chained_panels",
    "channel_panels",
    "confusion_figure",
    "curves_figure",
    "default_layer",
    "depth_figure",
    "dissect",
    "dissect_figure",
    "draw_dissection",
    "excitation_figure",
    "feature_grid",
    "feature_maps",
    "features_figure",
    "filter_grid",
    "filter_order",
    "filters_figure",
    "found_figure",
    "grad_cam",
    "held_name",
    "histograms_figure",
    "importance",
    "input_gradient",
    "kernel_network",
    "layer_histograms",
    "made_figure",
    "mistakes_figure",
    "occlusion",
    "probabilities",
    "read_log",
    "read_snapshots",
    "reliability_figure",
    "ridges_figure",
    "saliency",
    "shift",
    "shift_animation",
    "shift_path",
    "slide",
    "slide_animation",
    "slide_places",
    "small_grid",
    "top_pictures",
    "unit_states",
    "write_figure",
    "write_gif",
]
