"""What a network takes in memory, told by its plans before anything runs.

A plan that was made but not run takes almost nothing: the system backs a large buffer by memory when it is first
written. So the figures are asked of real plans, and nothing is counted twice in two places.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pellucid.layers.graph import Graph
from pellucid.layers.parameters import FlatParameters
from pellucid.losses import Loss
from pellucid.optimizers import Optimizer
from pellucid.plan.feed import Feed
from pellucid.plan.plans import InferencePlan, TrainingPlan
from pellucid.plan.task import TrainingTask


@dataclass(frozen=True)
class Memory:
    """What a plan makes the process grow by, the model's parameters included. Units: bytes.

    moments: what the optimizer keeps. buffers: inputs, activations and their gradients. workspace: what kernels use
    inside a step. Not counted: the caller's pictures and, where these are bytes, a batch of them; layers that run in
    Python, and up to about 4 MB a thread in which kernels rearrange small blocks.
    """

    parameters: int
    gradients: int
    moments: int
    buffers: int
    workspace: int

    @property
    def total(self) -> int:
        """Everything."""
        return self.parameters + self.gradients + self.moments + self.buffers + self.workspace


def inference_memory(graph: Graph, parameters: FlatParameters, *, capacity: int) -> Memory:
    """What predicting in batches of `capacity` takes."""
    plan = InferencePlan(graph, parameters, capacity=capacity)
    workspace = plan.workspace_bytes
    return Memory(parameters.vector.nbytes, 0, 0, plan.memory_bytes - workspace, workspace)


def training_memory(
    graph: Graph,
    parameters: FlatParameters,
    *,
    loss: Loss,
    optimizer: Optimizer,
    capacity: int,
) -> Memory:
    """What training in batches of `capacity` takes, on pictures in memory with class numbers."""
    channels = graph.input_shape[-1]
    ones, zeros = np.ones(channels, np.float32), np.zeros(channels, np.float32)
    pixels = graph.output_shape[:-1]  # whose classes it gives
    picture = np.zeros((1, *graph.input_shape), np.uint8)
    label = np.zeros((1, *pixels), np.uint8 if pixels else np.int32)
    feed = Feed(picture, label, None, capacity=capacity, picture=graph.input_shape, scale=ones, offset=zeros)
    slots = optimizer.slots(parameters.gradients.size)
    plan = TrainingPlan(TrainingTask(graph, parameters, loss, feed, "categorical", optimizer, slots, seed=0))
    workspace = plan.workspace_bytes
    return Memory(
        parameters.vector.nbytes,
        parameters.gradients.nbytes,
        sum(slot.nbytes for slot in slots.values()),
        plan.memory_bytes - workspace,
        workspace,
    )
