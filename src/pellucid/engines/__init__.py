"""Who computes the steps of a training: our own plans, or PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, runtime_checkable

from pellucid._modules import optional
from pellucid.engines import torch as torch
from pellucid.errors import ConfigError, expect_known
from pellucid.layers import Layer
from pellucid.layers.graph import Graph
from pellucid.layers.parameters import FlatParameters
from pellucid.ops.geometry import Array
from pellucid.plan import EvaluationPlan, EvaluationTask, Feed, TrainingPlan, TrainingTask

__all__ = [
    *("DEVICES", "ENGINES", "PRECISIONS", "Accumulating", "Engine", "Judging", "Sharded", "Training", "engine_of"),
    *("torch", "words"),
]

ENGINES = ("pellucid", "torch")
"""Who can compute a training."""
DEVICES = ("cpu", "cuda", "mps")
"""Where engine torch computes."""
PRECISIONS = ("float32", "bfloat16", "float64")
"""In which numbers engine torch computes."""


class Judging(Protocol):
    """Runs the pictures of a feed through a network, with a loss. See `plan.EvaluationPlan`."""

    feed: Feed
    totals: Array

    def run(self, n: int) -> Any: ...
    def answers(self, n: int) -> Array: ...


class _Training(Protocol):
    """Takes the steps of a training. See `plan.TrainingPlan`."""

    feed: Feed
    totals: Array
    parameters: FlatParameters
    begun: int

    @property
    def runs_alone(self) -> bool: ...
    def run(self, n: int, *, step: int, learning_rate: float) -> bool: ...
    def run_steps(self, n: int, *, position: int, step: int, learning_rates: Sequence[float]) -> tuple[int, Array]: ...
    def update(self, n: int, *, step: int, learning_rate: float) -> None: ...
    def answers(self, n: int) -> Array: ...
    def settle(self) -> None: ...


class Sharded(_Training, Protocol):
    """Computes a batch shard by shard, which somebody else adds up."""

    tell: Callable[[], object]

    @property
    def buckets(self) -> list[tuple[int, int]]: ...
    @property
    def statistics(self) -> list[tuple[Layer, str]]: ...
    def compute(self, n: int, *, key: int) -> bool: ...


@runtime_checkable
class Accumulating(_Training, Protocol):
    """Adds up the shards of a batch by itself, and over the processes that torchrun started."""

    def accumulate(self, pieces: Sequence[int], bring: Iterator[int], *, n: int, key: int) -> None:
        """Gradients and running statistics of a batch of n pictures, for `update`; adds to `totals` what concerns this
        process. All processes call it together.

        pieces: the sizes of this process's shards, one at least. bring: brings the next that is not empty within reach.
        key: what the first draws by, the next ones by those after it.
        """


Training = Sharded | Accumulating
"""A plan that trains: a step on shards, or one whose gradients are added to others' first."""


@dataclass(frozen=True)
class Engine:
    """What makes the plans of a training."""

    training: Callable[[TrainingTask], Training]
    evaluation: Callable[[EvaluationTask], Judging]
    check: Callable[[Graph], None] = lambda graph: None
    """Errors: ConfigError, naming it, for a layer that it cannot compute."""
    title: str = ""
    """What is said of it, in a few words; nothing of our own."""
    accumulates: bool = False
    """Whether its trainings are `Accumulating`, else `Sharded`."""


def engine_of(name: str = "pellucid", device: str = "cpu", precision: str = "float32") -> Engine:
    """The engine of this name. Errors: ConfigError for an unknown one, and for what is not installed or not there."""
    check_engine(name, device, precision)
    if name == "pellucid":
        return Engine(TrainingPlan, EvaluationPlan)
    optional("torch", "torch", "engine torch")
    from pellucid.engines.torch import plans
    from pellucid.engines.torch.device import Device
    from pellucid.engines.torch.table import check

    there = Device(device, precision)
    training, evaluation = partial(plans.TrainingPlan, device=there), partial(plans.EvaluationPlan, device=there)
    return Engine(training, evaluation, check, f"computed by {there}", accumulates=True)


def words(
    engine: str | None, device: str | None, precision: str | None, before: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Engine, device and precision, as they were said or else as usual.

    before: those of a training that goes on, which stay where nothing is said; another engine has its own.
    """
    usual = {"engine": ENGINES[0], "device": DEVICES[0], "precision": PRECISIONS[0]}
    if before is not None and engine in (None, before.get("engine", ENGINES[0])):
        usual = {name: before.get(name, word) for name, word in usual.items()}
    said = {"engine": engine, "device": device, "precision": precision}
    return usual | {name: word for name, word in said.items() if word is not None}


def check_engine(name: str, device: str, precision: str) -> None:
    """Errors: ConfigError for words that there are not, or that do not go together."""
    expect_known("engine", name, ENGINES)
    expect_known("device", device, DEVICES)
    expect_known("precision", precision, PRECISIONS)
    if name == "pellucid" and (device, precision) != (DEVICES[0], PRECISIONS[0]):
        raise ConfigError(f"device={device!r}, precision={precision!r}: our own engine has neither; add engine='torch'")
