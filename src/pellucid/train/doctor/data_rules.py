"""Rules about pictures and labels, judged once, before the first step."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pellucid._numbers import percent
from pellucid.losses import MeanAbsoluteError, MeanSquaredError
from pellucid.train.doctor.chart import Chart, Finding, class_counts
from pellucid.train.doctor.duplicates import shared_rows
from pellucid.train.doctor.looks import last_activation

LARGE = 10.0
"""Root mean square of what the network gets. Pictures from 0 to 1 have up to 1, standardised ones 1; pictures from 0 to
255 have 25 and more, even where all but one pixel in a hundred is black."""

SMALL = 0.01
"""MNIST from 0 to 1, most of it black, has 0.33; divided by 255 a second time, 0.0013."""

APART = 0.4
"""How far the ends of what pictures hold, but for a hundredth on either side, lie apart in two sets, as a share of the
wider range. From 0 to 1 against -1 to 1 it is 0.5; halves of a set of photographs stay below 0.1."""

MIN_COMPARED = 20
"""Of fewer pictures, ends and shares are chance."""

OTHER_SHARES = 0.5
"""Share of held-out pictures that would have to change their class for the shares of training pictures. Random parts of
one set have 0.1."""

REACH = {"softmax": (0.0, 1.0), "sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0), "relu": (0.0, math.inf)}
"""What an activation can give."""

IN_ORDER = 0.75
"""How far from random order to classes one after another, by how often neighbours have the same label."""

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
    if not finite.size or chart.model.flat_layers[0].role == "batch norm":
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
    own, held = (chart.sampled_values(part.images) for part in (chart.examples, chart.validation))
    if not own.size or not held.size:
        return None
    sizes = [float(np.sqrt(np.mean(np.square(x, dtype=np.float64)))) for x in (own, held)]
    other_size = min(sizes) > 0 and max(sizes) >= LARGE * min(sizes)
    ends = np.percentile(own, (1, 99)), np.percentile(held, (1, 99))
    width = max(float(high - low) for low, high in ends)
    decoded = not all(isinstance(part.images, np.ndarray) for part in (chart.examples, chart.validation))
    few = decoded or min(len(chart.examples), len(chart.validation)) < MIN_COMPARED
    if not other_size and (few or not float(np.abs(ends[0] - ends[1]).max()) > APART * width):
        return None
    values = {"low": f"{held.min():.4g}", "high": f"{held.max():.4g}"}
    return Finding("held-out-scale", {**values, "train_low": f"{own.min():.4g}", "train_high": f"{own.max():.4g}"})


def held_out_classes(chart: Chart) -> Finding | None:
    """Held-out pictures of other classes than those it learns from, or of the same in quite other shares."""
    counts = chart.class_counts
    held = None if chart.validation is None else class_counts(chart.model, chart.validation)
    if counts is None or held is None or min(counts.sum(), held.sum()) < MIN_COMPARED:
        return None
    shares, own = held / held.sum(), counts / counts.sum()
    gaps = np.where(counts == 0, shares, 0.0)
    if gaps.sum() >= SHARED:
        missing = int(gaps.argmax())
        values = {"label": chart.class_name(missing), "share": percent(float(gaps.sum()), 0, "%")}
        return Finding("held-out-classes", values)
    if np.maximum(shares - own, 0).sum() < OTHER_SHARES:
        return None
    most = int(np.abs(shares - own).argmax())
    values = {"label": chart.class_name(most), "own": percent(own[most], 0, "%")}
    return Finding("held-out-classes.shares", {**values, "held": percent(shares[most], 0, "%")})


def pictures_alike(chart: Chart) -> Finding | None:
    """One and the same picture throughout, as where reading them fails unnoticed."""
    images = chart.examples.images
    if len(images) < 2 or not bool((chart.probes == chart.probes[0]).all()):
        return None
    if isinstance(images, np.ndarray) and not all(bool((one == images[0]).all()) for one in images):
        return None
    return Finding("pictures-alike", {"count": f"{len(images):,}"})


def not_shuffled(chart: Chart) -> Finding | None:
    """Classes one after another, and no shuffling: each batch undoes what the last ones taught."""
    targets, counts = chart.examples.targets, chart.class_counts
    if chart.shuffled or counts is None or np.count_nonzero(counts) < 2 or len(targets) <= chart.batch_size:
        return None
    flat = targets.reshape(len(targets), -1)
    alike = float((flat[1:] == flat[:-1]).all(axis=1).mean())
    random = float(np.square(counts / counts.sum()).sum())
    return Finding("not-shuffled") if alike > random + IN_ORDER * (1 - random) else None


def targets_out_of_reach(chart: Chart) -> Finding | None:
    """Targets that the last activation cannot give."""
    targets, kind = chart.examples.targets, last_activation(chart.model.flat_layers)
    if type(chart.model.loss) not in (MeanSquaredError, MeanAbsoluteError) or kind not in REACH or not targets.size:
        return None
    low, high = REACH[kind]
    if targets.dtype.kind != "f" or np.mean((targets < low) | (targets > high)) < SHARED:
        return None
    gives = f"{low:g}" if math.isinf(high) else f"{low:g} to {high:g}"
    return Finding(
        "targets-out-of-reach",
        {"low": f"{targets.min():.4g}", "high": f"{targets.max():.4g}", "kind": kind, "gives": gives},
    )


def labels(chart: Chart) -> Finding | None:
    """Labels that teach nothing, or that leave the first class empty because somebody counted from 1.

    Labels beyond the classes are an error before training starts.
    """
    targets, counts = chart.examples.targets, chart.class_counts
    # The first few tell most sets apart from such a one without a pass over all.
    if len(targets) > 1 and all(bool((part == targets[0]).all()) for part in (targets[:100], targets)):
        what = " ".join(np.array2string(np.asarray(targets[0]), precision=3, threshold=8, edgeitems=3).split())
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
