"""Rules about pictures and labels, judged once, before the first step."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid._numbers import percent
from pellucid.layers import BatchNorm
from pellucid.train.doctor.chart import Chart, Finding
from pellucid.train.doctor.duplicates import shared_rows

LARGE = 10.0
"""Root mean square of what the network gets. Pictures from 0 to 1 have up to 1, standardised ones 1; pictures from 0 to
255 have 25 and more, even where all but one pixel in a hundred is black."""

SMALL = 0.01
"""MNIST from 0 to 1, most of it black, has 0.33; divided by 255 a second time, 0.0013."""

IMBALANCE = 10.0
"""How many times as many pictures the most frequent class has as the rarest. From 10 to 1 on He and Garcia 2009 call
data imbalanced; sets made for learning stay below 2, and a folder of a few dozen pictures reaches 5 by chance."""

SHARED = 0.01
"""Share of the held-out pictures that are training pictures too. One per cent moves an accuracy by up to that much;
fewer change nothing that is read off the result. MNIST, CIFAR-10 and the digits in this package share none."""


def pictures_not_scaled(chart: Chart) -> Finding | None:
    """Values far from 1: gradients of the first layer grow with them, and sigmoids saturate.

    A network that begins with batch norm scales for itself. How uint8 pictures are scaled is in the model, and may be
    what its weights were trained with: those are judged for too small values alone.
    """
    x = chart.probes
    finite = x[np.isfinite(x)]
    if not finite.size or isinstance(chart.model.layers[0], BatchNorm):
        return None
    size = float(np.sqrt(np.mean(np.square(finite, dtype=np.float64))))
    values = {"low": f"{finite.min():.4g}", "high": f"{finite.max():.4g}"}
    if size > LARGE and chart.examples.images.dtype != np.uint8:
        return Finding("pictures-not-scaled", values)
    if 0 < size < SMALL:
        return Finding("pictures-not-scaled.small", values)
    return None


def held_out_scale(chart: Chart) -> Finding | None:
    """Held-out pictures that reach the network many times larger or smaller than those it learns from."""
    if chart.validation is None:
        return None
    images = chart.validation.images
    count = min(len(chart.probes), len(images))
    held = chart.model.scaled(images[np.arange(count, dtype=np.int64) * len(images) // count])
    sizes = [float(np.sqrt(np.mean(np.square(x[np.isfinite(x)], dtype=np.float64)))) for x in (chart.probes, held)]
    if not min(sizes) > 0 or max(sizes) < LARGE * min(sizes):
        return None
    values = {"low": f"{held.min():.4g}", "high": f"{held.max():.4g}"}
    own = {"train_low": f"{chart.probes.min():.4g}", "train_high": f"{chart.probes.max():.4g}"}
    return Finding("held-out-scale", {**values, **own})


def labels(chart: Chart) -> Finding | None:
    """Labels that teach nothing, or that leave the first class empty because somebody counted from 1.

    Labels beyond the classes are an error before training starts.
    """
    targets, counts = chart.examples.targets, chart.class_counts
    # The first few tell most sets apart from such a one without a pass over all.
    if len(targets) > 1 and all(bool((part == targets[0]).all()) for part in (targets[:100], targets)):
        what = np.array2string(np.asarray(targets[0]), precision=3, threshold=8, edgeitems=3)
        return Finding("labels.constant", {"count": f"{len(targets):,}", "label": what})
    if counts is not None and len(counts) > 2 and counts[0] == 0 and bool((counts[1:] > 0).all()):
        return Finding("labels.from-one", {"last": str(len(counts) - 1)})
    return None


def class_imbalance(chart: Chart) -> Finding | None:
    """One class much more frequent than another, and no weights that say so."""
    counts = chart.class_counts
    if counts is None or chart.examples.weights is not None or np.count_nonzero(counts) < 2:
        return None
    common, rare = int(counts.argmax()), int(np.where(counts > 0, counts, counts.max()).argmin())
    if counts[common] < IMBALANCE * counts[rare]:
        return None
    return Finding(
        "class-imbalance",
        {
            "common": chart.class_name(common),
            "rare": chart.class_name(rare),
            "many": f"{counts[common]:,}",
            "few": f"{counts[rare]:,}",
            "share": percent(counts[common] / counts.sum(), 0, "%"),
        },
    )


def overlap(chart: Chart) -> Finding | None:
    """Held-out pictures that were trained on, to the last bit: the result then measures memory.

    Pictures that would be decoded anew for this are not compared.
    """
    images = chart.examples.images
    held = None if chart.validation is None else chart.validation.images
    for part, sentence in ((held, "overlap"), (chart.test, "overlap.test")):
        if part is None or not all(
            isinstance(one, np.ndarray) or getattr(one, "cached", False) for one in (images, part)
        ):
            continue
        shared = shared_rows(images, part)
        if shared and len(shared) >= SHARED * len(part):
            first, second = shared[0]
            return Finding(
                sentence,
                {
                    "count": f"{len(shared):,}",
                    "total": f"{len(part):,}",
                    "share": percent(len(shared) / len(part), 0, "%"),
                    "held": _called(part, second),
                    "train": _called(images, first),
                },
            )
    return None


def _called(images: Any, row: int) -> str:
    """A picture's file where it has one, else its number."""
    return str(images.name(row)) if hasattr(images, "name") else str(row)
