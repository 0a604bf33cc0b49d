"""The steps of a training, and the judging of pictures, by PyTorch: what `plan` offers a trainer, on another device.

Pictures are gathered, augmented and scaled by our own native steps, on the host; the module gets what the layers would.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pellucid import ops
from pellucid.engines.torch.device import Device
from pellucid.engines.torch.loss import hits_of, judge, stays_on_device
from pellucid.engines.torch.network import Network
from pellucid.engines.torch.replay import Replayed
from pellucid.engines.torch.update import Update
from pellucid.engines.torch.weights import Weights
from pellucid.layers import Layer
from pellucid.layers.graph import Graph
from pellucid.layers.parameters import FlatParameters
from pellucid.losses import Loss
from pellucid.ops.geometry import Array
from pellucid.ops.reference.loss import count_classes
from pellucid.optimizers import Optimizer
from pellucid.plan import COUNT, HITS, LOSS, Feed, activated, counts_of, expect_trainable, new_totals, strip_head
from pellucid.plan.work import WorkSequence


class _Batches:
    """The batches of a feed on a device, and what is made of them."""

    def __init__(self, graph: Graph, loss: Loss, feed: Feed, accuracy: str | None, device: Device) -> None:
        body = strip_head(graph, loss.joint_activation)
        self.feed, self._device, self._loss, self._accuracy = feed, device, loss, accuracy
        self._joint = None if body is graph else loss.joint_activation
        self._network = device.place(Network(body))
        self._gather = WorkSequence(feed.work())
        self.totals = new_totals(feed.targets, body.output_shape if body.nodes else graph.input_shape)
        self._classes = None if feed.class_weights is None else device.send(feed.class_weights)
        self._outputs: Tensor = torch.empty(0)

    def answers(self, n: int) -> Array:
        """As `predict` gives them: with the final softmax or sigmoid that the loss computes itself."""
        return activated(self._outputs[:n].cpu().numpy(), self._joint)

    def _inputs(self, n: int) -> tuple[Tensor, Tensor, Tensor | None]:
        """The next n pictures with their targets and weights."""
        self._gather.run(n)
        feed, send = self.feed, self._device.send
        weights = None if feed.weights is None else send(feed.weights[:n])
        pictures = send(feed.inputs[:n])
        return pictures.movedim(-1, 1) if pictures.ndim > 2 else pictures, send(feed.targets[:n]), weights

    def _run(self, pictures: Tensor) -> Tensor:
        """What the network gives. Shapes: channels last."""
        with self._device.precision():
            outputs = self._network(pictures)
        return (outputs.movedim(1, -1) if outputs.ndim > 2 else outputs).to(self._device.dtype)

    def _sums(self, losses: Tensor, weights: Tensor | None, outputs: Tensor, targets: Tensor) -> list[Tensor]:
        """Sums of losses and of right answers."""
        total = (losses if weights is None else losses * weights).sum()
        hits = total.new_zeros(()) if self._masks else hits_of(self._accuracy, outputs, targets)
        return [total, total.new_zeros(()) if hits is None else hits]

    @property
    def _masks(self) -> bool:
        """Whether the targets are classes of pixels, of which each is counted."""
        return counts_of(self.totals).size > 0

    def _count(self, loss: float, hits: float, targets: Tensor) -> None:
        """Add a batch to `totals`."""
        self.totals[LOSS] += loss
        self.totals[HITS] += hits
        self.totals[COUNT] += len(targets)
        if self._masks:
            said = self._outputs[: len(targets)].argmax(-1).int().cpu().numpy()
            count_classes(targets.cpu().numpy(), said, counts_of(self.totals), ignored=ops.IGNORED)


class EvaluationPlan(_Batches):
    """As `plan.EvaluationPlan`."""

    def __init__(
        self,
        graph: Graph,
        parameters: FlatParameters,
        *,
        loss: Loss,
        feed: Feed,
        accuracy: str | None,
        device: Device,
    ) -> None:
        super().__init__(graph, loss, feed, accuracy, device)
        self._network.eval()

    @torch.no_grad()
    def run(self, n: int) -> Array:
        """Add the next n pictures of the feed to `totals`; their outputs, without the loss's joint activation."""
        pictures, targets, weights = self._inputs(n)
        outputs = self._run(pictures)
        found = judge(self._loss, outputs, targets, weights, self._classes)
        self._outputs = outputs
        loss, hits = torch.stack(self._sums(found.losses, weights, outputs, targets)).tolist()
        self._count(loss, hits, targets)
        answers: Array = outputs.cpu().numpy()
        return answers


