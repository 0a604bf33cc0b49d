"""The pictures that there are, in the order in which `pellucid show --help` lists them."""

from __future__ import annotations

from pellucid.visualise.architecture.figure import show_architecture
from pellucid.visualise.attribution.figure import show_attribution
from pellucid.visualise.augmentation import show_augment
from pellucid.visualise.curves import show_curves
from pellucid.visualise.dissection.show import show_arithmetic
from pellucid.visualise.excitation.figure import show_excite
from pellucid.visualise.features.figure import show_features
from pellucid.visualise.filters import show_filters
from pellucid.visualise.histograms.figure import show_histograms
from pellucid.visualise.judgement import show_calibration, show_confusion
from pellucid.visualise.masks import show_masks
from pellucid.visualise.mistakes import show_mistakes
from pellucid.visualise.precision_recall import show_precision_recall
from pellucid.visualise.shifting import show_shift
from pellucid.visualise.sliding.figure import show_slide

PICTURES = (
    show_features,
    show_arithmetic,
    show_histograms,
    show_attribution,
    show_excite,
    show_confusion,
    show_calibration,
    show_precision_recall,
    show_mistakes,
    show_masks,
    show_slide,
    show_shift,
    show_filters,
    show_architecture,
    show_curves,
    show_augment,
)
