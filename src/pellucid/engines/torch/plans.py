"""The steps of a training, and the judging of pictures, by PyTorch: what `plan` offers a trainer, on another device.

Pictures are gathered, augmented and scaled by our own native steps, on the host; the module gets what the layers would.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from pellucid import ops
from pellucid.engines.torch.device import Device
from pellucid.engines.torch.loss import hits_of, judge
from pellucid.engines.torch.network import Network
from pellucid.engines.torch.update import Update
from pellucid.engines.torch.weights import Weights
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
        self._logits: Array = np.empty(0, np.float32)

    def answers(self, n: int) -> Array:
        """As `predict` gives them: with the final softmax or sigmoid that the loss computes itself."""
        return activated(self._logits[:n], self._joint)

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
        return (outputs.movedim(1, -1) if outputs.ndim > 2 else outputs).float()

    def _count(self, losses: Tensor, weights: Tensor | None, outputs: Tensor, targets: Tensor) -> bool:
        """Add a batch to `totals`; whether its loss is a number."""
        n, counts = len(losses), counts_of(self.totals)
        hits = 0.0 if counts.size else hits_of(self._accuracy, outputs, targets)
        total = float((losses if weights is None else losses * weights).sum())
        self.totals[LOSS] += total
        self.totals[HITS] += float(hits)
        self.totals[COUNT] += n
        if counts.size:
            said = outputs.argmax(-1).int()
            count_classes(targets.cpu().numpy(), said.cpu().numpy(), counts, ignored=ops.IGNORED)
        return bool(np.isfinite(total))


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
        found = judge(self._loss, outputs, targets, weights, self.feed.class_weights)
        self._count(found.losses, weights, outputs, targets)
        self._logits = outputs.cpu().numpy()
        return self._logits


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
        device: Device,
    ) -> None:
        expect_trainable(parameters)
        super().__init__(graph, loss, feed, accuracy, device)
        self.parameters, self.begun, self._seed = parameters, begun, seed
        self._weights = Weights(self._network, parameters, slots)
        self._update = Update(graph.layers, self._weights, optimizer)
        self._ahead = False
        self._network.train()
        self._network.defer_state()

    def run(self, n: int, *, step: int, learning_rate: float) -> bool:
        """Train on the next n pictures of the feed; adds to `totals`. step counts from 0.

        Returns False, with the parameters left as they were, when the loss is not a finite number.
        """
        if not self._ahead:
            self._weights.take()
            self._ahead = True
        self._network.draws = self._seed, step
        if self._network.draws_at_random:
            torch.manual_seed((self._seed << 32) + step)
        pictures, targets, weights = self._inputs(n)
        self._weights.gradients.zero_()
        outputs = self._run(pictures)
        found = judge(self._loss, outputs, targets, weights, self.feed.class_weights)
        self._logits = outputs.detach().cpu().numpy()
        if not self._count(found.losses, weights, outputs.detach(), targets):
            return False
        found.begin()
        self._network.apply_state()
        self.totals[LOSS] += n * float(self._update.penalise())
        self._update(learning_rate, step + 1 - self.begun)
        return True

    def run_steps(self, n: int, *, position: int, step: int, learning_rates: Sequence[float]) -> tuple[int, Array]:
        """As many steps of n pictures each as there are learning rates. position: of the first, in the feed's order.

        Returns the steps that ended well and `totals` after each (one more row where a loss was not a finite number).
        """
        totals = np.zeros((len(learning_rates), len(self.totals)))
        for number, rate in enumerate(learning_rates):
            self.feed.seek(position + number * n)
            whole = self.run(n, step=step + number, learning_rate=rate)
            totals[number] = self.totals
            if not whole:
                return number, totals
        return len(learning_rates), totals

    def settle(self) -> None:
        """Bring weights, statistics, gradients and moments back to the model."""
        if self._ahead:
            self._ahead = False
            self._weights.give()
