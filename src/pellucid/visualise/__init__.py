"""Pictures of what a network does: a folder a picture, in it `data.py` (numbers first) and `figure.py` (drawn second).

`drawing/` is what all of them are drawn with, `answers.py` what a network answers.
Matplotlib is imported when the first figure is made, never before, and pyplot's global state is never touched.
"""

from __future__ import annotations

from pellucid.visualise.answers import probabilities
from pellucid.visualise.architecture.figure import architecture_figure, architecture_svg, architecture_text
from pellucid.visualise.attribution.data import default_layer, grad_cam, input_gradient, occlusion, saliency
from pellucid.visualise.attribution.figure import attention_figure
from pellucid.visualise.curves.data import Log, held_name, read_log
from pellucid.visualise.curves.figure import accuracy_figure, curves_figure
from pellucid.visualise.dissection.data import Dissection, dissect
from pellucid.visualise.dissection.figure import dissect_figure, draw_dissection
from pellucid.visualise.drawing.animation import Animation, write_gif
from pellucid.visualise.drawing.figure import write_figure
from pellucid.visualise.drawing.small_grid import chained_panels, channel_panels, small_grid
from pellucid.visualise.excitation.data import Found, ascend, top_pictures
from pellucid.visualise.excitation.figure import depth_figure, excitation_figure, found_figure, made_figure
from pellucid.visualise.features.data import Features, feature_grid, feature_maps, importance
from pellucid.visualise.features.figure import features_figure
from pellucid.visualise.filters.data import filter_grid, filter_order
from pellucid.visualise.filters.figure import filters_figure
from pellucid.visualise.histograms.data import Histogram, layer_histograms, read_snapshots, unit_states
from pellucid.visualise.histograms.figure import histograms_figure, ridges_figure
from pellucid.visualise.judgement.figure import confusion_figure, mistakes_figure, reliability_figure
from pellucid.visualise.shifting.data import ShiftFrame, shift, shift_path
from pellucid.visualise.shifting.figure import shift_animation
from pellucid.visualise.sliding.data import Slide, SlideFrame, kernel_network, slide, slide_places
from pellucid.visualise.sliding.figure import slide_animation

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
