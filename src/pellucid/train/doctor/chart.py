"""What a rule of the training doctor may look at: the model, its pictures, the last look inside, and the course."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pellucid.datasets.labels import mask_counts
from pellucid.losses import CROSS_ENTROPIES, BinaryCrossentropy, MeanAbsoluteError, MeanSquaredError
from pellucid.ops.geometry import Array
from pellucid.plan import accuracy_kind, penalty_loss, split_base
from pellucid.plan.lowering import strip_head
from pellucid.train.doctor.looks import Output, through
from pellucid.train.events import BatchEnded, EpochEnded
from pellucid.train.examples import Examples
from pellucid.train.features import base_state
from pellucid.train.snapshots import num_probes
from pellucid.train.trainable import Trainable

NUM_WEIGHTS = 4096
"""Of each kernel so many weights, evenly spaced, are remembered from the start, to see how far training moves them."""

NUM_LOOKED_AT = 8
"""Pictures of a look inside: with twice as many a training of cifar-net takes 7 to 10 MB more than its plan says (with
AVX-512), not 3 to 4."""

NUM_JUDGED = 64
"""Training pictures that are judged as in use, where there is reason to."""

MAX_VALUES = 2**16
"""Numbers of training pictures, and of held-out ones, that are compared with each other."""

MAX_TARGETS = 2**22
"""Numbers among the targets that the loss of knowing nothing is worked out from; of more, evenly spaced pictures."""

RECENT = 3
"""Epochs that are remembered whole, beside the best one: a run of any length takes the same memory."""

LATE = 0.75
"""From here on an epoch's loss is called late: what the network has come to, without how it began the epoch."""


class kept:
    """A property worked out once, as functools.cached_property, whose lock (before Python 3.12) a fork leaves shut."""

    def __init__(self, work: Callable[[Any], Any]) -> None:
        self._work, self._name, self.__doc__ = work, work.__name__, work.__doc__

    def __get__(self, owner: Any, kind: type) -> Any:
        if owner is None:
            return self
        value = owner.__dict__[self._name] = self._work(owner)
        return value


@dataclass(frozen=True)
class Finding:
    """What a rule says. sentence: its key in `sentences`, the rule's name and perhaps a variant behind a dot."""

    sentence: str
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Course:
    """The losses so far, without the weight penalties.

    steps: finished ones. first: the loss of the first step. latest: of the latest stretch of steps, at least: less the
    larger of the penalties before and behind it; penalty: the one behind it. late: over the last
    quarter of the latest epoch. num_epochs: finished ones; recent: what the trainer told of the last few; best: of the
    one with the least held-out loss, the first of equals. judged: every epoch's held-out loss was there, and a number.
    """

    steps: int = 0
    first: float = math.nan
    latest: float = math.nan
    late: float = math.nan
    num_epochs: int = 0
    recent: list[EpochEnded] = field(default_factory=list)
    best: EpochEnded | None = None
    judged: bool = True
    diverged: bool = False
    ended: bool = False
    penalty: float = 0.0
    _epoch: int = -1
    _count: int = 0
    _total: float = 0.0
    _mark: tuple[int, float] = (0, 0.0)

    def step(self, event: BatchEnded, steps_per_epoch: int, penalty: Callable[[], float]) -> None:
        """Take in a stretch of steps; the event's loss is the mean over the epoch so far, penalties included."""
        if event.epoch != self._epoch:
            self._epoch, self._count, self._total, self._mark = event.epoch, 0, 0.0, (0, 0.0)
        count = self._count + event.num_samples
        total = event.logs["loss"] * count
        mean, before, self.penalty = (total - self._total) / event.num_samples, self.penalty, penalty()
        self.latest = mean - max(before, self.penalty)
        if not self.steps:
            self.first = mean - self.penalty
        self.steps = event.step + 1
        self._count, self._total = count, total
        if event.batch + 1 <= LATE * steps_per_epoch:
            self._mark = count, total
        elif event.batch + 1 == steps_per_epoch:
            self.late = (total - self._mark[1]) / (count - self._mark[0]) - penalty()

    def epoch(self, event: EpochEnded) -> None:
        """Take in an epoch that has ended."""
        self.num_epochs += 1
        self.recent = [*self.recent, event][-RECENT:]
        loss = event.logs.get("val_loss", math.nan)
        self.judged &= math.isfinite(loss)
        if self.best is None or loss < self.best.logs.get("val_loss", math.inf):
            self.best = event

    def fine_tune(self) -> None:
        """From here on epochs are compared with those of fine-tuning alone."""
        self.recent, self.best = [], None


