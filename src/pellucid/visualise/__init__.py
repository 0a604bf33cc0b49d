"""Pictures of what a network does: each is a module, or a folder where it is long, with its numbers first and then
their drawing.

`drawing/` is what all of them are drawn with, `answers.py` what a network answers.
Matplotlib is imported when the first figure is made, never before, and pyplot's global state is never touched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pellucid.visualise.answers import probabilities as probabilities
from pellucid.visualise.architecture.figure import architecture_figure as architecture_figure
from pellucid.visualise.architecture.figure import architecture_svg as architecture_svg
from pellucid.visualise.architecture.figure import architecture_text as architecture_text
from pellucid.visualise.attribution.data import default_layer as default_layer
from pellucid.visualise.attribution.data import grad_cam as grad_cam
from pellucid.visualise.attribution.data import input_gradient as input_gradient
from pellucid.visualise.attribution.data import occlusion as occlusion
from pellucid.visualise.attribution.data import saliency as saliency
from pellucid.visualise.attribution.figure import attention_figure as attention_figure
from pellucid.visualise.augmentation import augmentation_figure as augmentation_figure
from pellucid.visualise.augmentation import augmented as augmented
from pellucid.visualise.curves import Log as Log
from pellucid.visualise.curves import accuracy_figure as accuracy_figure
from pellucid.visualise.curves import curves_figure as curves_figure
from pellucid.visualise.curves import held_name as held_name
from pellucid.visualise.curves import read_log as read_log
from pellucid.visualise.dissection.backward import draw_gradient as draw_gradient
from pellucid.visualise.dissection.data import Dissection as Dissection
from pellucid.visualise.dissection.data import dissect as dissect
from pellucid.visualise.dissection.figure import draw_dissection as draw_dissection
from pellucid.visualise.dissection.gradient import dissect_gradient as dissect_gradient
from pellucid.visualise.dissection.show import dissect_figure as dissect_figure
from pellucid.visualise.dissection.show import gradient_figure as gradient_figure
from pellucid.visualise.dissection.terms import GradientDissection as GradientDissection
from pellucid.visualise.dissection.update import UpdateDissection as UpdateDissection
from pellucid.visualise.dissection.update import dissect_update as dissect_update
from pellucid.visualise.dissection.weight import dissect_weight as dissect_weight
from pellucid.visualise.drawing.animation import Animation as Animation
from pellucid.visualise.drawing.animation import write_gif as write_gif
from pellucid.visualise.drawing.figure import write_figure as write_figure
from pellucid.visualise.drawing.small_grid import chained_panels as chained_panels
from pellucid.visualise.drawing.small_grid import channel_panels as channel_panels
from pellucid.visualise.drawing.small_grid import small_grid as small_grid
from pellucid.visualise.excitation.data import Found as Found
from pellucid.visualise.excitation.data import ascend as ascend
from pellucid.visualise.excitation.data import top_pictures as top_pictures
from pellucid.visualise.excitation.figure import depth_figure as depth_figure
from pellucid.visualise.excitation.figure import excitation_figure as excitation_figure
from pellucid.visualise.excitation.figure import found_figure as found_figure
from pellucid.visualise.excitation.figure import made_figure as made_figure
from pellucid.visualise.excitation.texture import textures as textures
from pellucid.visualise.features.data import Features as Features
from pellucid.visualise.features.data import feature_grid as feature_grid
from pellucid.visualise.features.data import feature_maps as feature_maps
from pellucid.visualise.features.data import importance as importance
from pellucid.visualise.features.figure import features_figure as features_figure
from pellucid.visualise.filters import filter_grid as filter_grid
from pellucid.visualise.filters import filter_order as filter_order
from pellucid.visualise.filters import filters_figure as filters_figure
from pellucid.visualise.histograms.data import Histogram as Histogram
from pellucid.visualise.histograms.data import layer_histograms as layer_histograms
from pellucid.visualise.histograms.data import read_snapshots as read_snapshots
from pellucid.visualise.histograms.data import unit_states as unit_states
from pellucid.visualise.histograms.figure import histograms_figure as histograms_figure
from pellucid.visualise.histograms.figure import ridges_figure as ridges_figure
from pellucid.visualise.judgement import confusion_figure as confusion_figure
from pellucid.visualise.judgement import reliability_figure as reliability_figure
from pellucid.visualise.masks import masks_figure as masks_figure
from pellucid.visualise.masks import masks_of as masks_of
from pellucid.visualise.masks import overlay as overlay
from pellucid.visualise.mistakes import mistakes_figure as mistakes_figure
from pellucid.visualise.shifting import ShiftFrame as ShiftFrame
from pellucid.visualise.shifting import shift as shift
from pellucid.visualise.shifting import shift_animation as shift_animation
from pellucid.visualise.shifting import shift_path as shift_path
from pellucid.visualise.sliding.data import Slide as Slide
from pellucid.visualise.sliding.data import SlideFrame as SlideFrame
from pellucid.visualise.sliding.data import kernel_network as kernel_network
from pellucid.visualise.sliding.data import slide as slide
from pellucid.visualise.sliding.data import slide_places as slide_places
from pellucid.visualise.sliding.figure import slide_animation as slide_animation

if not TYPE_CHECKING:  # which sees what is imported "as" itself
    __all__ = [name for name in dir() if callable(globals()[name])]
