"""Losses that are a formula of a row of answers: Keras's for numbers, margins, shares of classes and regions.

They see what the network answers, its final softmax or sigmoid included, and have no kernel.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar, Unpack

import numpy as np

from pellucid._arguments import flag
from pellucid._fixed import Taken
from pellucid.losses.formulas import smoothing
from pellucid.losses.loss import Common, Loss
from pellucid.losses.targets import values
from pellucid.ops import Array, Shape
from pellucid.ops.geometry import above_zero, number

EPSILON = 1e-7
"""Keras's: what is kept off 0 under a fraction or a logarithm."""


class RowLoss(Loss):
    """losses[n] = mean over the rows of picture n, one a pixel, of `rows`; integers (N,) under K units become one-hot.

    Shapes: predictions (N,...,K) -> losses (N,).
    """

    def rows(self, t: Array, y: Array) -> tuple[Array, Array]:
        """(losses, d losses / dy), in float64. Shapes: t, y (R, K) -> (R,), (R, K)."""
        raise NotImplementedError

    def value_and_gradient(self, targets: Array, logits: Array, weights: Array | None = None) -> tuple[Array, Array]:
        count, units = len(logits), logits.shape[-1]
        t, y = (array.reshape(-1, units).astype(np.float64) for array in (targets, logits))
        losses, slopes = self.rows(t, y)
        each = len(y) // count
        slopes = slopes.reshape(count, -1) / (count * each)
        if weights is not None:
            slopes *= weights[:, None]
        means = losses.reshape(count, each).mean(axis=1)
        return means.astype(logits.dtype), slopes.reshape(logits.shape).astype(logits.dtype)

    def calculate(self, targets: Any, scores: Any) -> Any:
        t, y = (np.reshape(each, (-1, scores.shape[-1])) for each in (targets, scores))
        return np.mean(np.reshape(self.rows(t, y)[0], (len(scores), -1)), axis=1)

    def prepare_targets(self, labels: Any, units: int | Shape, *, examples: int | None = None) -> Array:
        """float32 of the network's output shape."""
        return values(labels, units, examples)


class _Entries(RowLoss):
    """Whose row is the mean over its entries."""

    def rows(self, t: Array, y: Array) -> tuple[Array, Array]:
        losses, slopes = self.entries(t, y)
        return losses.mean(axis=1), slopes / y.shape[1]

    def entries(self, t: Array, y: Array) -> tuple[Array, Array]:
        raise NotImplementedError


class MeanAbsolutePercentageError(_Entries):
    """100 * |t - y| / max(|t|, 1e-7)."""

    def entries(self, t: Array, y: Array) -> tuple[Array, Array]:
        size = 100 / np.maximum(np.abs(t), EPSILON)
        return size * np.abs(t - y), size * np.sign(y - t)


class MeanSquaredLogarithmicError(_Entries):
    """(log(1 + t) - log(1 + y))^2, of numbers of at least 1e-7."""

    def entries(self, t: Array, y: Array) -> tuple[Array, Array]:
        gap = np.log1p(np.maximum(y, EPSILON)) - np.log1p(np.maximum(t, EPSILON))
        return gap**2, np.where(y > EPSILON, 2 * gap / (1 + np.maximum(y, EPSILON)), 0.0)


class Huber(_Entries):
    """(t - y)^2 / 2 up to a distance of delta, and delta * |t - y| - delta^2 / 2 beyond.

    Source: Huber 1964.
    """

    def __init__(self, delta: float = 1.0, **named: Unpack[Common]) -> None:
        super().__init__(**named)
        self.delta = above_zero(delta, "Huber: delta")

    def entries(self, t: Array, y: Array) -> tuple[Array, Array]:
        gap, d = y - t, self.delta
        near = np.abs(gap) <= d
        return np.where(near, gap**2 / 2, d * np.abs(gap) - d**2 / 2), np.clip(gap, -d, d)


class LogCosh(_Entries):
    """log(cosh(y - t))."""

    def entries(self, t: Array, y: Array) -> tuple[Array, Array]:
        gap = y - t
        return np.abs(gap) + np.log1p(np.exp(-2 * np.abs(gap))) - math.log(2), np.tanh(gap)


class Poisson(_Entries):
    """y - t * log(y + 1e-7)."""

    def entries(self, t: Array, y: Array) -> tuple[Array, Array]:
        with np.errstate(invalid="ignore"):  # of a y below 0, which no rate is
            return y - t * np.log(y + EPSILON), 1 - t / (y + EPSILON)


