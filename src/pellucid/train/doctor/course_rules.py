"""Rules about how training goes: the loss, the learning rate, held-out pictures, time."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pellucid._numbers import percent
from pellucid.losses import CROSS_ENTROPIES, BinaryCrossentropy, MeanAbsoluteError, MeanSquaredError
from pellucid.ops.geometry import Array
from pellucid.train.doctor.chart import Chart, Finding
from pellucid.train.doctor.data_rules import LARGE
from pellucid.train.doctor.network_rules import has_sigmoids

EXPLODED = 5.0
"""How many times the loss of knowing nothing, or of the first step where that is more. A wrong but modest answer costs
about as much as none; momentum on a steep start was seen to double it."""

MOVED = 1e-3
"""How far the kernel that moves most has gone from the start, as a share of its length. Adam at its usual rate moves it
by a tenth and more; plain gradient descent on a flat start by a hundredth."""

CLIPPED = 1e-2
"""Gradients cut to less than this are what holds the steps back; papers cut to 0.1 and more."""

MIN_STEPS = 100
"""Before so many steps nobody says that the learning rate does nothing."""

FALLEN = 0.98
"""Share of the loss of knowing nothing: what is not below it has learned nothing."""

KNOWS_NOTHING = 0.5
"""Below this share of it a network knows something, and a small learning rate may be meant to keep that."""

STUCK_STEPS, SLOW_STUCK_STEPS = 1500, 5000
"""Steps, in whole epochs, before a loss that has not fallen is called stuck; the second for sigmoids and tanhs.

Healthy networks that stand still at first: LeNet with sigmoids on MNIST leaves ln 10 after 200 to 340 steps of Adam and
after 940 to 3,940 of plain gradient descent; weights of deviation 0.01 with ReLU after 1,140 of the latter."""

MANY_EPOCHS, FEW_STEPS, SLOW_FEW_STEPS = 10, 300, 1000
"""Small data: after so many epochs fewer steps are enough."""

WORSE = 0.05
"""How far the held-out loss is above its best, as a share of the loss of knowing nothing: 0.12 for ten classes. A
network that is right on 99 of 100 digits and grows surer of the hundredth rises by less."""

BEHIND = 0.25
"""How far the loss of training pictures in use is above that of training, as a share of that of knowing nothing."""

UNFINISHED = 0.1
"""Share of the running mean and variance that is still what they began with: momentum ** steps."""

SHRUNK = 0.5
"""Length of the kernel that has shrunk most, as a share of its length at the start. Without a penalty kernels keep 0.98
of it and more where nothing is learned, with one that is too strong 0.1 and less."""

SLOW = 0.05
"""How far the kernel that moves most has gone where steps are too short to say more. At rates that suit, it goes 0.15
and more in as many steps, whatever the labels."""

VANISHED = 0.05
"""How far the first kernel has moved, as a share of how far the last one has. Eight sigmoids have 0.01 and less,
networks whose gradients arrive 0.2 and more."""

FAR = 1.5
"""How many times the loss of one answer for every picture: so far above it, labels are not what is wrong."""

HEAVY = 10.0
"""How many times the loss of answering all classes alike the first step has. Weights of the usual size have up to 2."""

WAITING = 0.5
"""Share of an epoch's time. Below, computing is what takes longest."""

MIN_EPOCH_S = 1.0
"""Shorter epochs are nobody's evening."""


def not_a_number(chart: Chart) -> Finding | None:
    """A loss that is no number because the pictures are not."""
    images = chart.examples.images
    if not chart.course.diverged or not isinstance(images, np.ndarray) or images.dtype.kind != "f":
        return None
    for start in range(0, len(images), 1024):
        part: Array = images[start : start + 1024]
        bad = np.flatnonzero(~np.isfinite(part.reshape(len(part), -1)).all(axis=1))
        if bad.size:
            return Finding("not-a-number", {"picture": f"{start + int(bad[0]):,}"})
    return None


