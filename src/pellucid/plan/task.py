"""What a plan of any engine is made for: a network, pictures, and what is asked about them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from pellucid import ops
from pellucid.errors import ConfigError
from pellucid.layers.graph import Graph
from pellucid.layers.parameters import FlatParameters
from pellucid.losses import Loss
from pellucid.ops.geometry import Array
from pellucid.optimizers import Optimizer
from pellucid.plan.control import new_totals
from pellucid.plan.feed import Feed
from pellucid.plan.lowering import strip_head


def activated(logits: Array, joint: str | None) -> Array:
    """What the activation that a loss has in itself, "softmax" or "sigmoid", makes of logits; with None these."""
    if joint is None:
        return logits
    return ops.softmax(logits) if joint == "softmax" else ops.activation(logits, joint)


@dataclass(frozen=True)
class EvaluationTask:
    """Loss and right answers over a feed. accuracy: what counts as right, see `accuracy_kind`."""

    graph: Graph
    parameters: FlatParameters
    loss: Loss
    feed: Feed
    accuracy: str | None

    @cached_property
    def body(self) -> Graph:
        """The network up to the logits, where the loss has the final softmax or sigmoid in itself."""
        return strip_head(self.graph, self.loss.joint_activation)

    def new_totals(self) -> Array:
        """Zeros, see `control`."""
        body = self.body
        return new_totals(self.feed.targets, body.output_shape if body.nodes else self.graph.input_shape)

    def answers(self, logits: Array) -> Array:
        """As `predict` gives them, of what the body gives: with the activation that the loss has in itself; a new array
        where there is such a one."""
        return activated(logits, None if self.body is self.graph else self.loss.joint_activation)


@dataclass(frozen=True)
class TrainingTask(EvaluationTask):
    """The steps of a training. slots: the optimizer's moments; begun: the step at which they were zeros.

    batch_size: the feed holds a shard of a batch, which is as large as this. None: the whole batch.
    Errors: ConfigError where no parameter is trained.
    """

    optimizer: Optimizer
    slots: dict[str, Array]
    seed: int
    begun: int = 0
    batch_size: int | None = None

    def __post_init__(self) -> None:
        if not self.parameters.gradients.size:
            raise ConfigError("nothing to train: every layer is frozen or has no parameters; set trainable=True on one")
