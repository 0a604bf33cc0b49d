"""How good a model is: over examples, after an epoch, and whether that was the best one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from pellucid.engines import Judging
from pellucid.layers.graph import Graph
from pellucid.ops.geometry import Array
from pellucid.plan import EvaluationPlan, EvaluationTask, accuracy_kind, penalty_loss
from pellucid.train.distributed import Alone, Processes, Turns, merge
from pellucid.train.examples import Examples
from pellucid.train.feeding import feeder_of
from pellucid.train.history import MEAN_IOU, means
from pellucid.train.measuring import Measuring
from pellucid.train.state import TrainingState
from pellucid.train.streaming import Stream
from pellucid.train.trainable import Trainable


def evaluate(
    model: Trainable,
    examples: Examples,
    batch_size: int,
    *,
    accuracy: str | None = None,
    graph: Graph | None = None,
    tell: Callable[[int, dict[str, float]], object] | None = None,
    outputs: Callable[[Array], object] | None = None,
    measuring: Measuring | None = None,
    make: Callable[[EvaluationTask], Judging] = EvaluationPlan,
    processes: Processes | None = None,
) -> dict[str, float]:
    """Mean loss with the weight penalties, as in training, over all examples; a classifier's accuracy, and of one of
    pixels the mean IoU.

    accuracy: what counts as right, see `accuracy_kind`; None: what the targets look like. graph: the last layers
    alone, where the examples hold what goes into them; None: all. tell: hears after each batch how many are done, and
    the means so far. outputs: gets those of every batch, in order, as `EvaluationPlan.run` gives them. measuring: of a
    training that is going on; None: anew. make: the class of the plan, of another engine. processes: each judges some
    of the batches, to the same bits as one; `tell` hears as if all were as far as this one, and the means of its own.
    Batches that come one by one, and what is measured on all answers, each judges whole.
    """
    accuracy = accuracy or accuracy_kind(model.loss.joint_activation, examples.targets)
    measuring = measuring or Measuring(model, accuracy)
    if processes is None or measuring or isinstance(examples, Stream):
        processes = Alone()
    rank, world = processes.rank, processes.world
    feeder = feeder_of(examples, batch_size, **({} if world == 1 else {"parts": Turns(rank, world)}))
    feed = feeder.make_feed(model)
    graph = model.graph if graph is None else graph
    plan = make(EvaluationTask(graph, model.parameters, model.loss, feed, accuracy))
    measuring.begin()
    sums, totals, done = np.zeros((len(feeder), len(plan.totals))), np.zeros_like(plan.totals), 0
    batches, given = feeder.batches(feed), np.empty((0, *graph.output_shape), np.float32)
    for first in range(0, len(feeder), world):
        plan.totals[...] = 0
        n = next(batches, 0)
        if n:
            given = plan.run(n)
            measuring.add(plan, n)
            sums[first + rank] = plan.totals
            totals += plan.totals
        if outputs is not None:
            for each in [given] if world == 1 else _of_all(processes, feeder, first, given[:n]):
                outputs(each)
        done += n * world
        if tell is not None and n:
            tell(min(done, len(examples)), means(totals, accuracy))
    next(batches, 0)  # a stream is to hear of its end
    processes.reduce(sums)
    totals[...] = 0
    for row in sums:  # batch by batch, whoever judged which
        totals += row
    logs = means(totals, accuracy)
    logs["loss"] += penalty_loss(model.flat_layers)
    return logs | measuring.results()


def _of_all(processes: Processes, feeder: Any, first: int, own: Array) -> Iterator[Array]:
    """The outputs of a round of batches, of which each process has one, the last ones perhaps none."""
    given = np.zeros((processes.world, feeder.batch_size, *own.shape[1:]), np.float32)
    given[processes.rank, : len(own)] = own
    merge(processes, given)
    return (given[batch - first, : feeder.size(batch)] for batch in range(first, min(first + len(given), len(feeder))))


def improves(state: TrainingState, logs: dict[str, float], *, held_out: bool, classes: bool) -> bool:
    """Whether an epoch is the best so far, which the state then knows: higher accuracy, among equals lower loss. For a
    classifier of pixels, higher mean IoU; without classes, lower loss.

    held_out: judged on held-out pictures.
    """
    prefix = "val_" if held_out else ""
    loss = logs[f"{prefix}loss"]
    right = logs.get(f"{prefix}{MEAN_IOU}", logs.get(f"{prefix}accuracy", 0.0)) if classes else 0.0
    score = (right, -loss if np.isfinite(loss) else -np.inf)
    better = score > state.best
    state.best = max(score, state.best)
    return better