def learning_rate_high(chart: Chart) -> Finding | None:
    """Steps so long that the loss rises: far above that of knowing nothing, or beyond all numbers."""
    course = chart.course
    base = max(chart.chance or 0.0, 0.0 if math.isnan(course.first) else course.first)
    exploded = course.diverged or course.latest > EXPLODED * base
    if not course.steps or not base or not exploded:
        return None
    values = {"steps": f"{course.steps:,}", "rate": f"{_rate(chart):.4g}", "less": f"{_lower(chart):.2g}"}
    if course.diverged:
        return Finding("learning-rate-high.diverged", values)
    first = base if math.isnan(course.first) else course.first
    return Finding("learning-rate-high", {**values, "loss": f"{course.latest:.4g}", "first": f"{first:.4g}"})


def weights_large(chart: Chart) -> Finding | None:
    """The first loss is many times that of answering all classes alike: the answers begin large, sure and wrong."""
    first, kind, weights = chart.course.first, type(chart.model.loss), chart.examples.weights
    if kind not in (*CROSS_ENTROPIES, BinaryCrossentropy):
        return None
    alike = math.log(2 if kind is BinaryCrossentropy else max(chart.model.graph.output_shape[-1], 2))
    alike *= 1.0 if weights is None else float(weights.mean())
    if not first > HEAVY * alike > 0:
        return None
    return Finding("weights-large", {"first": f"{first:.4g}", "alike": f"{alike:.4g}"})


def learning_rate_low(chart: Chart) -> Finding | None:
    """Since the start neither the weights nor the loss have moved."""
    course = chart.course
    if course.steps < MIN_STEPS or not chart.start or chart.chance is None:
        return None
    if not course.late > max(FALLEN * course.first, KNOWS_NOTHING * chart.chance):
        return None
    now = chart.sampled_weights()
    moved = max((_distance(now[key], start) for key, start in chart.start.items() if key in now), default=1.0)
    if moved >= MOVED:
        return None
    share = "0 %" if moved == 0 else f"{100 * moved:.2g} %"
    values, optimizer = {"steps": f"{course.steps:,}", "moved": share}, chart.model.optimizer
    limits = {name: getattr(optimizer, name) for name in ("clipnorm", "clipvalue", "global_clipnorm")}
    clip = next((f"{name}={limit:g}" for name, limit in limits.items() if limit is not None and limit < CLIPPED), None)
    if clip is not None:
        return Finding("learning-rate-low.clipped", {**values, "clip": clip})
    return Finding("learning-rate-low", {**values, "rate": f"{_rate(chart):.4g}"})


def stuck(chart: Chart) -> Finding | None:
    """The loss stays where knowing nothing but how frequent each class is would put it: ln(classes) of equal ones."""
    course, chance = chart.course, chart.chance
    slow = has_sigmoids(chart.model.flat_layers)
    enough = course.steps >= (SLOW_STUCK_STEPS if slow else STUCK_STEPS)
    many = course.num_epochs >= MANY_EPOCHS and course.steps >= (SLOW_FEW_STEPS if slow else FEW_STEPS)
    if chance is None or not (enough or many) or not course.late >= FALLEN * chance:
        return None
    values = {"steps": f"{course.steps:,}", "loss": f"{course.late:.4g}", "chance": f"{chance:.4g}"}
    now = chart.sampled_weights()
    begun = {key: start for key, start in chart.start.items() if key in now and start.any()}
    left = min((_length(now[key]) / _length(start) for key, start in begun.items()), default=1.0)
    moved = [_distance(now[key], start) for key, start in begun.items()]
    if left < SHRUNK:
        return Finding("stuck.penalty", {**values, "share": percent(left, 0, "%")})
    if course.late > FAR * chance and type(chart.model.loss) in (MeanSquaredError, MeanAbsoluteError):
        low, high = float(chart.examples.targets.min()), float(chart.examples.targets.max())
        if high - low > LARGE:
            return Finding("stuck.targets", {**values, "low": f"{low:.4g}", "high": f"{high:.4g}"})
    if len(moved) > 2 and moved[0] < VANISHED * moved[-1]:
        shares = {"first": percent(moved[0], 1, "%"), "last": percent(moved[-1], 1, "%")}
        return Finding("stuck.vanishing", {**values, **shares})
    if moved and max(moved) < SLOW:
        return Finding("stuck.slow", {**values, "moved": percent(max(moved), 1, "%"), "rate": f"{_rate(chart):.4g}"})
    return Finding("stuck.sigmoid" if slow else "stuck", values)


