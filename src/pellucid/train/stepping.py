"""The steps of an epoch: one by one, or many in a call where nobody wants to hear of each."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from pellucid.engines import Training
from pellucid.ops.geometry import Array
from pellucid.plan import LOSS
from pellucid.train.events import STRETCH_S
from pellucid.train.feeding import Feeder
from pellucid.train.state import TrainingState
from pellucid.train.streaming import StreamFeeder
from pellucid.train.trainable import Trainable

REMEDY = "Try a smaller learning rate, gradient clipping (clipnorm=1), or check that the pictures hold no NaN"


@dataclass(eq=False)
class Diverged(Exception):
    """A loss or a weight is no number any more. what: in a few words; more: what follows them in a message."""

    what: str
    more: str

    def __str__(self) -> str:
        return f"{self.what}{self.more}. {REMEDY}"


@dataclass(frozen=True)
class Steps:
    """So many steps of n pictures each were done, `batch` in the epoch by now, the last at this learning rate.

    stop: one of several processes wants to stop, which all know after the same step.
    """

    batch: int
    count: int
    n: int
    learning_rate: float
    stop: bool = False


def one_by_one(
    model: Trainable, plan: Training, feeder: Feeder | StreamFeeder, state: TrainingState
) -> Iterator[Steps]:
    """The steps that the epoch in hand still has. Errors: Diverged, with the parameters as before the step."""
    optimizer = state.optimizer
    for batch, n in enumerate(feeder.batches(plan.feed, state), state.batch):
        rate = model.optimizer.learning_rate_at(optimizer.step)
        with stepping(model):
            whole = plan.run(n, step=optimizer.step, learning_rate=rate)
            optimizer.step += whole
        if not whole:
            raise diverged(state, plan.totals, batch, rate)
        yield Steps(batch + 1, 1, n, rate)


def in_stretches(model: Trainable, plan: Training, feeder: Feeder, state: TrainingState) -> Iterator[Steps]:
    """The same steps, with the same bits, as many in a call as take about STRETCH_S."""
    optimizer, samples, size = state.optimizer, feeder.count, feeder.batch_size
    feeder.reorder(plan.feed, optimizer.num_epochs)
    batch, steps = state.batch, 1
    while batch * size < samples:
        n = min(size, samples - batch * size)  # the last batch may be smaller: a stretch of its own
        steps = max(1, min(steps, (samples - batch * size) // size))
        rates = [model.optimizer.learning_rate_at(optimizer.step + i) for i in range(steps)]
        start = time.perf_counter()
        with stepping(model):
            done, totals = plan.run_steps(n, position=batch * size, step=optimizer.step, learning_rates=rates)
            optimizer.step += done
        each_s = (time.perf_counter() - start) / max(done, 1)
        if done < steps and not np.isfinite(totals[done]).all():
            raise diverged(state, totals[done], batch + done, rates[done])
        batch += done  # fewer where memory ran out amid them, which the next stretch then says
        yield Steps(batch, done, n, rates[done - 1])
        steps = max(1, int(STRETCH_S / max(each_s, 1e-6)))


@contextmanager
def stepping(model: Trainable) -> Iterator[None]:
    """The weights are this thread's, and have changed however this ends: an interrupt comes right after a step."""
    with model.turns.taken():
        try:
            yield
        finally:
            model.touch()


def diverged(state: TrainingState, totals: Array, batch: int, rate: float) -> Diverged:
    """What is raised when the loss of a step is no number. totals: with that loss in it; batch: counts from 0."""
    where = f" (epoch {state.epoch + 1}, batch {batch + 1}), learning rate {rate:g}"
    kept = f"{where}; the parameters before that step are kept"
    return Diverged(f"the loss became {totals[LOSS]} at step {state.optimizer.step + 1}", kept)
