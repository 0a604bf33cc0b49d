"""What the steps of an epoch run and on what, renewed where layers were frozen, thawed or changed between epochs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pellucid.layers.graph import Graph
from pellucid.plan import Feed, TrainingPlan, accuracy_kind
from pellucid.train.config import TrainConfig
from pellucid.train.events import Event
from pellucid.train.examples import Examples
from pellucid.train.features import Stage, base_state, stage_of
from pellucid.train.feeding import Feeder, make_feed
from pellucid.train.trainable import Trainable


def training_plan(
    model: Trainable, feed: Feed, *, seed: int, accuracy: str | None, graph: Graph | None = None
) -> TrainingPlan:
    """The step that a compiled model takes; makes the optimizer's slots where they are missing.

    graph: the last layers alone, where the feed holds what goes into them. Default: all.
    """
    model.prepare_slots()
    return TrainingPlan(
        model.graph if graph is None else graph,
        model.parameters,
        loss=model.loss,
        optimizer=model.optimizer,
        slots=model.optimizer_state.slots,
        feed=feed,
        seed=seed,
        accuracy=accuracy,
    )


@dataclass
class Staging:
    """The layers that train, on pictures or on what the frozen ones before them give; their feeder and their plan."""

    model: Trainable
    examples: Examples
    validation: Examples | None
    config: TrainConfig
    augment: Any
    folder: Path | None

    def __post_init__(self) -> None:
        self.accuracy = accuracy_kind(self.model.loss.joint_activation, self.examples.targets)
        """What counts as right."""
        self._base: object = None
        self._enter(Stage(self.model.graph, self.examples, self.validation))

    def make_plan(self) -> TrainingPlan:
        """A plan for the steps as they are now."""
        feed = make_feed(self.model, self.now.examples, self.config.batch_size, staged=not self.feeder.in_memory)
        return training_plan(self.model, feed, seed=self.config.seed, accuracy=self.accuracy, graph=self.now.graph)

    def renewed(self, plan: TrainingPlan, epochs: int, tell: Callable[[Event], bool]) -> TrainingPlan:
        """The plan for the next epoch: the one there is, as long as nobody froze, thawed or changed a layer.

        epochs: how many are to come. tell: hands an event to whoever listens; its answer False ends the work.
        """
        parameters = self.model.parameters  # laid out anew after such a change
        changed = self._renew(epochs, tell)
        return self.make_plan() if changed or parameters is not plan.parameters else plan

    def _renew(self, epochs: int, tell: Callable[[Event], bool]) -> bool:
        """Keep what the frozen first layers give, or let go of what they no longer do; whether anything changed."""
        base = base_state(self.model.graph)
        if base == self._base or not self.config.cache_features:
            return False
        self._base = base
        stage = stage_of(
            self.model,
            self.examples,
            self.validation,
            batch_size=self.config.batch_size,
            epochs=epochs,
            augmented=self.augment is not None,
            folder=self.folder,
            tell=tell,
        )
        if stage.examples is self.now.examples:
            return False
        self._enter(stage)
        return True

    def _enter(self, stage: Stage) -> None:
        self.now, self.feeder = stage, Feeder(stage.examples, self.config, self.augment)
