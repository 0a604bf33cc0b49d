"""Learning rates over time. A schedule is a function of the step alone: step 0 is the first update.

Nothing is counted inside, so a resumed run gets the same rates. An epoch is `steps_per_epoch` steps.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from numbers import Real
from typing import Any

from pellucid._arguments import made, within
from pellucid.errors import ConfigError, shown, unknown_name
from pellucid.ops.geometry import number, whole

MAX_STEPS = 2**53
"""Steps of a schedule: their number divides exactly."""

__all__ = [
    "NAMES",
    "Constant",
    "Cosine",
    "Schedule",
    "Step",
    "WarmUp",
    "get",
]


class Schedule:
    """A learning rate for every step: `schedule(step)`."""

    def __call__(self, step: int) -> float:
        """The learning rate of this step, counted from 0."""
        raise NotImplementedError

    def config(self) -> dict[str, Any]:
        """What `get` turns back into this schedule, ready for JSON; of one of your own, the name of its class."""
        return {"type": type(self).__name__}


def _check_rate(name: str, value: float) -> None:
    number(value, name, 0.0)


def _check_steps(name: str, value: int) -> None:
    whole(value, name, MAX_STEPS)


@dataclass(frozen=True)
class Constant(Schedule):
    """rate(t) = value."""

    value: float

    def __post_init__(self) -> None:
        _check_rate("Constant: value", self.value)

    def __call__(self, step: int) -> float:
        return self.value

    def config(self) -> dict[str, Any]:
        return {"type": "Constant", **asdict(self)}


@dataclass(frozen=True)
class Step(Schedule):
    """rate(t) = initial * factor ** floor(t / every).

    Units: every in steps.
    """

    initial: float
    every: int
    factor: float = 0.1

    def __post_init__(self) -> None:
        _check_rate("Step: initial", self.initial)
        _check_rate("Step: factor", self.factor)
        _check_steps("Step: every", self.every)

    def __call__(self, step: int) -> float:
        try:
            return float(self.initial * float(self.factor) ** (step // self.every))
        except OverflowError:  # of a factor above 1: a rate that no training outlives
            return math.inf

    def config(self) -> dict[str, Any]:
        return {"type": "Step", **asdict(self)}


@dataclass(frozen=True)
class Cosine(Schedule):
    """rate(t) = final + (initial - final) * (1 + cos(pi * min(t / steps, 1))) / 2.

    Units: steps is the length of the fall; afterwards the rate stays at `final`.
    Source: Loshchilov & Hutter 2017 (SGDR), eq. 5, without restarts.
    """

    initial: float
    steps: int
    final: float = 0.0

    def __post_init__(self) -> None:
        _check_rate("Cosine: initial", self.initial)
        _check_rate("Cosine: final", self.final)
        _check_steps("Cosine: steps", self.steps)

    def __call__(self, step: int) -> float:
        done = min(step / self.steps, 1.0)
        return self.final + (self.initial - self.final) * (1.0 + math.cos(math.pi * done)) / 2.0

    def config(self) -> dict[str, Any]:
        return {"type": "Cosine", **asdict(self)}


@dataclass(frozen=True)
class WarmUp(Schedule):
    """A climb, then another schedule: rate(t) = after(0) * (t + 1) / (steps + 1) for t < steps, else after(t - steps).

    Units: steps is the length of the climb. No step has rate 0.
    Source: Goyal et al. 2017, section 2.2.
    """

    after: Schedule | float
    steps: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "after", within("WarmUp: after", get, self.after))
        _check_steps("WarmUp: steps", self.steps)

    def __call__(self, step: int) -> float:
        after = get(self.after)
        if step < self.steps:
            return after(0) * (step + 1) / (self.steps + 1)
        return after(step - self.steps)

    def config(self) -> dict[str, Any]:
        return {"type": "WarmUp", "after": get(self.after).config(), "steps": self.steps}


_CLASSES: dict[str, type[Schedule]] = {cls.__name__: cls for cls in (Constant, Step, Cosine, WarmUp)}
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
        arguments = dict(spec)
        cls = _CLASSES.get(str(arguments.pop("type", None)))
        if cls is None:
            raise unknown_name("schedule", spec.get("type"), _CLASSES)
        if "after" in arguments:
            arguments["after"] = get(arguments["after"])
        return made(cls, arguments, cls.__name__)  # type: ignore[no-any-return]
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
    _check_steps("steps", steps)
    if plain == "step":
        return Step(learning_rate, every=max(1, math.ceil(steps / 3)))
    if plain == "cosine":
        return Cosine(learning_rate, steps)
    climb = max(1, steps // 20)
    return WarmUp(Cosine(learning_rate, max(1, steps - climb)), climb)