@dataclass
class Chart:
    """Everything about one run. outputs: of the last look inside, in order; at_start: nothing was trained yet.

    test: pictures, where others than the validation ones are kept for judging in the end. shuffled: their order is
    another one in each epoch. head_epochs: how many train a new head before fine-tuning; 0 where none follows.
    """

    model: Trainable
    examples: Examples
    validation: Examples | None
    test: Any = None
    shuffled: bool = True
    batch_size: int = 0
    steps_per_epoch: int = 0
    head_epochs: int = 0
    course: Course = field(default_factory=Course)
    outputs: Sequence[Output] = ()
    at_start: bool = True
    start: Mapping[str, Array] = field(default_factory=dict)
    _base: tuple[object, Sequence[Output], Array | None] | None = None

    @kept
    def probes(self) -> Array:
        """A few pictures as the first layer gets them, evenly spaced, so of a sorted set from every class."""
        images = self.examples.images
        count = min(NUM_LOOKED_AT, num_probes(self.model, tuple(images.shape[1:])), len(images))
        return self.model.scaled(images[np.arange(count, dtype=np.int64) * len(images) // count])

    @kept
    def class_counts(self) -> Array | None:
        """How many training pictures each class has; None where targets are no classes. Shapes: (classes,)."""
        return class_counts(self.model, self.examples)

    @kept
    def chance(self) -> float | None:
        """The loss of always giving the same, best answer: ln(classes) where all are equally frequent.

        None for a loss whose such value is not known.
        """
        return chance_loss(self.model.loss, self.examples)

    def class_name(self, number: int) -> str:
        """A class by its name, else its number."""
        names = self.model.class_names
        return repr(names[number]) if names and number < len(names) else str(number)

    def in_use(self) -> float | None:
        """The mean loss of some training pictures as in use; None where there are layers that are not of this package.

        A few at a time go through the layers, so that it takes no more memory than a look.
        """
        model, examples = self.model, self.examples
        body, total = strip_head(model.graph, model.loss.joint_activation), 0.0
        places = np.sort(np.random.default_rng(0).permutation(len(examples))[:NUM_JUDGED])
        for part in np.array_split(places, -(-len(places) // len(self.probes))):
            _, scores = through(body, model.scaled(examples.images[part]), own_statistics=False)
            if scores is None:
                return None
            weights = {} if examples.class_weights is None else {"class_weights": examples.class_weights}
            losses, _ = model.loss.value_and_gradient(examples.targets[part], scores, **weights)
            total += float(np.sum(losses if examples.weights is None else losses * examples.weights[part]))
        return total / len(places)

    def sampled_values(self, images: Any) -> Array:
        """Finite numbers that reach the first layer, of some pictures, evenly spaced; a few pictures at a time."""
        count = min(NUM_JUDGED if isinstance(images, np.ndarray) else NUM_LOOKED_AT, len(images))
        places, values = np.arange(count, dtype=np.int64) * len(images) // max(count, 1), [np.empty(0, np.float32)]
        for part in np.array_split(places, -(-count // len(self.probes))):
            flat = self.model.scaled(images[part]).reshape(-1)
            values.append(flat[:: max(len(flat) * count // len(part) // MAX_VALUES, 1)])
        joined = np.concatenate(values)
        return joined[np.isfinite(joined)]

    def penalty(self) -> float:
        """What the weight penalties add to the loss now."""
        return penalty_loss(self.model.flat_layers)

    def look(self) -> None:
        """Run the probes through the layers; through frozen first ones only where these have changed."""
        graph = self.model.graph
        state = base_state(graph)
        base, rest = split_base(graph)
        if self._base is None or self._base[0] != state:
            self._base = state, *through(base, self.probes)
        _, outputs, x = self._base
        self.outputs = [*outputs, *(through(rest, x)[0] if x is not None else ())]

    def sampled_weights(self) -> dict[str, Array]:
        """Some weights of each trained kernel, by name."""
        parameters = self.model.parameters
        kernels = [s for s in parameters.segments if s.trainable and len(s.shape) > 1]
        return {s.key: parameters.view(s).reshape(-1)[:: -(-s.length // NUM_WEIGHTS)].copy() for s in kernels}

    def close_book(self) -> None:
        """Let go of everything large."""
        self.outputs, self.start, self._base = (), {}, None
        self.__dict__.pop("probes", None)


def class_counts(model: Trainable, examples: Examples) -> Array | None:
    """How many pictures each class has; None where targets are no classes. Shapes: (classes,)."""
    targets, units = examples.targets, model.graph.output_shape
    kind = accuracy_kind(model.loss.joint_activation, targets)
    if kind == "categorical" and len(units) == 1:
        if targets.dtype.kind == "f" and not _zeros_and_ones(targets):
            return None  # probabilities
        labels = targets if targets.dtype.kind == "i" else targets.argmax(axis=-1)
        return np.bincount(labels, minlength=units[0])
    if kind == "binary" and targets.size == len(targets) and _zeros_and_ones(targets):
        return np.bincount(targets.reshape(-1).astype(np.int64), minlength=2)
    return None


def chance_loss(loss: Any, examples: Examples) -> float | None:
    """The least mean loss that one answer for every picture can have; None where there is no formula for it.

    That answer gives each class the share that it has, by weight, of the pictures: the loss is the entropy of those.
    """
    targets = examples.targets
    weights = np.ones(len(targets)) if examples.weights is None else examples.weights.astype(np.float64)
    if targets.dtype.kind == "f" and targets.size > MAX_TARGETS:  # whole pictures, for instance
        rows = np.linspace(0, len(targets) - 1, max(MAX_TARGETS * len(targets) // targets.size, 1)).astype(np.int64)
        targets, weights = targets[rows], weights[rows]
    total = float(weights.sum())
    if total <= 0:
        return None
    if type(loss) in CROSS_ENTROPIES:
        if targets.dtype.kind == "u":
            counts = mask_counts(targets).astype(np.float64)
            number = counts.sum()
            if examples.class_weights is not None:
                counts = counts[: len(examples.class_weights)] * examples.class_weights
            every = counts.sum()
            return float(total / len(targets) * every / max(number, 1) * _entropy(counts / max(every, 1e-300)))
        if targets.ndim > 2:  # shares of classes, pixel by pixel
            return None
        if targets.dtype.kind == "i":
            shares = np.bincount(targets, weights=weights) / total
        else:
            shares = weights @ targets / total
        return total / len(targets) * _entropy(shares)
    flat = targets.reshape(len(targets), -1).astype(np.float64)
    mean = weights @ flat / total
    if type(loss) is BinaryCrossentropy:
        each = [_entropy(np.array([share, 1 - share])) for share in mean]
    elif type(loss) is MeanSquaredError:
        each = (weights @ (flat - mean) ** 2 / total).tolist()
    elif type(loss) is MeanAbsoluteError:
        each = (weights @ np.abs(flat - _median(flat, weights)) / total).tolist()
    else:
        return None
    return total / len(targets) * float(np.mean(each))


def _zeros_and_ones(values: Array) -> bool:
    return bool(((values == 0) | (values == 1)).all())


def _median(values: Array, weights: Array) -> Array:
    """The value with half of the weight on either side, of each column."""
    order = np.argsort(values, axis=0, kind="stable")
    middle = (np.cumsum(weights[order], axis=0) < weights.sum() / 2).sum(axis=0)
    return np.asarray(np.take_along_axis(values, np.take_along_axis(order, middle[None], axis=0), axis=0)[0])


def _entropy(shares: Array) -> float:
    positive = shares[shares > 0]
    return float(-(positive * np.log(positive)).sum())
