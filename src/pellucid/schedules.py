"""Learning rates over time. A schedule is a function of the step alone: step 0 is the first update.

Nothing is counted inside, so a resumed run gets the same rates. An epoch is `steps_per_epoch` steps.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from numbers import Real
from typing import Any, ClassVar

from pellucid._arguments import described, flag, several, within
from pellucid._fixed import Maker, Taken, config_of
from pellucid.errors import ConfigError, shown, unknown_name
from pellucid.ops.geometry import above_zero, number, whole

MAX_STEPS = 2**53
"""Steps of a schedule: their number divides exactly."""

Steps = float
"""A number of steps that need not be whole, such as epochs * pictures / batch_size."""

__all__ = [
    "NAMES", "Constant", "Cosine", "CosineDecay", "CosineDecayRestarts", "ExponentialDecay", "InverseTimeDecay",
    "PiecewiseConstantDecay", "PolynomialDecay", "Schedule", "Stages", "Step", "WarmUp", "get",
]  # fmt: skip


class Schedule(metaclass=Maker):
    """A learning rate for every step: `schedule(step)`. Keras's `name` is taken and changes nothing."""

    taken: ClassVar[Mapping[str, Taken]] = {
        "name": lambda value: value is None or isinstance(value, str),
    }

    def __call__(self, step: int) -> float:
        """The learning rate of this step, counted from 0."""
        raise NotImplementedError

    def config(self) -> dict[str, Any]:
        """What `get` turns back into this schedule, ready for JSON; of one of your own, the name of its class."""
        return {"type": type(self).__name__}


class _Formula(Schedule):
    """One of those below. Errors: ConfigError unless its floats are rates and its whole numbers count steps."""

    def __post_init__(self) -> None:
        for field in fields(self):  # type: ignore[arg-type]  # of a dataclass
            value, what = getattr(self, field.name), f"{type(self).__name__}: {field.name}"
            if field.type == "int":
                object.__setattr__(self, field.name, whole(value, what, MAX_STEPS))
            elif field.type == "float":
                number(value, what, 0.0)
            elif field.type == "Steps":
                above_zero(value, what)
            elif field.type == "bool":
                object.__setattr__(self, field.name, flag(value, what))

    def config(self) -> dict[str, Any]:
        return config_of(self)


@dataclass(frozen=True)
class Constant(_Formula):
    """rate(t) = value."""

    value: float

    def __call__(self, step: int) -> float:
        return self.value


