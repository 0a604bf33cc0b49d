"""The training loop; feeding, stepping, judging, staging and keeping are parts beside it, each in its file."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.engines import Training
from pellucid.errors import ConfigError, DivergedError
from pellucid.plan import COUNT, new_totals
from pellucid.train.checkpoints import Checkpoints, Saved
from pellucid.train.config import TrainConfig
from pellucid.train.distributed import Alone, Processes
from pellucid.train.events import (
    BatchEnded,
    EpochEnded,
    EpochStarted,
    EvaluationStarted,
    Event,
    FineTuningStarted,
    Listener,
    PicturesJudged,
    Stop,
    TrainingEnded,
    TrainingStarted,
    wants_every_batch,
    writes,
)
from pellucid.train.examples import Examples
from pellucid.train.feeding import Feeder
from pellucid.train.history import History, means, named
from pellucid.train.judging import evaluate, improves
from pellucid.train.keeping import Keeper
from pellucid.train.measuring import Measuring
from pellucid.train.resume import settings_of
from pellucid.train.sharding import in_shards
from pellucid.train.staging import Staging
from pellucid.train.state import TrainingState
from pellucid.train.stepping import Diverged, Steps, in_stretches, one_by_one
from pellucid.train.trainable import Trainable

ELSEWHERE = "another process was asked to stop"
"""Why a process stops that was not asked itself."""


class _Stopped(Exception):
    """A listener wants to stop amid an epoch."""


class Trainer:
    """Trains a model on examples, epoch by epoch, and judges it on held-out ones after each."""

    def __init__(
        self,
        model: Trainable,
        examples: Examples,
        config: TrainConfig,
        *,
        validation: Examples | None = None,
        augment: Any = None,
        listeners: Sequence[Listener] = (),
        folder: Path | None = None,
        checkpoints: Checkpoints | None = None,
        first_epoch: int = 0,
        validation_freq: int = 1,
        processes: Processes | None = None,
    ) -> None:
        """folder: where a large file may lie while this runs; by default in the user's cache.

        checkpoints: where the training is kept, so that `resume` can go on with it; None: nowhere.
        first_epoch: the number of the first, where others were trained before. validation_freq: after how many epochs
        each it judges on held-out pictures. processes: which train this model together; None: this one alone.
        """
        self.model, self.examples, self.validation, self.config = model, examples, validation, config
        self._processes: Processes = processes or Alone()
        first = self._processes.rank == 0
        self.listeners = tuple(listener for listener in listeners if first or not writes(listener))
        self._watched = any(map(wants_every_batch, self.listeners))
        self.state = TrainingState(model.optimizer_state, totals=new_totals(examples.targets, model.graph.output_shape))
        self.state.epoch, self._validation_freq = first_epoch, validation_freq
        self._staging = Staging(model, examples, validation, config, augment, folder, self._processes)
        self.num_steps = len(self._staging.feeder)
        settings = partial(settings_of, model, examples, validation, config)
        self._measuring = Measuring(model, self._staging.accuracy)
        if self._measuring and config.shards > 1:
            names = ", ".join(self._measuring.results())
            raise ConfigError(f"{names}: is measured on whole batches, which shards={config.shards} cuts; leave it out")
        kept = (*self.listeners, self._measuring) if self._measuring else self.listeners
        self._plan: Training | None = None
        self._keeper = Keeper(model, checkpoints, settings, kept, self.num_steps, self._settle)
        self._stop: Stop | None = None
        self._start_s = 0.0

    def resume(self, saved: Saved) -> None:
        """Let `run` go on where a checkpoint was written.

        Errors: ConfigError where model, settings or pictures are others than then; CheckpointError for what no
        training can have written.
        """
        self._keeper.bring_back(saved, self.state)

    def run(self) -> History:
        """Train for `config.epochs` epochs or until a listener says stop.

        Errors: DivergedError when a loss is not finite; the parameters are then those before that step. ConfigError
        while another thread trains the model.
        """
        with self.model.turns.training(self.model.name):
            try:
                return self._run()
            except Diverged as found:
                self._end(found.what, diverged=True)
                if self._stop:
                    return self.state.history
                raise DivergedError(str(found)) from None
            finally:
                self._settle()
                self._plan = None

    def _run(self) -> History:
        state, epochs = self.state, self.config.epochs
        self.model.stop_training = False
        plan = self._staging.make_plan()
        self._keeper.keep(state)
        self._emit(self._started())
        with contextlib.suppress(_Stopped):  # amid an epoch, which has not ended then
            while state.epoch < epochs and not self._stops():
                self._insist(EpochStarted(state.epoch))
                plan = self._plan = self._staging.renewed(plan, state.epoch, self._insist)
                if (state.epoch, state.batch) == (self.config.fine_tune_from, 0):
                    for moment in state.optimizer.slots.values():  # of the head, which has come to rest
                        moment[...] = 0
                    self._insist(self._fine_tuning(plan))
                plan.totals[:] = state.totals
                state.totals = plan.totals
                if not state.batch:
                    self._measuring.begin()
                self._start_s = time.perf_counter() - state.elapsed_s
                for steps in self._steps(plan):
                    self._measuring.add(plan, steps.n)
                    self._stepped(steps)
                self._end_epoch()
        self._keeper.keep(state)
        self._end(self._stop.reason if self._stop else "all epochs done")
        return state.history

    def _started(self) -> TrainingStarted:
        state, model, size, count = self.state, self.model, self.config.batch_size, len(self.examples)
        held, epochs = len(self.validation or ()), self.config.epochs
        frozen = self.config.frozen_epochs
        return TrainingStarted(state.epoch, epochs, self.num_steps, count, held, size, model, state.batch, frozen)

    def _fine_tuning(self, plan: Training) -> FineTuningStarted:
        numbers = sum(segment.length for segment in plan.parameters.segments if segment.trainable)
        state, config = self.state, self.config
        accuracy = state.best[0] if np.isfinite(state.best[0]) and self._staging.accuracy else None
        return FineTuningStarted(state.epoch, config.epochs, numbers, config.augment, accuracy)

    def _steps(self, plan: Training) -> Iterator[Steps]:
        """The steps of the epoch that are still to do, as fast as the listeners allow."""
        feeder, shards = self._staging.feeder, self._staging.shards
        if isinstance(feeder, Feeder) and shards.count > 1:
            return in_shards(
                self.model, plan, feeder, self.state, shards, self._processes, lambda: self._stop is not None
            )
        each = self._measuring or self._watched
        if plan.runs_alone and isinstance(feeder, Feeder) and feeder.in_memory and not each:
            return in_stretches(self.model, plan, feeder, self.state)
        return one_by_one(self.model, plan, feeder, self.state)

    def _stepped(self, steps: Steps) -> None:
        """Count steps that were done, and tell."""
        state = self.state
        state.batch, state.learning_rate = steps.batch, steps.learning_rate
        state.elapsed_s = time.perf_counter() - self._start_s
        logs = self._logs()
        self._tell(BatchEnded(state.epoch, steps.batch - 1, state.optimizer.step - 1, steps.count * steps.n, logs))
        if steps.stop:
            self._stop = self._stop or Stop(ELSEWHERE)
            raise _Stopped
        self._start_s += self._keeper.keep_if_due(state, epoch_ended=False)  # which was no training

    def _end_epoch(self) -> None:
        """Judge the epoch whose steps are done, and tell."""
        state, model, held = self.state, self.model, self._staging.now.validation
        judged = held if (state.epoch + 1) % self._validation_freq == 0 else None
        if not np.isfinite(model.parameters.vector).all():  # by the last step, whose loss was still a number
            what = f"the weights became NaN or infinite in epoch {state.epoch + 1}"
            raise Diverged(what, " (by an epsilon of 0, too)")
        logs = self._logs()
        if judged:
            logs.update({f"val_{name}": value for name, value in self._judge(judged).items()})
        classes = self._staging.accuracy is not None
        improved = bool(judged or not held) and improves(state, logs, held_out=bool(judged), classes=classes)
        row = {**named(logs, model.metric_names), "learning_rate": state.learning_rate}
        state.history.append(state.epoch, row, improved=improved)
        speed = state.totals[COUNT] / state.elapsed_s if state.elapsed_s else 0.0
        event = EpochEnded(state.epoch, logs, state.learning_rate, state.elapsed_s, speed, improved, state.waited_s)
        state.end_epoch()
        self._emit(event)
        self._keeper.keep_if_due(state, epoch_ended=True)

    def _logs(self) -> dict[str, float]:
        """What the epoch's steps have come to so far."""
        return means(self.state.totals, self._staging.accuracy) | self._measuring.results()

    def _judge(self, held: Examples) -> dict[str, float]:
        """What the model makes of held-out pictures."""
        epoch, total, stage = self.state.epoch, len(held), self._staging
        self._insist(EvaluationStarted(epoch, total))
        logs = evaluate(
            self.model,
            held,
            self.config.batch_size,
            accuracy=stage.accuracy,
            graph=stage.now.graph,
            measuring=self._measuring,
            make=stage.engine.evaluation,
            tell=lambda done, logs: self._tell(PicturesJudged(epoch, done, total, logs)),
            processes=self._processes if self.config.shards > 1 else None,
        )
        if self._stops():
            raise _Stopped
        return logs

    def _end(self, reason: str, *, diverged: bool = False) -> None:
        history = self.state.history
        best = history.best_epoch if history.best_epoch is not None else -1
        self._emit(TrainingEnded(reason, len(history.epoch), best, diverged))

    def _insist(self, event: Event) -> None:
        """Emit an event to which all processes come. Errors: _Stopped once somebody wants to stop."""
        self._emit(event)
        if self._stops():
            raise _Stopped

    def _tell(self, event: Event) -> None:
        """Emit an event to which each process comes by itself. Errors: _Stopped where this is the only one."""
        self._emit(event)
        if self._stop and self._processes.world == 1:
            raise _Stopped

    def _stops(self) -> bool:
        """Whether a process wants to stop; all are asked, and get the same answer."""
        wishes = np.array([float(self._stop is not None)])
        self._processes.reduce(wishes)
        if wishes[0] and self._stop is None:
            self._stop = Stop(ELSEWHERE)
        return bool(wishes[0])

    def _settle(self) -> None:
        """Let the model have what the plan has changed."""
        if self._plan is not None:
            self._plan.settle()

    def _emit(self, event: Event) -> None:
        if self._watched or not isinstance(event, BatchEnded):  # at the end of a stretch nobody looks at the weights
            self._settle()
        for listener in self.listeners:
            answer = listener(event)
            if isinstance(answer, Stop):
                self._stop = answer
        if self.model.stop_training and self._stop is None:
            self._stop = Stop("stop_training was set")
