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
    ) -> Any:
        """Outputs of `prepare(images[a:b])`, batch by batch. version: of the weights; another one is another state.

        Shapes: images (M, *graph.input_shape) -> (M, ...), a list of such for several outputs.
        """
        plan = self._take(graph, parameters, capacity)
        if plan.version != version or not plan.is_current:
            plan.refresh()
            plan.version = version
        expect_memory(sum(len(images) * out[:1].nbytes for out in plan.outputs), "the answers")
        answers = [np.empty((len(images), *out.shape[1:]), np.float32) for out in plan.outputs]
        for start in range(0, len(images), capacity):
            batch = prepare(images[start : start + capacity])
            plan.inputs[: len(batch)] = batch
            for answer, given in zip(answers, plan.run(len(batch)), strict=True):
                answer[start : start + len(batch)] = given
        if plan.memory_bytes <= KEPT_BYTES:
            self._idle[:] = [plan]
        return answers[0] if len(answers) == 1 else answers

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
