"""How good a model is: over examples, after an epoch, and whether that was the best one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pellucid.engines import Judging
from pellucid.layers.graph import Graph
from pellucid.ops.geometry import Array
from pellucid.plan import EvaluationPlan, EvaluationTask, accuracy_kind, penalty_loss
from pellucid.train.distributed import Parts, Processes, Shards, Turns
from pellucid.train.examples import Examples
from pellucid.train.feeding import feeder_of
from pellucid.train.history import MEAN_IOU, means
from pellucid.train.measuring import Measuring
from pellucid.train.state import TrainingState
from pellucid.train.trainable import Trainable


def evaluate(
    model: Trainable,
    examples: Examples,
    batch_size: int,
    *,
    accuracy: str | None = None,
    graph: Graph | None = None,
    tell: Callable[[int, Array, dict[str, float]], object] | None = None,
    measuring: Measuring | None = None,
    make: Callable[[EvaluationTask], Judging] = EvaluationPlan,
    processes: Processes | None = None,
) -> dict[str, float]:
    """Mean loss with the weight penalties, as in training, over all examples; a classifier's accuracy, and of one of
    pixels the mean IoU.

    accuracy: what counts as right, see `accuracy_kind`; None: what the targets look like. graph: the last layers
    alone, where the examples hold what goes into them; None: all. tell: hears after each batch how many are done,
    that batch's outputs, as `EvaluationPlan.run` gives them, and the means so far, of several processes that batch's.
    measuring: of a training that is going on; None: anew. make: the class of the plan, of another engine. processes:
    each judges some of the batches, which `tell` hears of as if all were as far.
    """
    turns: Parts = Turns(processes.rank, processes.world) if processes is not None else Shards()
    feeder = feeder_of(examples, batch_size, parts=turns)
    feed = feeder.make_feed(model)
    accuracy = accuracy or accuracy_kind(model.loss.joint_activation, examples.targets)
    graph = model.graph if graph is None else graph
    plan = make(EvaluationTask(graph, model.parameters, model.loss, feed, accuracy))
    done = 0
    measuring = measuring or Measuring(model, accuracy)
    measuring.begin()
    sums = np.zeros((len(feeder) if processes else 0, len(plan.totals)))
    for turn, n in enumerate(feeder.batches(feed)):
        outputs = plan.run(n)
        measuring.add(plan, n)
        totals = plan.totals.copy()
        if processes is not None:
            sums[turn * processes.world + processes.rank] = plan.totals
            plan.totals[...] = 0
        done += n * (1 if processes is None else processes.world)
        if tell is not None:
            tell(min(done, len(examples)), outputs, means(totals, accuracy))
    if processes is not None:
        processes.reduce(sums)
        plan.totals[...] = sums.sum(axis=0)  # batch by batch, whoever judged which
    logs = means(plan.totals, accuracy)
    logs["loss"] += penalty_loss(model.layers)
    return logs | measuring.results()


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