def batch_norm_behind(chart: Chart) -> Finding | None:
    """In use, batch norm's running mean and variance spoil what training has learned, on the very same pictures.

    In early epochs that is usual and passes, so it is asked where the held-out loss has turned, and in the end.
    """
    course = chart.course
    if not (course.ended or _turned(chart)) or course.diverged:
        return None
    used = _spoiled_by_batch_norm(chart)
    if used is None:
        return None
    left = max(layer.momentum for layer in _trained_norms(chart)) ** course.steps
    values = {"used": f"{used:.4g}", "loss": f"{course.late:.4g}", "steps": f"{course.steps:,}"}
    if left < UNFINISHED:
        return Finding("batch-norm-behind.restless", values)
    return Finding("batch-norm-behind", {**values, "share": percent(left, 0, "%")})


def overfitting(chart: Chart) -> Finding | None:
    """The training loss goes on falling while that of held-out pictures has turned and rises.

    Of a head before fine-tuning nothing is said: it does not stay as it is.
    """
    best, recent = chart.course.best, chart.course.recent
    if (
        chart.course.num_epochs <= chart.head_epochs
        or best is None
        or chart.chance is None
        or not _turned(chart)
        or _spoiled_by_batch_norm(chart) is not None
    ):
        return None
    lowest, now, loss = best.logs["val_loss"], recent[-1].logs["val_loss"], recent[-1].logs["loss"]
    values = {"epoch": str(best.epoch + 1), "best": f"{lowest:.4g}", "now": f"{now:.4g}", "loss": f"{loss:.4g}"}
    if lowest >= FALLEN * chart.chance:
        return Finding("overfitting.never", {**values, "chance": f"{chart.chance:.4g}"})
    return Finding("overfitting", values)


def _turned(chart: Chart) -> bool:
    """Whether all recent epochs are worse on held-out pictures than the best one, and better in training."""
    course, recent = chart.course, chart.course.recent
    best = course.best
    if chart.chance is None or best is None or not course.judged or best.epoch >= recent[0].epoch:
        return False
    held, lowest = [end.logs["val_loss"] for end in recent], best.logs["val_loss"]
    now, loss = held[-1], recent[-1].logs["loss"]
    rising = min(held) > lowest + WORSE * chart.chance
    return bool(rising and loss < min(best.logs["loss"], now, FALLEN * chart.chance))


def _spoiled_by_batch_norm(chart: Chart) -> float | None:
    """The loss of training pictures as in use, where batch norm's running numbers make it much worse than training."""
    late = chart.course.late
    if chart.chance is None or not _trained_norms(chart) or not late < KNOWS_NOTHING * chart.chance:
        return None
    used = chart.in_use()
    return used if used is not None and used > max(late + BEHIND * chart.chance, 2 * late) else None


def _trained_norms(chart: Chart) -> list[Any]:
    return [layer for layer in chart.model.flat_layers if layer.role == "batch norm" and layer.trainable]


def waiting(chart: Chart) -> Finding | None:
    """Steps that stand still for pictures: a faster network would change little."""
    end = chart.course.recent[-1]
    if end.elapsed_s < MIN_EPOCH_S or end.waited_s < WAITING * end.elapsed_s:
        return None
    share = percent(end.waited_s / end.elapsed_s, 0, "%")
    return Finding("waiting", {"share": share, "epoch": str(end.epoch + 1)})


def _rate(chart: Chart) -> float:
    """The learning rate of the latest step."""
    return chart.model.optimizer.learning_rate_at(max(chart.model.optimizer_state.step - 1, 0))


def _lower(chart: Chart) -> float:
    """A rate to try instead: a tenth, and no more than the optimizer's own; measured on the data by --find-lr."""
    usual: Any = type(chart.model.optimizer)
    return min(_rate(chart) / 10, float(usual().learning_rate_at(0)))


def _distance(now: Array, start: Array) -> float:
    return _length(now - start) / _length(start) if start.any() else 1.0


def _length(weights: Array) -> float:
    return float(np.linalg.norm(weights))
