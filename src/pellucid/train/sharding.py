"""The steps of an epoch, each computed shard by shard, perhaps by several processes; see `distributed`."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from pellucid.engines import Training
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
    Errors: Diverged, in all processes, with the parameters as before the step.
    """
    optimizer, sizes = state.optimizer, feeder.batches(plan.feed, state)
    summing = Summing(plan, shards, processes)
    for batch in range(state.batch, len(feeder)):
        rate, n = model.optimizer.learning_rate_at(optimizer.step), feeder.size(batch)
        with stepping(model):
            stop = summing.compute(
                [piece.stop - piece.start for piece in feeder.pieces(batch)], sizes, n, optimizer.step, wants_stop()
            )
            if not np.isfinite(plan.totals[LOSS]):
                raise diverged(state, plan.totals, batch, rate)
            plan.update(n, step=optimizer.step, learning_rate=rate)
            optimizer.step += 1
        yield Steps(batch + 1, 1, n, rate, stop)


class Summing:
    """Sums over the shards of a batch: of gradients in float32, of totals and running statistics in float64."""

    def __init__(self, plan: Training, shards: Shards, processes: Processes) -> None:
        self._plan, self._shards, self._processes = plan, shards, processes
        self._gradients = Tree(plan.parameters.gradients.size, np.float32)
        statistics = sum(layer.state[name].size for layer, name in plan.statistics)
        self._numbers = Tree(plan.totals.size + statistics, np.float64)

    def compute(self, pieces: list[int], sizes: Iterator[int], n: int, step: int, stop: bool) -> bool:
        """Gradients, totals and statistics of a batch of n pictures, of which `pieces` are this process's shards.

        They are as before where this ends in an error, and statistics where the loss is not finite. Returns whether a
        process wants to stop.
        """
        plan = self._plan
        gradients, totals, statistics = plan.parameters.gradients, plan.totals.copy(), self._statistics()
        done = False
        try:
            for number, size in enumerate(pieces, self._shards.first):
                plan.totals[...] = 0
                self._restore(statistics)
                if size:
                    plan.compute(next(sizes), key=step * self._shards.count + number)
                else:
                    gradients[...] = 0
                self._gradients.add(gradients, size / n)
                self._numbers.add(np.concatenate([plan.totals, self._statistics() * (size / n)]))
            gradient, numbers = self._gradients.take(), np.append(self._numbers.take(), float(stop))
            self._processes.reduce(gradient)
            self._processes.reduce(numbers)
            np.add(gradient, 0, out=gradients)  # -0 becomes 0, as where processes without shards add their zeros
            totals += numbers[: totals.size]
            done = bool(np.isfinite(numbers[LOSS]))
            return bool(numbers[-1])
        finally:
            self._restore(numbers[totals.size : -STOP] if done else statistics)
            plan.totals[...] = totals

    def _statistics(self) -> Array:
        arrays = [layer.state[name].ravel() for layer, name in self._plan.statistics]
        return np.concatenate([np.empty(0), *arrays], dtype=np.float64)

    def _restore(self, values: Array) -> None:
        start = 0
        for layer, name in self._plan.statistics:
            array = layer.state[name]
            array[...] = values[start : start + array.size].reshape(array.shape)
            start += array.size