@dataclass(frozen=True)
class Step(_Formula):
    """rate(t) = initial * factor ** floor(t / every).

    Units: every in steps.
    """

    initial: float
    every: int
    factor: float = 0.1

    def __call__(self, step: int) -> float:
        return float(self.initial * _power(self.factor, step // self.every))


@dataclass(frozen=True)
class Cosine(_Formula):
    """rate(t) = final + (initial - final) * (1 + cos(pi * min(t / steps, 1))) / 2.

    Units: steps is the length of the fall; afterwards the rate stays at `final`.
    Source: Loshchilov & Hutter 2017 (SGDR), eq. 5, without restarts.
    """

    initial: float
    steps: int
    final: float = 0.0

    def __call__(self, step: int) -> float:
        done = min(step / self.steps, 1.0)
        return self.final + (self.initial - self.final) * (1.0 + math.cos(math.pi * done)) / 2.0


@dataclass(frozen=True)
class WarmUp(_Formula):
    """A climb, then another schedule: rate(t) = after(0) * (t + 1) / (steps + 1) for t < steps, else after(t - steps).

    Units: steps is the length of the climb. No step has rate 0.
    Source: Goyal et al. 2017, section 2.2.
    """

    after: Schedule | float
    steps: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "after", within("WarmUp: after", get, self.after))
        super().__post_init__()

    def __call__(self, step: int) -> float:
        after = get(self.after)
        if step < self.steps:
            return after(0) * (step + 1) / (self.steps + 1)
        return after(step - self.steps)


@dataclass(frozen=True)
class Stages(_Formula):
    """One schedule, then another: rate(t) = first(t) for t < steps, else after(t - steps).

    Units: steps is the length of the first.
    """

    first: Schedule | float
    steps: int
    after: Schedule | float

    def __post_init__(self) -> None:
        for name in ("first", "after"):
            object.__setattr__(self, name, within(f"Stages: {name}", get, getattr(self, name)))
        super().__post_init__()

    def __call__(self, step: int) -> float:
        return get(self.first)(step) if step < self.steps else get(self.after)(step - self.steps)


def _power(base: float, exponent: float) -> float:
    """base ** exponent, infinite where that is beyond all numbers: of a rate that no training outlives."""
    try:
        return float(float(base) ** exponent)
    except OverflowError:
        return math.inf


@dataclass(frozen=True)
class ExponentialDecay(_Formula):
    """rate(t) = initial_learning_rate * decay_rate ** (t / decay_steps); with staircase, of the whole part of t / s."""

    initial_learning_rate: float
    decay_steps: Steps
    decay_rate: float
    staircase: bool = False

    def __call__(self, step: int) -> float:
        done = step / self.decay_steps
        return self.initial_learning_rate * _power(self.decay_rate, math.floor(done) if self.staircase else done)


@dataclass(frozen=True)
class InverseTimeDecay(_Formula):
    """rate(t) = initial_learning_rate / (1 + decay_rate * t / decay_steps); with staircase, of the whole part of t / s.

    Keras's old `SGD(decay=d)` is InverseTimeDecay(rate, 1, d).
    """

    initial_learning_rate: float
    decay_steps: Steps
    decay_rate: float
    staircase: bool = False

    def __call__(self, step: int) -> float:
        done = step / self.decay_steps
        return self.initial_learning_rate / (1.0 + self.decay_rate * (math.floor(done) if self.staircase else done))


@dataclass(frozen=True)
class PiecewiseConstantDecay(_Formula):
    """rate(t) = values[i] for boundaries[i - 1] < t <= boundaries[i].

    Errors: ConfigError unless the boundaries rise and there is one value more than boundaries.
    """

    boundaries: Sequence[int]
    values: Sequence[float]

    def __post_init__(self) -> None:
        name = type(self).__name__
        ends = [whole(one, f"{name}: boundaries", MAX_STEPS, least=0) for one in several(self.boundaries, "boundaries")]
        rates = [number(one, f"{name}: values", 0.0) for one in several(self.values, "values")]
        if len(rates) != len(ends) + 1 or ends != sorted(set(ends)):
            raise ConfigError(
                f"{name}: boundaries must rise, with one value more than boundaries, got boundaries {shown(ends)} and "
                f"values {shown(rates)}"
            )
        object.__setattr__(self, "boundaries", tuple(ends))
        object.__setattr__(self, "values", tuple(rates))

    def __call__(self, step: int) -> float:
        return self.values[bisect_left(self.boundaries, step)]


@dataclass(frozen=True)
class PolynomialDecay(_Formula):
    """rate(t) = end + (initial_learning_rate - end) * (1 - t / decay_steps) ** power, then end; with cycle, decay_steps
    are as many times as many as cover t.

    Units: end is end_learning_rate.
    """

    initial_learning_rate: float
    decay_steps: Steps
    end_learning_rate: float = 0.0001
    power: float = 1.0
    cycle: bool = False

    def __call__(self, step: int) -> float:
        length = self.decay_steps * (max(1, math.ceil(step / self.decay_steps)) if self.cycle else 1)
        left = 1.0 - min(step / length, 1.0)
        fall = self.initial_learning_rate - self.end_learning_rate
        return self.end_learning_rate + fall * _power(left, self.power)


@dataclass(frozen=True)
class CosineDecay(_Formula):
    """From initial_learning_rate to alpha times it along a cosine; with warmup_target, first a climb to that in
    warmup_steps, from which the cosine then falls.

    Source: Loshchilov & Hutter 2017 (SGDR), eq. 5, without restarts.
    """

    initial_learning_rate: float
    decay_steps: Steps
    alpha: float = 0.0
    warmup_target: float | None = None
    warmup_steps: int | None = 0

    def __post_init__(self) -> None:
        if self.warmup_target is not None:
            number(self.warmup_target, "CosineDecay: warmup_target", 0.0)
        climb = 0 if self.warmup_steps is None else self.warmup_steps
        object.__setattr__(self, "warmup_steps", whole(climb, "CosineDecay: warmup_steps", MAX_STEPS, least=0))
        super().__post_init__()

    def __call__(self, step: int) -> float:
        climb = 0 if self.warmup_target is None or self.warmup_steps is None else self.warmup_steps
        top = self.initial_learning_rate if self.warmup_target is None else self.warmup_target
        if step < climb:
            return self.initial_learning_rate + (top - self.initial_learning_rate) * step / climb
        done = min((step - climb) / self.decay_steps, 1.0)
        return top * (self.alpha + (1.0 - self.alpha) * (1.0 + math.cos(math.pi * done)) / 2.0)


@dataclass(frozen=True)
class CosineDecayRestarts(_Formula):
    """A cosine from initial_learning_rate to alpha times it, again and again: each time t_mul times as long, and from a
    rate m_mul times as high.

    Errors: ConfigError for a t_mul below 1.
    Source: Loshchilov & Hutter 2017 (SGDR), eq. 5.
    """

    initial_learning_rate: float
    first_decay_steps: Steps
    t_mul: float = 2.0
    m_mul: float = 1.0
    alpha: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.t_mul < 1:
            raise ConfigError(f"CosineDecayRestarts: t_mul must be at least 1, got {shown(self.t_mul)}")

    def __call__(self, step: int) -> float:
        done = step / self.first_decay_steps
        if self.t_mul == 1.0:
            restarts = math.floor(done)
            done -= restarts
        else:
            restarts = math.floor(math.log(1.0 - done * (1.0 - self.t_mul)) / math.log(self.t_mul))
            before = (1.0 - self.t_mul**restarts) / (1.0 - self.t_mul)
            done = (done - before) / self.t_mul**restarts
        cosine = 0.5 * _power(self.m_mul, restarts) * (1.0 + math.cos(math.pi * done))
        return self.initial_learning_rate * ((1.0 - self.alpha) * cosine + self.alpha)


_CLASSES: dict[str, type[Schedule]] = {
    cls.__name__: cls
    for cls in (
        Constant, Step, Cosine, WarmUp, Stages, ExponentialDecay, InverseTimeDecay, PiecewiseConstantDecay,
        PolynomialDecay, CosineDecay, CosineDecayRestarts,
    )
}  # fmt: skip
NAMES = ("constant", "step", "cosine", "warm_up")
"""Every schedule `get` knows by name."""


def get(
    spec: float | str | Schedule | Mapping[str, Any], *, learning_rate: float | None = None, steps: int | None = None
) -> Schedule:
    """The schedule that `spec` names: a number, a Schedule, a stored config, of Keras's too, or a name.

    A name is fitted to a run of `steps` steps from `learning_rate`: "constant"; "step" (a tenth after each third);
    "cosine" (to zero at the end); "warm_up" (a climb over the first twentieth, then the cosine).
    Errors: ConfigError for an unknown name, or a name without the two numbers.
    """
    if isinstance(spec, Schedule):
        return spec
    if isinstance(spec, Mapping):
        given = {"type": spec["class_name"], **spec["config"]} if {"class_name", "config"} <= spec.keys() else spec
        return described("schedule", given, _CLASSES)
    if isinstance(spec, str):
        return _by_name(spec, learning_rate, steps)
    if isinstance(spec, bool) or not isinstance(spec, Real):
        raise ConfigError(f"a learning rate is a number, a schedule or a schedule's name, got {shown(spec)}")
    return Constant(number(spec, "learning rate", 0.0))


def _by_name(name: str, learning_rate: float | None, steps: int | None) -> Schedule:
    plain = name.lower().replace("-", "_").replace("warmup", "warm_up")
    if plain not in NAMES:
        raise unknown_name("schedule", name, NAMES)
    if learning_rate is None:
        raise ConfigError(f"the schedule {name!r} needs a learning rate to start from, got none")
    if plain == "constant":
        return Constant(learning_rate)
    if steps is None:
        raise ConfigError(f"the schedule {name!r} needs the number of steps of the run, got none")
    whole(steps, "steps", MAX_STEPS)
    if plain == "step":
        return Step(learning_rate, every=max(1, math.ceil(steps / 3)))
    if plain == "cosine":
        return Cosine(learning_rate, steps)
    climb = max(1, steps // 20)
    return WarmUp(Cosine(learning_rate, max(1, steps - climb)), climb)
