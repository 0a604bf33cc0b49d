"""The training loop: about ten readable lines, and events for everybody who wants to know."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.datasets.batches import Batch, Batches, epoch_order
from pellucid.errors import CheckpointError, DivergedError
from pellucid.layers.graph import Graph
from pellucid.ops.geometry import Array
from pellucid.plan import COUNT, LOSS, EvaluationPlan, Feed, TrainingPlan, accuracy_kind, penalty_loss
from pellucid.train.checkpoints import Checkpoints, Saved
from pellucid.train.config import TrainConfig
from pellucid.train.events import (
    STRETCH_S,
    BatchEnded,
    EpochEnded,
    EpochStarted,
    EvaluationStarted,
    Event,
    Listener,
    PicturesJudged,
    Stop,
    TrainingEnded,
    TrainingStarted,
    wants_every_batch,
)
from pellucid.train.examples import Examples, Trainable, make_feed
from pellucid.train.features import Stage, base_state, stage_of
from pellucid.train.history import History, means, named
from pellucid.train.resume import Place, pack, settings_of, unpack


class _Stopped(Exception):
    """A listener wants to stop while held-out pictures are judged."""


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
    ) -> None:
        """folder: where a large file may lie while this runs; by default in the user's cache.

        checkpoints: where the training is kept, so that `resume` can go on with it; None: nowhere.
        """
        self.model, self.examples, self.validation, self.config = model, examples, validation, config
        self.listeners = tuple(listeners)
        self.history = History()
        self._stop: Stop | None = None
        self._accuracy = accuracy_kind(model.loss.joint_activation, examples.targets)
        self._augment, self._folder = augment, folder
        self._base: object = None
        self._enter(Stage(model.graph, examples, validation))
        self._best: tuple[float, float] = (-np.inf, -np.inf)
        self._checkpoints = checkpoints
        self._settings: dict[str, Any] | None = None
        self._place, self._kept = Place(), False
        self._start_s = 0.0

    def resume(self, saved: Saved, *, rescheduled: bool = False) -> None:
        """Let `run` go on where a checkpoint was written.

        rescheduled: with the optimizer's learning rate as it is now, and not as it was then.
        Errors: ConfigError where model, settings or pictures are others than then; CheckpointError for what no
        training can have written.
        """
        self._place, self.history, self._best = unpack(
            saved, self.model, self._fixed(), self.listeners, rescheduled=rescheduled
        )
        if self._place.batch > len(self._batches):
            raise CheckpointError(f"{saved.path}: batch {self._place.batch} of an epoch of {len(self._batches)}")
        self._kept = True

    def run(self) -> History:
        """Train for `config.epochs` epochs or until a listener says stop.

        Errors: DivergedError when a loss is not finite; the parameters are then those before that step. ConfigError
        while another thread trains the model.
        """
        with self.model.turns.training(self.model.name):
            return self._run()

    def _run(self) -> History:
        model, config, examples, place = self.model, self.config, self.examples, self._place
        plan = self._make_plan()
        held = len(self.validation) if self.validation else 0
        steps = len(self._batches)
        self._keep()
        self._emit(
            TrainingStarted(
                place.epoch, config.epochs, steps, len(examples), held, config.batch_size, model, place.batch
            )
        )
        while place.epoch < config.epochs and not self._stop:
            self._emit(EpochStarted(place.epoch))
            parameters = model.parameters  # laid out anew if a listener has frozen, thawed or changed a layer
            if self._renew_stage(config.epochs - place.epoch) or parameters is not plan.parameters:
                plan = self._make_plan()
            if self._stop:
                break
            plan.totals[:] = place.totals
            place.totals = plan.totals
            self._start_s = time.perf_counter() - place.elapsed_s
            self._train_epoch(plan)
            if self._stop or not self._end_epoch(plan):
                break  # amid the epoch, which has not ended
        self._keep()
        self._end(self._stop.reason if self._stop else "all epochs done")
        return self.history

    def _train_epoch(self, plan: TrainingPlan) -> None:
        """The batches of an epoch that are still to do."""
        if plan.runs_alone and self._batches.in_memory and not any(map(wants_every_batch, self.listeners)):
            self._train_in_stretches(plan)
            return
        model, first = self.model, self._place.batch
        for batch, n in enumerate(self._feed_batches(plan.feed, first), first):
            step = model.optimizer_step
            rate = model.optimizer.learning_rate_at(step)
            with self._stepping():
                whole = plan.run(n, step=step, learning_rate=rate)
                model.optimizer_step += whole
            if not whole:
                raise self._diverged_at(plan.totals, batch, rate)
            if not self._stepped(batch + 1, 1, n, rate):
                break

    def _train_in_stretches(self, plan: TrainingPlan) -> None:
        """The same steps, with the same bits, as many in a call as take about STRETCH_S."""
        model, count, size = self.model, len(self.examples), self.config.batch_size
        self._reorder(plan.feed)
        batch, steps = self._place.batch, 1
        while batch * size < count:
            n = min(size, count - batch * size)  # the last batch may be smaller: a stretch of its own
            steps = max(1, min(steps, (count - batch * size) // size))
            first = model.optimizer_step
            rates = [model.optimizer.learning_rate_at(first + i) for i in range(steps)]
            start = time.perf_counter()
            with self._stepping():
                done, totals = plan.run_steps(n, position=batch * size, step=first, learning_rates=rates)
                model.optimizer_step += done
            each_s = (time.perf_counter() - start) / max(done, 1)
            if done < steps and not np.isfinite(totals[done]).all():
                raise self._diverged_at(totals[done], batch + done, rates[done])
            batch += done  # fewer where memory ran out amid them, which the next stretch then says
            if not self._stepped(batch, done, n, rates[done - 1]):
                break
            steps = max(1, int(STRETCH_S / max(each_s, 1e-6)))

    @contextmanager
    def _stepping(self) -> Iterator[None]:
        """The weights are this thread's, and have changed however this ends: an interrupt comes right after a step."""
        with self.model.turns.taken():
            try:
                yield
            finally:
                self.model.touch()

    def _stepped(self, batch: int, steps: int, n: int, rate: float) -> bool:
        """So many steps of n pictures each were done, `batch` in the epoch by now; False if somebody wants to stop."""
        model, place = self.model, self._place
        place.batch, place.learning_rate = batch, rate
        place.elapsed_s, self._kept = time.perf_counter() - self._start_s, False
        event = BatchEnded(
            place.epoch, batch - 1, model.optimizer_step - 1, steps * n, means(place.totals, self._accuracy)
        )
        if self._tell(event) and self._checkpoints is not None and self._checkpoints.due(epoch_ended=False):
            self._keep()
        return self._stop is None

    def _keep(self) -> None:
        """Write a checkpoint, unless there is one of this very place."""
        if self._checkpoints is None or self._kept:
            return
        start, place = time.perf_counter(), self._place
        tensors, facts = pack(
            self.model,
            self._fixed(),
            place,
            self.history,
            self._best,
            self.listeners,
            gradients=place.batch == len(self._batches),
        )
        self._checkpoints.write(tensors, facts, epochs=place.epoch, steps=place.batch)
        self._kept = True
        self._start_s += time.perf_counter() - start  # which was no training

    def _fixed(self) -> dict[str, Any]:
        """What must stay for a training that goes on, as it was before the first step."""
        if self._settings is None:
            self._settings = settings_of(self.model, self.examples, self.validation, self.config)
        return self._settings

    def _make_plan(self) -> TrainingPlan:
        stage = self._stage
        feed = make_feed(self.model, stage.examples, self.config.batch_size, staged=not self._batches.in_memory)
        return TrainingPlan.of(self.model, feed, seed=self.config.seed, accuracy=self._accuracy, graph=stage.graph)

    def _enter(self, stage: Stage) -> None:
        """Run these layers on these examples from now on."""
        config = self.config
        self._stage = stage
        self._batches = Batches(
            stage.examples.images,
            stage.examples.targets,
            config.batch_size,
            seed=config.seed,
            shuffle=config.shuffle,
            augment=self._augment,
        )

    def _renew_stage(self, epochs: int) -> bool:
        """Keep what the frozen first layers give, or let go of what they no longer do; whether anything changed."""
        model = self.model
        base = base_state(model.graph)
        if base == self._base or not self.config.cache_features:
            return False
        self._base = base
        stage = stage_of(
            model,
            self.examples,
            self.validation,
            batch_size=self.config.batch_size,
            epochs=epochs,
            augmented=self._augment is not None,
            folder=self._folder,
            tell=self._tell,
        )
        changed = stage.examples is not self._stage.examples
        if changed:
            self._enter(stage)
        return changed

    def _reorder(self, feed: Feed) -> None:
        """The order goes by the epochs the model has seen, so a second `fit` does not repeat that of the first."""
        order = epoch_order(
            len(self.examples), seed=self.config.seed, epoch=self.model.num_epochs, shuffle=self.config.shuffle
        )
        feed.reorder(order)

    def _feed_batches(self, feed: Feed, first: int) -> Iterator[int]:
        """Bring each batch of an epoch from this one on into reach of the plan; yields its number of pictures."""
        count, size, epoch = len(self.examples), self.config.batch_size, self.model.num_epochs
        self._reorder(feed)
        starts = range(first * size, count, size)
        if self._batches.in_memory:
            for start in starts:
                feed.seek(start)
                yield min(size, count - start)
        else:
            for start, batch in zip(starts, self._timed(self._batches.epoch(epoch, first=first)), strict=True):
                feed.stage(batch.images)
                feed.seek(start)
                yield len(batch)

    def _timed(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """The same batches; the time that they kept the steps waiting is added up."""
        asked_s = time.perf_counter()
        for batch in batches:
            self._place.waited_s += time.perf_counter() - asked_s
            yield batch
            asked_s = time.perf_counter()

    def _end_epoch(self, plan: TrainingPlan) -> bool:
        """Judge the epoch whose steps are done, and tell; False if somebody stopped it before that was over."""
        place, stage, model = self._place, self._stage, self.model
        if not np.isfinite(model.parameters.vector).all():  # by the last step, whose loss was still a number
            raise self._diverged(
                f"the weights became NaN or infinite in epoch {place.epoch + 1}", " (by an epsilon of 0, too)"
            )
        logs = means(plan.totals, self._accuracy)
        if stage.validation:
            try:
                held = self._judge(stage.validation)
            except _Stopped:
                return False
            logs.update({f"val_{name}": value for name, value in held.items()})
        improved = self._improves(logs)
        told = named(logs, model.metric_names)
        self.history.append(place.epoch, {**told, "learning_rate": place.learning_rate}, improved=improved)
        speed = plan.totals[COUNT] / place.elapsed_s if place.elapsed_s else 0.0
        event = EpochEnded(place.epoch, logs, place.learning_rate, place.elapsed_s, speed, improved, place.waited_s)
        model.num_epochs += 1
        place.epoch, place.batch, place.totals = place.epoch + 1, 0, np.zeros(3)
        place.elapsed_s = place.waited_s = 0.0
        self._kept = False
        self._emit(event)
        if self._checkpoints is not None and self._checkpoints.due(epoch_ended=True):
            self._keep()
        return True

    def _judge(self, held: Examples) -> dict[str, float]:
        """What the model makes of held-out pictures. Errors: _Stopped if a listener wants to stop."""
        epoch, total = self._place.epoch, len(held)

        def tell(event: Event) -> None:
            if not self._tell(event):
                raise _Stopped

        tell(EvaluationStarted(epoch, total))
        return evaluate(
            self.model,
            held,
            self.config.batch_size,
            accuracy=self._accuracy,
            graph=self._stage.graph,
            tell=lambda done, outputs: tell(PicturesJudged(epoch, done, total)),
        )

    def _improves(self, logs: dict[str, float]) -> bool:
        """Best so far: higher accuracy, and among equals lower loss; on validation pictures where there are any."""
        prefix = "val_" if self.validation else ""
        loss = logs[f"{prefix}loss"]
        score = (logs.get(f"{prefix}accuracy", 0.0), -loss if np.isfinite(loss) else -np.inf)
        better = score > self._best
        self._best = max(score, self._best)
        return better

    def _diverged_at(self, totals: Array, batch: int, rate: float) -> DivergedError:
        where = f" (epoch {self._place.epoch + 1}, batch {batch + 1}), learning rate {rate:g}"
        kept = f"{where}; the parameters before that step are kept"
        return self._diverged(f"the loss became {totals[LOSS]} at step {self.model.optimizer_step + 1}", kept)

    def _diverged(self, what: str, more: str) -> DivergedError:
        self._end(what)
        remedy = "Try a smaller learning rate, gradient clipping (clipnorm=1), or check that the pictures hold no NaN"
        return DivergedError(f"{what}{more}. {remedy}")

    def _end(self, reason: str) -> None:
        best = self.history.best_epoch if self.history.best_epoch is not None else -1
        self._emit(TrainingEnded(reason, len(self.history.epoch), best))

    def _tell(self, event: Event) -> bool:
        """Emit an event; False once somebody wants to stop."""
        self._emit(event)
        return self._stop is None

    def _emit(self, event: Event) -> None:
        for listener in self.listeners:
            answer = listener(event)
            if isinstance(answer, Stop):
                self._stop = answer


def evaluate(
    model: Trainable,
    examples: Examples,
    batch_size: int,
    *,
    accuracy: str | None = None,
    graph: Graph | None = None,
    tell: Callable[[int, Array], object] | None = None,
) -> dict[str, float]:
    """Mean loss with the weight penalties, as in training, and accuracy for a classifier, over all examples.

    accuracy: what counts as right, see `accuracy_kind`; None: what the targets look like. graph: the last layers
    alone, where the examples hold what goes into them; None: all. tell: hears after each batch how many are done, and
    that batch's outputs, as `EvaluationPlan.run` gives them.
    """
    batches = Batches(examples.images, examples.targets, batch_size, shuffle=False)
    feed = make_feed(model, examples, batch_size, staged=not batches.in_memory)
    accuracy = accuracy or accuracy_kind(model.loss.joint_activation, examples.targets)
    plan = EvaluationPlan(
        model.graph if graph is None else graph, model.parameters, loss=model.loss, feed=feed, accuracy=accuracy
    )
    starts = range(0, len(examples), batch_size)
    pictures: Iterator[Any] = iter(()) if batches.in_memory else batches.epoch(0)
    for start in starts:
        if not batches.in_memory:
            feed.stage(next(pictures).images)
        feed.seek(start)
        n = min(batch_size, len(examples) - start)
        outputs = plan.run(n)
        if tell is not None:
            tell(start + n, outputs)
    logs = means(plan.totals, accuracy)
    logs["loss"] += penalty_loss(model.layers)
    return logs
