"""What the steps of an epoch run and on what, renewed where layers were frozen, thawed or changed between epochs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pellucid.engines import Training, engine_of
from pellucid.layers.graph import Graph
from pellucid.plan import Feed, TrainingPlan, TrainingTask, accuracy_kind, split_base
from pellucid.train.config import TrainConfig
from pellucid.train.distributed import Alone, Processes, Shards
from pellucid.train.events import Event, FeaturesNotKept
from pellucid.train.examples import Examples
from pellucid.train.features import Features, base_state, limits_of
from pellucid.train.feeding import feeder_of
from pellucid.train.trainable import Trainable

KEPT_FROZEN = "batch norm"
"""What fine-tuning leaves as it is, by its role: the means of a batch say more of the batch than of a small folder, and
those of a million photographs, to which all other weights are fitted, would be gone in a few steps."""


def training_plan(
    model: Trainable,
    feed: Feed,
    *,
    seed: int,
    accuracy: str | None,
    graph: Graph | None = None,
    begun: int = 0,
    batch_size: int | None = None,
    make: Callable[[TrainingTask], Any] = TrainingPlan,
) -> Any:
    """The step that a compiled model takes; makes the optimizer's slots where they are missing.

    graph: the last layers alone, where the feed holds what goes into them. Default: all. begun: the step at which the
    moments were zeros. batch_size: of the batches of which the feed holds shards. make: the class of the plan, of
    another engine.
    """
    model.prepare_slots()
    graph, slots = model.graph if graph is None else graph, model.optimizer_state.slots
    last = model.optimizer, slots, seed, begun, batch_size
    return make(TrainingTask(graph, model.parameters, model.loss, feed, accuracy, *last))


@dataclass(frozen=True)
class Stage:
    """What every step of an epoch runs: the last layers of the model, or all, on what goes into them.

    augment: what changes the pictures on their way.
    """

    graph: Graph
    examples: Examples
    validation: Examples | None
    augment: Any = None


@dataclass
class Staging:
    """The layers that train, on pictures or on what the frozen ones before them give; their feeder and their plan.

    folder: where a file for those outputs may be made; None: in the user's cache. processes: which train together.
    """

    model: Trainable
    examples: Examples
    validation: Examples | None
    config: TrainConfig
    augment: Any
    folder: Path | None
    processes: Processes = field(default_factory=Alone)

    def __post_init__(self) -> None:
        self.accuracy = accuracy_kind(self.model.loss.joint_activation, self.examples.targets)
        """What counts as right."""
        self.engine = engine_of(self.config.engine, self.config.device, self.config.precision)
        self._base: object = None
        self._begun = 0
        self.shards = Shards.of(self.config.shards, self.processes, in_tree=not self.engine.accumulates)
        self._enter(self._everything(self.augment))

    def make_plan(self) -> Training:
        """A plan for the steps as they are now."""
        plan: Training = training_plan(
            self.model,
            self.feeder.make_feed(self.model),
            seed=self.config.seed,
            accuracy=self.accuracy,
            graph=self.now.graph,
            begun=self._begun,
            batch_size=self.feeder.batch_size if self.shards.count > 1 else None,
            make=self.engine.training,
        )
        return plan

    def renewed(self, plan: Training, epoch: int, tell: Callable[[Event], object]) -> Training:
        """The plan for an epoch: the one there is, as long as nobody froze, thawed or changed a layer.

        tell: hands an event to whoever listens.
        """
        if self.config.fine_tunes(epoch):
            self._begun = self.config.frozen_epochs * len(self.feeder)
            for layer in self.model.flat_layers:
                layer.trainable = layer.role != KEPT_FROZEN
        parameters = self.model.parameters  # laid out anew after such a change
        changed = self._renew(epoch, tell)
        same = not changed and parameters is plan.parameters and self._begun == plan.begun
        return plan if same else self.make_plan()

    def _renew(self, epoch: int, tell: Callable[[Event], object]) -> bool:
        """Keep what the frozen first layers give, or let go of what they no longer do; whether anything changed."""
        config, base = self.config, base_state(self.model.graph)
        augment = self.augment if config.augments(epoch) else None
        if base == self._base and augment is self.now.augment:
            return False
        self._base = base
        epochs = (config.epochs if config.fine_tunes(epoch) else config.frozen_epochs) - epoch
        kept = self._behind_base(epochs, augment, tell) if config.cache_features else None
        stage = kept or self._everything(augment)
        if stage.examples is self.now.examples and stage.augment is self.now.augment:
            return False
        self._enter(stage)
        return True

    def _everything(self, augment: Any) -> Stage:
        return Stage(self.model.graph, self.examples, self.validation, augment)

    def _behind_base(self, epochs: int, augment: Any, tell: Callable[[Event], object]) -> Stage | None:
        """The layers behind the base on its outputs; None where that is not worth it. epochs: how many are to come."""
        graph = self.model.graph
        base, rest = split_base(graph)
        limits = limits_of(graph, base)
        frozen = any(layer.params for layer in base.layers)
        if epochs < 2 or not (limits or frozen):
            return None  # nothing is frozen, or nothing would be used twice
        if augment is not None:
            tell(FeaturesNotKept("frozen layers run in every epoch: the pictures are augmented"))
            return None
        for limit in limits:
            tell(FeaturesNotKept(f"frozen layers from {limit}"))
        if not frozen:
            return None
        parts = [part for part in (self.examples, self.validation) if part is not None]
        outputs = Features(self.model, base, parts, self.config.batch_size, self.folder, tell).kept()
        if outputs is None:
            return None
        behind = [replace(part, images=array) for part, array in zip(parts, outputs, strict=True)]
        return Stage(rest, behind[0], behind[1] if self.validation is not None else None)

    def _enter(self, stage: Stage) -> None:
        config = self.config
        drawn = {"seed": config.seed, "shuffle": config.shuffle, "augment": stage.augment, "parts": self.shards}
        self.now, self.feeder = stage, feeder_of(stage.examples, config.batch_size, **drawn)
