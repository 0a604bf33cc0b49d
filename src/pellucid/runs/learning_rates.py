"""The learning-rate range test: a short training whose rate rises in every step, and what its loss says.

Source: Smith 2017, "Cyclical learning rates for training neural networks", section 3.3.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from pellucid._display import Brief
from pellucid._modules import refused
from pellucid.errors import ConfigError, DivergedError
from pellucid.ops.geometry import Array, number
from pellucid.runs.console import Console
from pellucid.runs.run import train_run

if TYPE_CHECKING:
    from pellucid.train import Event, Stop

LOWEST, HIGHEST, STEPS = 1e-6, 1.0, 200
SMOOTHING = 0.9
"""Of what came before, in the mean over the last steps that is looked at."""

TOO_HIGH = 4.0
"""Times the least loss, at which the test ends."""

STEEP = 10.0
"""The rate that is proposed lies so much below that of the least loss, where it still falls quickly."""

REFUSED = ("learning_rate", "csv", "tensorboard", "mlflow", "epochs", "patience", "out")
"""Arguments of `train_run` that mean nothing here."""


@dataclass(frozen=True, repr=False)
class LearningRates(Brief):
    """What a range test found. proposal: a rate to train with. Shapes: (steps,) each."""

    rates: Array
    losses: Array
    smoothed: Array
    proposal: float


@dataclass
class _Watching:
    """Hears the loss of every step, and ends the test once it is far above the least, or after `steps`."""

    every_batch: ClassVar[bool] = True

    steps: int
    losses: list[float] = field(default_factory=list)
    smoothed: list[float] = field(default_factory=list)
    _mean: float = 0.0
    _seen: int = 0
    _total: float = 0.0

    def __call__(self, event: Event) -> Stop | None:
        from pellucid.train import BatchEnded, EpochStarted, Stop

        if isinstance(event, EpochStarted):
            self._seen, self._total = 0, 0.0
        if isinstance(event, BatchEnded):  # whose numbers are means over the epoch so far
            self._seen += event.num_samples
            total = event.logs["loss"] * self._seen
            loss, self._total = (total - self._total) / event.num_samples, total
            self._mean = SMOOTHING * self._mean + (1 - SMOOTHING) * loss
            self.losses.append(loss)
            self.smoothed.append(self._mean / (1 - SMOOTHING ** len(self.losses)))
            if len(self.losses) >= self.steps or not self.smoothed[-1] < TOO_HIGH * min(self.smoothed):
                return Stop("the rates are gone through")
        return None


class _Silent(Console):
    """Says no result of the short training, which is none; draws and judges nothing."""

    stopped = True

    def __init__(self, console: Console, watching: _Watching) -> None:
        super().__init__(console.verbose, [watching])
        self._console = console
        self.note, self.option, self.bar = console.note, console.option, console.bar  # type: ignore[method-assign]

    def say(self, text: str) -> None:
        """Nothing."""

    def data(self, dataset: Any, *, known: bool = False) -> None:
        """As whoever asked has it."""
        self._console.data(dataset, known=known)

    def watching(self) -> Any:
        """The test alone."""
        from contextlib import nullcontext

        return nullcontext(list(self._callbacks))


def find_learning_rate(
    *,
    lowest: float = LOWEST,
    highest: float = HIGHEST,
    steps: int = STEPS,
    console: Console | None = None,
    verbose: int | str = "auto",
    **arguments: Any,
) -> LearningRates:
    """Train for a few steps, each with a higher rate, and see where the loss falls; nothing trained is kept.

    lowest, highest, steps: the rates that are gone through, evenly in their logarithm. arguments: as `train_run` takes
    them, model and data first of all.
    Errors: ConfigError for an argument that means nothing here, or where the loss never falls; as `train_run`.
    """
    wrong = refused(train_run, "find_learning_rate", (), arguments)
    if wrong is not None:
        raise wrong
    given = [name for name in REFUSED if arguments.pop(name, None) is not None]
    if given:
        raise ConfigError(f"a range test has rates and epochs of its own; leave {', '.join(given)} out")
    first = number(lowest, "lowest", 0.0, highest)
    rise = {"type": "ExponentialDecay", "initial_learning_rate": first, "decay_steps": steps - 1}
    settings = {**(arguments.pop("settings", None) or {}), "schedule": None}
    settings["learning_rate"] = {**rise, "decay_rate": highest / first}
    once = {"doctor": False, "test_limit": 1, "epochs": steps}
    once |= {"fine_tune": 0} if arguments.get("pretrained") else {}
    watching = _Watching(steps)
    with tempfile.TemporaryDirectory() as folder:
        try:
            silent = _Silent(console or Console(verbose), watching)
            train_run(**{**arguments, **once}, settings=settings, out=Path(folder) / "run", console=silent)
        except DivergedError:  # with too high a rate, as is to be seen
            pass
    return _found(watching, first, highest, steps)


def _found(watching: _Watching, lowest: float, highest: float, steps: int) -> LearningRates:
    smoothed, losses = np.array(watching.smoothed), np.array(watching.losses)
    rates = lowest * (highest / lowest) ** (np.arange(len(losses)) / (steps - 1))
    least = int(smoothed.argmin()) if len(smoothed) else 0
    if least < 5 or smoothed[least] >= 0.98 * smoothed[: max(least // 4, 1)].mean():
        raise ConfigError(
            f"the loss falls at no rate from {lowest:g} to {highest:g}, so none can be proposed; look at the data first"
        )
    return LearningRates(rates, losses, smoothed, float(f"{rates[least] / STEEP:.1g}"))