class Hinge(_Entries):
    """max(1 - t * y, 0) for t of -1 and 1; labels of 0 and 1 are taken as -1 and 1."""

    def entries(self, t: Array, y: Array) -> tuple[Array, Array]:
        t = _signs(t)
        short = np.maximum(1 - t * y, 0)
        return short, np.where(short > 0, -t, 0.0)


class SquaredHinge(_Entries):
    """max(1 - t * y, 0)^2, labels as for Hinge."""

    def entries(self, t: Array, y: Array) -> tuple[Array, Array]:
        t = _signs(t)
        short = np.maximum(1 - t * y, 0)
        return short**2, -2 * t * short


class CategoricalHinge(RowLoss):
    """max(largest wrong score - right score + 1, 0): Weston & Watkins's margin with the worst class alone."""

    def rows(self, t: Array, y: Array) -> tuple[Array, Array]:
        wrong = (1 - t) * y
        worst, rows = wrong.argmax(axis=1), np.arange(len(y))
        short = np.maximum(wrong[rows, worst] - (t * y).sum(axis=1) + 1, 0)
        slopes = -np.array(t)
        slopes[rows, worst] += 1 - np.asarray(t)[rows, worst]
        return short, np.where(short[:, None] > 0, slopes, 0.0)


class KLDivergence(RowLoss):
    """sum over k of t * log(t / y), both kept from 1e-7 to 1.

    Source: Kullback & Leibler 1951.
    """

    def rows(self, t: Array, y: Array) -> tuple[Array, Array]:
        inside = (y >= EPSILON) & (y <= 1)
        t, y = np.clip(t, EPSILON, 1), np.clip(y, EPSILON, 1)
        return (t * np.log(t / y)).sum(axis=1), np.where(inside, -t / y, 0.0)


class CosineSimilarity(RowLoss):
    """-cos of the angle between t and y: -1 for the same direction."""

    def rows(self, t: Array, y: Array) -> tuple[Array, Array]:
        lengths = [np.maximum(np.linalg.norm(each, axis=1, keepdims=True), 1e-12) for each in (t, y)]
        t, y = t / lengths[0], y / lengths[1]
        cosine = (t * y).sum(axis=1, keepdims=True)
        return -cosine[:, 0], (cosine * y - t) / lengths[1]


class BinaryFocalCrossentropy(_Entries):
    """-(1 - p)^gamma * log p, p the probability given to the label of each unit.

    apply_class_balancing: times alpha for a label of 1, 1 - alpha for one of 0.
    Source: Lin, Goyal, Girshick, He & Dollar 2017, equation 5.
    """

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        **named: Unpack[Common],
    ) -> None:
        super().__init__(**named)
        name = type(self).__name__
        self.apply_class_balancing = flag(apply_class_balancing, f"{name}: apply_class_balancing")
        self.alpha, self.gamma = number(alpha, f"{name}: alpha", 0.0), number(gamma, f"{name}: gamma", 0.0)
        self.from_logits = flag(from_logits, f"{name}: from_logits")
        self.label_smoothing = smoothing(label_smoothing)

    def entries(self, t: Array, y: Array) -> tuple[Array, Array]:
        t = t * (1 - self.label_smoothing) + self.label_smoothing / 2
        p = 1 / (1 + np.exp(-y)) if self.from_logits else y
        inside, q = (p >= EPSILON) & (p <= 1 - EPSILON), np.clip(p, EPSILON, 1 - EPSILON)
        cross = -t * np.log(q) - (1 - t) * np.log(1 - q)
        dcross = np.where(inside, (q - t) / (q * (1 - q)), 0.0)
        miss = 1 - (t * p + (1 - t) * (1 - p))
        factor = miss**self.gamma
        dfactor = self.gamma * np.maximum(miss, 0) ** max(self.gamma - 1, 0) * (1 - 2 * t) if self.gamma else 0 * p
        losses, slopes = factor * cross, dfactor * cross + factor * dcross
        if self.apply_class_balancing:
            share = t * self.alpha + (1 - t) * (1 - self.alpha)
            losses, slopes = share * losses, share * slopes
        return losses, slopes * p * (1 - p) if self.from_logits else slopes


class CategoricalGeneralizedCrossEntropy(RowLoss):
    """(1 - p^q) / q, p the probability given to the label: near q = 0 cross-entropy, at 1 an absolute error.

    Source: Zhang & Sabuncu 2018, equation 6.
    """

    def __init__(self, q: float = 0.5, **named: Unpack[Common]) -> None:
        super().__init__(**named)
        self.q = above_zero(
            number(q, "CategoricalGeneralizedCrossEntropy: q", 0.0, 1.0), "CategoricalGeneralizedCrossEntropy: q"
        )

    def rows(self, t: Array, y: Array) -> tuple[Array, Array]:
        p = (t * y).sum(axis=1)
        slope = -(np.maximum(p, EPSILON) ** (self.q - 1))
        return (1 - np.maximum(p, 0) ** self.q) / self.q, slope[:, None] * t


