"""What a trainer tells while it runs. A listener is any callable that takes an event; it may answer `Stop`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from pellucid._arguments import several
from pellucid.errors import ConfigError, shown
from pellucid.ops.geometry import Array
from pellucid.train.trainable import Trainable

__all__ = [
    "STRETCH_S",
    "BatchEnded",
    "Diagnosed",
    "EpochEnded",
    "EpochStarted",
    "EvaluationStarted",
    "Event",
    "FeaturesComputed",
    "FeaturesNotKept",
    "FineTuningStarted",
    "Listener",
    "PicturesJudged",
    "Resumable",
    "Stop",
    "TrainingEnded",
    "TrainingStarted",
    "standardize_listeners",
    "wants_every_batch",
    "writes",
]


@dataclass(frozen=True)
class TrainingStarted:
    """Before the first step. epochs counts from 1, first_epoch and first_batch from 0: above it in a resumed run.

    frozen_epochs: how many come before fine-tuning; None for all.
    """

    first_epoch: int
    epochs: int
    steps_per_epoch: int
    num_samples: int
    num_validation_samples: int
    batch_size: int
    model: Trainable = field(repr=False, compare=False)
    first_batch: int = 0
    frozen_epochs: int | None = None


@dataclass(frozen=True)
class EpochStarted:
    """Before the first batch of an epoch, counted from 0; or before the first that a resumed run still has to do."""

    epoch: int


@dataclass(frozen=True)
class FeaturesComputed:
    """While the outputs of frozen first layers are computed once for all epochs, after each batch of pictures.

    Units: done and total in pictures, held-out ones included; num_bytes of everything that is kept. layer: the last
    whose outputs these are. in_memory: False where they go to a file.
    """

    done: int
    total: int
    layer: str
    num_bytes: int
    in_memory: bool


@dataclass(frozen=True)
class FeaturesNotKept:
    """Frozen layers run in every epoch; text says which and why, in a line for people."""

    text: str


@dataclass(frozen=True)
class FineTuningStarted:
    """Before the first step that trains what was frozen. epoch counts from 0, epochs from 1.

    num_parameters: how many numbers are trained from here on. augment: what changes the pictures, as text. accuracy:
    the best so far, on held-out pictures where there are any; None where it was not measured.
    """

    epoch: int
    epochs: int
    num_parameters: int
    augment: str
    accuracy: float | None


@dataclass(frozen=True)
class BatchEnded:
    """After a training step, or a stretch of them (see `Listener`), of which it tells the last.

    logs are means over the epoch so far; step counts from 0 over the whole run. num_samples: in the step or stretch.
    """

    epoch: int
    batch: int
    step: int
    num_samples: int
    logs: Mapping[str, float]


@dataclass(frozen=True)
class EvaluationStarted:
    """Before the validation pictures of an epoch."""

    epoch: int
    num_samples: int


@dataclass(frozen=True)
class PicturesJudged:
    """After each batch of the validation pictures of an epoch. logs: the means so far. Units: done and total in
    pictures."""

    epoch: int
    done: int
    total: int
    logs: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class EpochEnded:
    """After an epoch and its validation; not after one that was stopped amid them.

    Units: elapsed_s covers the training steps alone; images_per_s likewise; waited_s is the part of elapsed_s in which
    the steps stood still for pictures that were read or augmented. improved: the best epoch so far, judged on
    validation pictures where there are any.
    """

    epoch: int
    logs: Mapping[str, float]
    learning_rate: float
    elapsed_s: float
    images_per_s: float
    improved: bool
    waited_s: float = 0.0


@dataclass(frozen=True)
class Diagnosed:
    """The training doctor has found something, see `pellucid.train.doctor`; each rule speaks once a run.

    rule: its name; behind a dot, which of its sentences. text: what it is and what to do, in a line for people. values:
    what stands in the sentence's places, for whoever says it in another language. epoch: how many were finished.
    """

    rule: str
    text: str
    values: Mapping[str, str]
    epoch: int


@dataclass(frozen=True)
class TrainingEnded:
    """After the last epoch, after a listener asked to stop, or before a DivergedError.

    num_epochs: epochs finished. best_epoch counts from 0; -1 where no epoch was finished.
    diverged: a DivergedError follows, unless a listener answers `Stop`.
    """

    reason: str
    num_epochs: int
    best_epoch: int
    diverged: bool = False


Event = (
    TrainingStarted
    | EpochStarted
    | FeaturesComputed
    | FeaturesNotKept
    | FineTuningStarted
    | BatchEnded
    | EvaluationStarted
    | PicturesJudged
    | EpochEnded
    | Diagnosed
    | TrainingEnded
)
"""What a trainer tells its listeners."""


@dataclass(frozen=True)
class Stop:
    """A listener's answer that ends training, at once: after the batch to whose event it answers.

    An epoch that is stopped so has not ended: it is not in the history, and a resumed run finishes it.
    """

    reason: str


Listener = Callable[[Event], Stop | None]
"""One with an attribute `every_batch` that is False is content with the `BatchEnded` that end a stretch of steps of
about STRETCH_S; if all are, such a stretch runs as one call that leaves the interpreter to other threads. One with an
attribute `writes` that is True writes files, or to the terminal: of several processes the first alone has it."""


class Resumable(ABC):
    """A listener that remembers something from epoch to epoch, and goes on where it was in a resumed run.

    One that has these two methods is one; it need not derive from this class.
    """

    @abstractmethod
    def state(self) -> Mapping[str, Array]:
        """What it remembers, as arrays of numbers by name."""

    @abstractmethod
    def resume(self, state: Mapping[str, Array]) -> None:
        """Remember what `state` gave; called before `TrainingStarted`."""

    @classmethod
    def __subclasshook__(cls, other: type) -> bool:
        return hasattr(other, "state") and hasattr(other, "resume")


STRETCH_S = 0.1
"""Seconds of steps between two `BatchEnded` for such listeners. Each time a busy Python thread may keep the interpreter
for its switch interval, 5 ms; and a progress bar wants news ten times a second."""


def wants_every_batch(listener: Listener) -> bool:
    """True unless the listener says otherwise."""
    return bool(getattr(listener, "every_batch", True))


def writes(listener: Listener) -> bool:
    """False unless the listener says otherwise."""
    return getattr(listener, "writes", False) is True


def standardize_listeners(given: Listener | Sequence[Listener] | None) -> list[Listener]:
    """One listener, several or none as a list. Errors: ConfigError for what cannot be called."""
    listeners = [given] if callable(given) else several(() if given is None else given, "callbacks")
    for listener in listeners:
        if not callable(listener):
            raise ConfigError(f"callbacks are functions of one event (pellucid.train.events), got {shown(listener)}")
        if isinstance(listener, type):
            raise ConfigError(f"callbacks: make an object of it first, {listener.__name__}(), got the class itself")
    return listeners