class TrainingPlan(_Batches):
    """As `plan.TrainingPlan`; the layers have what a step has changed after `settle`, and it goes on from what they
    have then."""

    runs_alone = True

    def __init__(
        self,
        graph: Graph,
        parameters: FlatParameters,
        *,
        loss: Loss,
        optimizer: Optimizer,
        slots: dict[str, Array],
        feed: Feed,
        seed: int,
        accuracy: str | None,
        begun: int = 0,
        batch_size: int | None = None,
        device: Device,
    ) -> None:
        expect_trainable(parameters)
        super().__init__(graph, loss, feed, accuracy, device)
        self.parameters, self.begun, self._seed = parameters, begun, seed
        self.buckets = [(0, parameters.gradients.size)]
        self.tell: Callable[[], object] = lambda: None
        self._weights = Weights(self._network, parameters, slots)
        self._update = Update(graph.layers, self._weights, optimizer)
        self._ahead, self._sharded = False, batch_size is not None
        self._network.train()
        self._network.defer_state()
        self._control = torch.zeros(2, dtype=device.control, device=device.torch)
        self._replayed: tuple[Callable[..., Any], Callable[..., Any]] | None = None
        self._upcoming: int | None = None
        """Where in the feed's order the step after this begins, whose pictures are brought while the device works."""
        self._next: tuple[Tensor, Tensor, Tensor | None] | None = None
        self._recordable = (
            device.records
            and not self._network.draws_on_host
            and stays_on_device(loss)
            and self._update.stays_on_device
        )

    def run(self, n: int, *, step: int, learning_rate: float) -> bool:
        """Train on the next n pictures of the feed; adds to `totals`. step counts from 0.

        Returns False, with the parameters left as they were, when the loss is not a finite number.
        """
        self._begin(step)
        replayed = self._recordable and n == self.feed.capacity
        there_and_back, change = self._recorded() if replayed else (self._there_and_back, self._change)
        (pictures, targets, weights), self._next = self._next or self._inputs(n), None
        self._outputs, sums = there_and_back(pictures, targets, weights)
        if self._upcoming is not None:
            self.feed.seek(self._upcoming)
            self._next = self._inputs(n)
        loss, hits, penalty = sums.tolist()
        self._count(loss, hits, targets)
        if not np.isfinite(loss):
            return False
        self.totals[LOSS] += n * penalty
        rate, number = learning_rate, step + 1 - self.begun
        if replayed:
            self._control.copy_(torch.tensor([rate, number], dtype=self._control.dtype))
            change(*self._control.unbind())
        else:
            change(rate, number)
        return True

    def compute(self, n: int, *, key: int) -> bool:
        """As `plan.TrainingPlan`: a shard's gradients and statistics, from the layers' to the layers'."""
        self._begin(key)
        self._weights.take_state()
        (pictures, targets, weights) = self._inputs(n)
        self._outputs, sums = self._there_and_back(pictures, targets, weights)
        loss, hits, _ = sums.tolist()
        self._count(loss, hits, targets)
        self._network.apply_state()
        self._weights.give_gradients()
        self._weights.give_state()
        return bool(np.isfinite(loss))

    def update(self, n: int, *, step: int, learning_rate: float) -> None:
        """As `plan.TrainingPlan`: by the gradients that the model's vector has."""
        self._weights.take_gradients()
        self._weights.take_state()
        self.totals[LOSS] += n * float(self._update.penalise(self._control.new_zeros(())))
        self._update(learning_rate, step + 1 - self.begun)

    @property
    def statistics(self) -> list[tuple[Layer, str]]:
        """As `plan.TrainingPlan`."""
        return self._weights.statistics

    def _begin(self, key: int) -> None:
        """Take what the layers have, unless the device is ahead of them; draw by this number."""
        if not self._ahead:
            self._weights.take()
            self._ahead = True
        self._network.draws = self._seed, key & 0xFFFFFFFF
        if self._network.draws_at_random:
            torch.manual_seed((self._seed << 32) + key)

    def _there_and_back(self, pictures: Tensor, targets: Tensor, weights: Tensor | None) -> tuple[Tensor, Tensor]:
        """Gradients, with those of the penalties; (outputs, sums of losses and right answers, and the penalty)."""
        self._weights.gradients.zero_()
        outputs = self._run(pictures)
        found = judge(self._loss, outputs, targets, weights, self._classes)
        found.begin()
        seen = outputs.detach()
        none = seen.new_zeros(())
        penalty = none if self._sharded else self._update.penalise(none)
        return seen, torch.stack([*self._sums(found.losses, weights, seen, targets), penalty])

    def _change(self, learning_rate: Any, step: Any) -> None:
        """Running numbers, weights and moments."""
        self._network.apply_state()
        self._update(learning_rate, step)

    def _recorded(self) -> tuple[Callable[..., Any], Callable[..., Any]]:
        """The same two, each as one launch."""
        if self._replayed is None:
            self._weights.give()
            restore = self._weights.take
            self._replayed = Replayed(self._there_and_back, restore), Replayed(self._change, restore)
        return self._replayed

    def run_steps(self, n: int, *, position: int, step: int, learning_rates: Sequence[float]) -> tuple[int, Array]:
        """As many steps of n pictures each as there are learning rates. position: of the first, in the feed's order.

        Returns the steps that ended well and `totals` after each (one more row where a loss was not a finite number).
        """
        totals = np.zeros((len(learning_rates), len(self.totals)))
        self._next, count = None, len(learning_rates)
        self.feed.seek(position)
        for number, rate in enumerate(learning_rates):
            follows = position + (number + 1) * n
            self._upcoming = follows if self._device.copies and number + 1 < count else None
            whole = self.run(n, step=step + number, learning_rate=rate)
            totals[number] = self.totals
            if not whole:
                self._next = self._upcoming = None
                return number, totals
            self.feed.seek(follows)
        return count, totals

    def settle(self) -> None:
        """Bring weights, statistics, gradients and moments back to the model."""
        if self._ahead:
            self._ahead = False
            self._weights.give()
