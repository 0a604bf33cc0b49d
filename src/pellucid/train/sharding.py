"""The steps of an epoch, each computed shard by shard, perhaps by several processes; see `distributed`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial

import numpy as np

from pellucid.engines import Accumulating, Sharded, Training
from pellucid.ops.geometry import Array
from pellucid.plan import LOSS
from pellucid.train.distributed import Processes, Shards, Tree
from pellucid.train.feeding import Feeder
from pellucid.train.state import TrainingState
from pellucid.train.stepping import Steps, diverged, stepping
from pellucid.train.trainable import Trainable

STOP = 1
"""Numbers beside totals and statistics: how many processes want to stop."""


def in_shards(
    model: Trainable,
    plan: Training,
    feeder: Feeder,
    state: TrainingState,
    shards: Shards,
    processes: Processes,
    wants_stop: Callable[[], bool],
) -> Iterator[Steps]:
    """The steps that the epoch in hand still has, the same bits in any number of processes.

    A batch's gradient is the mean over its pictures, as without shards; running statistics are those that each shard
    would leave, averaged likewise. The optimizer then takes its step in every process. wants_stop: asked once a step.
    A plan that adds up by itself does, with bits of its own; see `engines.Accumulating`.
    Errors: Diverged, in all processes, with the parameters as before the step.
    """
    optimizer, sizes = state.optimizer, feeder.batches(plan.feed, state)
    with closing(summing_of(plan, shards, processes)) as summing:
        for batch in range(state.batch, len(feeder)):
            rate, n = model.optimizer.learning_rate_at(optimizer.step), feeder.size(batch)
            with stepping(model):
                pieces = [piece.stop - piece.start for piece in feeder.pieces(batch)]
                stop = summing.compute(pieces, sizes, n, optimizer.step, wants_stop())
                if not np.isfinite(plan.totals[LOSS]):
                    raise diverged(state, plan.totals, batch, rate)
                plan.update(n, step=optimizer.step, learning_rate=rate)
                optimizer.step += 1
            yield Steps(batch + 1, 1, n, rate, stop)


def summing_of(plan: Training, shards: Shards, processes: Processes) -> Summing | Accumulated:
    """What sums over the shards of this plan's batches."""
    if isinstance(plan, Accumulating):
        return Accumulated(plan, shards, processes)
    return Summing(plan, shards, processes)


class Accumulated:
    """As `Summing`, where the plan adds up gradients and running statistics: but totals, in float64."""

    def __init__(self, plan: Accumulating, shards: Shards, processes: Processes) -> None:
        self._plan, self._shards, self._processes = plan, shards, processes

    def close(self) -> None:
        """No more batches."""

    def compute(self, pieces: list[int], sizes: Iterator[int], n: int, step: int, stop: bool) -> bool:
        """As `Summing.compute`."""
        plan, first = self._plan, step * self._shards.count + self._shards.first
        before = plan.totals.copy()
        try:
            plan.totals[...] = 0
            self._processes.together(lambda: plan.accumulate(pieces, sizes, n=n, key=first))
            numbers = np.append(plan.totals, float(stop))
            self._processes.reduce(numbers)
            before += numbers[:-STOP]
            return bool(numbers[-STOP])
        finally:
            plan.totals[...] = before


class Summing:
    """Sums over the shards of a batch: of gradients in float32, of totals and running statistics in float64.

    To other machines gradients go part by part, by a thread, while the way back of the last shard goes on.
    """

    def __init__(self, plan: Sharded, shards: Shards, processes: Processes) -> None:
        self._plan, self._shards, self._processes = plan, shards, processes
        self._trees = [Tree(stop - start, np.float32) for start, stop in plan.buckets]
        statistics = sum(layer.state[name].size for layer, name in plan.statistics)
        self._numbers = Tree(plan.totals.size + statistics, np.float64)
        self._thread = ThreadPoolExecutor(1, "pellucid-sums") if processes.far else None
        self._sent: list[Callable[[], None]] = []
        self._whole, self._factor, self._last = 0, 1.0, False
        plan.tell = self._next

    def close(self) -> None:
        """No more batches."""
        if self._thread is not None:
            self._thread.shutdown()

    def compute(self, pieces: list[int], sizes: Iterator[int], n: int, step: int, stop: bool) -> bool:
        """Gradients, totals and statistics of a batch of n pictures, of which `pieces` are this process's shards.

        They are as before where this ends in an error, and statistics where the loss is not finite. Returns whether a
        process wants to stop.
        """
        plan = self._plan
        totals, statistics = plan.totals.copy(), self._statistics()
        numbers, done = np.append(np.zeros(totals.size + statistics.size), float(stop)), False
        try:
            for number, size in enumerate(pieces, self._shards.first):
                plan.totals[...] = 0
                self._restore(statistics)
                self._whole, self._factor, self._last = 0, size / n, number == self._shards.last - 1
                if size:
                    plan.compute(next(sizes), key=step * self._shards.count + number)
                else:
                    plan.parameters.gradients[...] = 0
                while self._whole < len(self._trees):
                    self._next()
                numbers[:-STOP] = np.concatenate([plan.totals, self._statistics() * (size / n)])
                (self._numbers.finish if self._last else self._numbers.add)(numbers[:-STOP])
            if not pieces:
                plan.parameters.gradients[...] = 0
                for bucket in range(len(self._trees)):
                    self._send(bucket)
            for finish in self._sent:
                finish()
            self._processes.reduce(numbers)
            totals += numbers[: totals.size]
            done = bool(np.isfinite(numbers[LOSS]))
            return bool(numbers[-1])
        finally:
            self._sent.clear()
            self._restore(numbers[totals.size : -STOP] if done else statistics)
            plan.totals[...] = totals

    def _next(self) -> None:
        """One more part of a shard's gradients is whole."""
        tree, gradients = self._trees[self._whole], self._gradients(self._whole)
        (tree.finish if self._last else tree.add)(gradients, self._factor)
        if self._last:
            self._send(self._whole)
        self._whole += 1

    def _send(self, bucket: int) -> None:
        """Sum a part over the processes, from now on or in the end."""
        work = partial(self._sum, bucket)
        self._sent.append(work if self._thread is None else self._thread.submit(work).result)

    def _sum(self, bucket: int) -> None:
        gradients = self._gradients(bucket)
        self._processes.reduce(gradients)
        np.add(gradients, 0, out=gradients)  # -0 becomes 0, as where processes without shards add their zeros

    def _gradients(self, bucket: int) -> Array:
        """A part of all, in its place."""
        start, stop = self._plan.buckets[bucket]
        return self._plan.parameters.gradients[start:stop]

    def _statistics(self) -> Array:
        arrays = [layer.state[name].ravel() for layer, name in self._plan.statistics]
        return np.concatenate([np.empty(0), *arrays], dtype=np.float64)

    def _restore(self, values: Array) -> None:
        start = 0
        for layer, name in self._plan.statistics:
            array = layer.state[name]
            array[...] = values[start : start + array.size].reshape(array.shape)
            start += array.size
