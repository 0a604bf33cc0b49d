"""Outputs for any number of pictures, on a plan that is kept for the next call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pellucid._fixed import Fixed
from pellucid.layers.graph import Graph
from pellucid.layers.parameters import FlatParameters
from pellucid.ops import native
from pellucid.ops.geometry import Array
from pellucid.ops.memory import expect_memory
from pellucid.plan.lowering import convolves_directly
from pellucid.plan.plans import InferencePlan, nonlinearities
from pellucid.plan.sub_batches import area_bytes, whole

KEPT_BYTES = 256 * 2**20
"""Buffers up to this size are kept between calls; of about this size are those of as many pictures as go together where
nobody says how many."""


class Predictor:
    """Runs pictures through a network in batches. Threads that call it at once get a plan each."""

    def __init__(self) -> None:
        self._idle: list[tuple[InferencePlan, object]] = []
        self._together: tuple[object, int] = (None, 0)

    def run(
        self,
        state: Callable[[], tuple[Graph, FlatParameters, int]],
        images: Any,
        prepare: Callable[[Any], Array],
        capacity: int,
        scaling: Callable[[int], tuple[Array, Array]] | None = None,
    ) -> Any:
        """Outputs of `prepare(images[a:b])`, batch by batch; scaling: scale and offset for so many channels of bytes.

        state: graph, parameters, and the weights' version (another one is another state); asked where a layer or model
        may have changed since the call before.
        Shapes: images (M, *graph.input_shape) -> (M, ...), a list of such for several outputs.
        """
        try:
            plan, seen = self._idle.pop()  # one call that no other thread can come between
        except IndexError:
            plan, seen = None, None
        now = Fixed.last_change, native.convolves_directly()
        if plan is None or seen != now or plan.capacity != capacity or not plan.is_current:
            plan = _current(plan, *state(), capacity)
        count = len(images)
        if count == capacity:
            answers = [given.copy() for given in _answer(plan, prepare(images), scaling)]
        else:
            expect_memory(sum(count * out[:1].nbytes for out in plan.outputs), "the answers")
            answers = [np.empty((count, *out.shape[1:]), np.float32) for out in plan.outputs]
            for start in range(0, count, capacity):
                batch = prepare(images[start : start + capacity])
                for answer, given in zip(answers, _answer(plan, batch, scaling), strict=True):
                    answer[start : start + len(batch)] = given
        if plan.memory_bytes <= KEPT_BYTES:
            self._idle[:] = [(plan, now)]
        return answers[0] if len(answers) == 1 else answers

    def pictures_together(self, graph: Callable[[], Graph]) -> int:
        """Of how many pictures a layer's input and output fit, where both are the largest there are.

        graph: asked where a layer or model may have changed since the call before.
        """
        seen, pictures = self._together
        if seen is not Fixed.last_change:
            seen, network = Fixed.last_change, graph()
            pictures = max(KEPT_BYTES // (2 * max(area_bytes(network, [whole(network, 1)]), 1)), 1)
            self._together = seen, pictures
        return pictures

    def forget(self) -> None:
        """Let go of the kept plan."""
        self._idle.clear()


def _answer(plan: InferencePlan, batch: Array, scaling: Callable[[int], tuple[Array, Array]] | None) -> list[Array]:
    if scaling is None or batch.dtype != np.uint8:
        return plan.answer(batch)
    plan.take(batch, *scaling(batch.shape[-1]))
    return plan.run(len(batch))


def _current(
    plan: InferencePlan | None, graph: Graph, parameters: FlatParameters, version: int, capacity: int
) -> InferencePlan:
    """The plan, where it is one of this network as it is now, or another."""
    asked = parameters, capacity, convolves_directly(graph), nonlinearities(graph)
    if plan is None or (plan.parameters, plan.capacity, plan.exact, plan.nonlinearities) != asked:
        plan = InferencePlan(graph, parameters, capacity=capacity)
    if plan.version != version or not plan.is_current:
        plan.refresh()
        plan.version = version
    return plan