class CategoricalFocalCrossentropy(RowLoss):
    """sum over k of -alpha * t * (1 - p)^gamma * log p.

    Source: Lin, Goyal, Girshick, He & Dollar 2017, equation 5.
    """

    def __init__(
        self,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        **named: Unpack[Common],
    ) -> None:
        super().__init__(**named)
        name = type(self).__name__
        self.alpha, self.gamma = number(alpha, f"{name}: alpha", 0.0), number(gamma, f"{name}: gamma", 0.0)
        self.from_logits = flag(from_logits, f"{name}: from_logits")
        self.label_smoothing = smoothing(label_smoothing)

    def rows(self, t: Array, y: Array) -> tuple[Array, Array]:
        t = t * (1 - self.label_smoothing) + self.label_smoothing / t.shape[1]
        given = np.exp(y - y.max(axis=1, keepdims=True)) if self.from_logits else y
        total = given.sum(axis=1, keepdims=True)
        p = given / total
        inside, q = (p >= EPSILON) & (p <= 1 - EPSILON), np.clip(p, EPSILON, 1 - EPSILON)
        rest = 1 - q
        losses = -self.alpha * t * rest**self.gamma * np.log(q)
        slope = self.gamma * rest ** max(self.gamma - 1, 0) * np.log(q) - rest**self.gamma / q
        dp = np.where(inside, self.alpha * t * slope, 0.0)
        back = dp - (dp * p).sum(axis=1, keepdims=True)
        return losses.sum(axis=1), p * back if self.from_logits else back / total


class _Overlap(Loss):
    """1 - a share of overlap, over all entries of a batch together."""

    of_batch = True
    taken: ClassVar[Mapping[str, Taken]] = {**Loss.taken, "axis": lambda value: value is None}

    def value_and_gradient(self, targets: Array, logits: Array, weights: Array | None = None) -> tuple[Array, Array]:
        t, y = targets.astype(np.float64), logits.astype(np.float64)
        loss, slopes = self.overlap(t, y)
        share = 1.0 if weights is None else float(np.mean(weights, dtype=np.float64))
        return np.full(len(logits), loss, logits.dtype), (share * slopes).astype(logits.dtype)

    def calculate(self, targets: Any, scores: Any) -> Any:
        return self.overlap(targets, scores)[0]

    def overlap(self, t: Array, y: Array) -> tuple[Any, Array]:
        """(loss, d loss / dy)."""
        raise NotImplementedError

    def prepare_targets(self, labels: Any, units: int | Shape, *, examples: int | None = None) -> Array:
        """float32 of the network's output shape."""
        return values(labels, units, examples)


class Dice(_Overlap):
    """1 - 2 * sum(t * y) / (sum(t) + sum(y) + 1e-7), sums over the whole batch.

    Source: Milletari, Navab & Ahmadi 2016, without squares, as in Keras.
    """

    def overlap(self, t: Array, y: Array) -> tuple[Any, Array]:
        both, whole = 2 * (t * y).sum(), t.sum() + y.sum() + EPSILON
        return 1 - both / whole, both / whole**2 - 2 * t / whole


class Tversky(_Overlap):
    """1 - both / (both + alpha * wrongly found + beta * missed + 1e-7), both = sum(t * y) over the whole batch.

    Source: Salehi, Erdogmus & Gholipour 2017, equation 3, as Keras has it: alpha weighs sum((1 - y) * t).
    """

    def __init__(self, alpha: float = 0.5, beta: float = 0.5, **named: Unpack[Common]) -> None:
        super().__init__(**named)
        self.alpha, self.beta = number(alpha, "Tversky: alpha", 0.0), number(beta, "Tversky: beta", 0.0)

    def overlap(self, t: Array, y: Array) -> tuple[Any, Array]:
        both = (t * y).sum()
        whole = both + self.alpha * ((1 - y) * t).sum() + self.beta * (y * (1 - t)).sum() + EPSILON
        dwhole = t - self.alpha * t + self.beta * (1 - t)
        return 1 - both / whole, both * dwhole / whole**2 - t / whole


def _signs(t: Array) -> Array:
    return 2 * t - 1 if ((t == 0) | (t == 1)).all() else t
