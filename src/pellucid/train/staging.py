"""What the steps of an epoch run and on what, renewed where layers were frozen, thawed or changed between epochs."""

from __future__ import annotations

from collections.abc import Callable
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


class Staging:
    """The layers that train, on pictures or on what the frozen ones before them give; their feeder and their plan."""

    def __init__(
        self,
        model: Trainable,
        examples: Examples,
        validation: Examples | None,
        config: TrainConfig,
        augment: Any,
        folder: Path | None,
    ) -> None:
        self._model, self._examples, self._validation, self._config = model, examples, validation, config
        self._augment, self._folder = augment, folder
        self._base: object = None
        self.accuracy = accuracy_kind(model.loss.joint_activation, examples.targets)
        """What counts as right."""
        self._enter(Stage(model.graph, examples, validation))

    def make_plan(self) -> TrainingPlan:
        """A plan for the steps as they are now."""
        feed = make_feed(self._model, self.now.examples, self._config.batch_size, staged=not self.feeder.in_memory)
        return training_plan(self._model, feed, seed=self._config.seed, accuracy=self.accuracy, graph=self.now.graph)

    def renewed(self, plan: TrainingPlan, epochs: int, tell: Callable[[Event], bool]) -> TrainingPlan:
        """The plan for the next epoch: the one there is, as long as nobody froze, thawed or changed a layer.

        epochs: how many are to come. tell: hands an event to whoever listens; its answer False ends the work.
        """
        parameters = self._model.parameters  # laid out anew after such a change
        changed = self._renew(epochs, tell)
        return self.make_plan() if changed or parameters is not plan.parameters else plan

    def _renew(self, epochs: int, tell: Callable[[Event], bool]) -> bool:
        """Keep what the frozen first layers give, or let go of what they no longer do; whether anything changed."""
        base = base_state(self._model.graph)
        if base == self._base or not self._config.cache_features:
            return False
        self._base = base
        stage = stage_of(
            self._model,
            self._examples,
            self._validation,
            batch_size=self._config.batch_size,
            epochs=epochs,
            augmented=self._augment is not None,
            folder=self._folder,
            tell=tell,
        )
        changed = stage.examples is not self.now.examples
        if changed:
            self._enter(stage)
        return changed

    def _enter(self, stage: Stage) -> None:
        self.now, self.feeder = stage, Feeder(stage.examples, self._config, self._augment)
