"""Learning rates over time. A schedule is a function of the step alone: step 0 is the first update.

Nothing is counted inside, so a resumed run gets the same rates. An epoch is `steps_per_epoch` steps.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from numbers import Real
from typing import Any

from pellucid._arguments import described, within
from pellucid._fixed import config_of
from pellucid.errors import ConfigError, shown, unknown_name
from pellucid.ops.geometry import number, whole

MAX_STEPS = 2**53
"""Steps of a schedule: their number divides exactly."""

__all__ = ["NAMES", "Constant", "Cosine", "Schedule", "Stages", "Step", "WarmUp", "get"]


class Schedule:
    """A learning rate for every step: `schedule(step)`."""

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
                whole(value, what, MAX_STEPS)
            elif field.type == "float":
                number(value, what, 0.0)

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
        try:
            return float(self.initial * float(self.factor) ** (step // self.every))
        except OverflowError:  # of a factor above 1: a rate that no training outlives
            return math.inf


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


_CLASSES: dict[str, type[Schedule]] = {cls.__name__: cls for cls in (Constant, Step, Cosine, WarmUp, Stages)}
NAMES = ("constant", "step", "cosine", "warm_up")
"""Every schedule `get` knows by name."""


def get(
    spec: float | str | Schedule | Mapping[str, Any], *, learning_rate: float | None = None, steps: int | None = None
) -> Schedule:
    """The schedule that `spec` names: a number, a Schedule, a stored config, or a name.

    A name is fitted to a run of `steps` steps from `learning_rate`: "constant"; "step" (a tenth after each third);
    "cosine" (to zero at the end); "warm_up" (a climb over the first twentieth, then the cosine).
    Errors: ConfigError for an unknown name, or a name without the two numbers.
    """
    if isinstance(spec, Schedule):
        return spec
    if isinstance(spec, Mapping):
        return described("schedule", spec, _CLASSES)
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
