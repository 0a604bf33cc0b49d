"""Outputs for any number of pictures, on a plan that is kept for the next call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pellucid.layers.graph import Graph
from pellucid.layers.parameters import FlatParameters
from pellucid.ops.geometry import Array
from pellucid.ops.memory import expect_memory
from pellucid.plan.lowering import convolves_directly
from pellucid.plan.plans import InferencePlan

KEPT_BYTES = 64 * 2**20
"""Buffers up to this size are kept between calls."""


class Predictor:
    """Runs pictures through a network in batches. Threads that call it at once get a plan each."""

    def __init__(self) -> None:
        self._idle: list[InferencePlan] = []

    def run(
        self,
        graph: Graph,
        parameters: FlatParameters,
        images: Any,
        prepare: Callable[[Any], Array],
        *,
        capacity: int,
        version: int,
    ) -> Array:
        """Outputs of `prepare(images[a:b])`, batch by batch. version: of the weights; another one is another state.

        Shapes: images (M, *graph.input_shape) -> (M, ...).
        """
        plan = self._take(graph, parameters, capacity)
        if plan.version != version or not plan.is_current:
            plan.refresh()
            plan.version = version
        expect_memory(len(images) * plan.outputs[:1].nbytes, "the answers")
        outputs = np.empty((len(images), *plan.outputs.shape[1:]), np.float32)
        for start in range(0, len(images), capacity):
            batch = prepare(images[start : start + capacity])
            plan.inputs[: len(batch)] = batch
            outputs[start : start + len(batch)] = plan.run(len(batch))
        if plan.memory_bytes <= KEPT_BYTES:
            self._idle[:] = [plan]
        return outputs

    def forget(self) -> None:
        """Let go of the kept plan."""
        self._idle.clear()

    def _take(self, graph: Graph, parameters: FlatParameters, capacity: int) -> InferencePlan:
        try:
            plan = self._idle.pop()  # one call that no other thread can come between
        except IndexError:
            plan = None
        asked = parameters, capacity, convolves_directly(graph)
        if plan is None or (plan.parameters, plan.capacity, plan.exact) != asked:
            return InferencePlan(graph, parameters, capacity=capacity)
        return plan
