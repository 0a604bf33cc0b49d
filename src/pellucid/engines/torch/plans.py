"""The steps of a training, and the judging of pictures, by PyTorch: what `plan` offers a trainer, on another device.

Pictures are gathered, augmented and scaled by our own native steps, on the host; the module gets what the layers would.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pellucid import ops
from pellucid.engines.torch.device import Device
from pellucid.engines.torch.loss import judge, stays_on_device
from pellucid.engines.torch.network import Network, first
from pellucid.engines.torch.replay import Replayed
from pellucid.engines.torch.shards import Shards
from pellucid.engines.torch.update import Update
from pellucid.engines.torch.weights import Weights
from pellucid.errors import ConfigError
from pellucid.ops.geometry import Array
from pellucid.ops.reference.loss import count_classes
from pellucid.plan import COUNT, HITS, LOSS, EvaluationTask, TrainingTask, counts_of
from pellucid.plan.loss import hits_of
from pellucid.plan.work import WorkSequence


class _Batches:
    """The batches of a feed on a device, and what is made of them."""

    def __init__(self, task: EvaluationTask, device: Device) -> None:
        self._task, self.feed, self.totals, self._device = task, task.feed, task.new_totals(), device
        self._network = device.place(Network(task.body, in_place=True))
        task.feed.move_inputs(device.buffer)
        self._gather = WorkSequence(task.feed.work())
        self._classes = None if task.feed.class_weights is None else device.send(task.feed.class_weights)
        self._outputs: Tensor = torch.empty(0)

    def answers(self, n: int) -> Array:
        """As `predict` gives them."""
        return self._task.answers(self._outputs[:n].cpu().numpy())

    def _inputs(self, n: int) -> tuple[Tensor, Tensor, Tensor | None]:
        """The next n pictures with their targets and weights."""
        with self._device.between():
            self._gather.run(n)
        feed, send = self.feed, self._device.send
        weights = None if feed.weights is None else send(feed.weights[:n])
        pictures = send(feed.inputs[:n])
        return first(pictures), send(feed.targets[:n]), weights

    def _run(self, pictures: Tensor, module: nn.Module | None = None) -> Tensor:
        """What the network gives, or a module around it. Shapes: channels last."""
        with self._device.precision():
            outputs = (module or self._network)(pictures)
        return (outputs.movedim(1, -1) if outputs.ndim > 2 else outputs).to(self._device.dtype)

    def _sums(self, losses: Tensor, weights: Tensor | None, outputs: Tensor, targets: Tensor) -> list[Tensor]:
        """Sums of losses and of right answers."""
        total = (losses if weights is None else losses * weights).sum()
        return [total, total.new_zeros(()) + (0 if self._masks else hits_of(self._task.accuracy, outputs, targets))]

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

    def __init__(self, task: EvaluationTask, device: Device) -> None:
        super().__init__(task, device)
        self._network.eval()

    @torch.no_grad()
    def run(self, n: int) -> Array:
        """Add the next n pictures of the feed to `totals`; their outputs, without the loss's joint activation."""
        pictures, targets, weights = self._inputs(n)
        outputs = self._run(pictures)
        found = judge(self._task.loss, outputs, targets, weights, self._classes)
        self._outputs = outputs
        loss, hits = torch.stack(self._sums(found.losses, weights, outputs, targets)).tolist()
        self._count(loss, hits, targets)
        answers: Array = outputs.cpu().numpy()
        return answers


class TrainingPlan(_Batches):
    """As `plan.TrainingPlan`; the layers have what a step has changed after `settle`, and it goes on from what they
    have then."""

    runs_alone = True

    def __init__(self, task: TrainingTask, device: Device) -> None:
        super().__init__(task, device)
        self.parameters, self.begun, self._seed = task.parameters, task.begun, task.seed
        self._weights = Weights(self._network, task.parameters, task.slots)
        self._update = Update(task.graph.layers, self._weights, task.optimizer, device)
        self._ahead, self._shards = False, None if task.batch_size is None else Shards(self._network, device)
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
            and stays_on_device(task.loss)
            and self._update.stays_on_device
        )

    def run(self, n: int, *, step: int, learning_rate: float) -> bool:
        """Train on the next n pictures of the feed; adds to `totals`. step counts from 0.

        Returns False, with the parameters left as they were, when the loss is not a finite number.
        """
        self._begin(step)
        if self._next is not None:
            self._device.arrive()
        replayed = self._recordable and n == self.feed.capacity
        there_and_back, change = self._recorded() if replayed else (self._there_and_back, self._change)
        (pictures, targets, weights), self._next = self._next or self._inputs(n), None
        self._outputs, sums = there_and_back(pictures, targets, weights)
        if self._upcoming is not None:
            self.feed.seek(self._upcoming)
            with self._device.beside():
                self._next = self._inputs(n)
        loss, hits, penalty = sums.tolist()
        self._count(loss, hits, targets)
        if not np.isfinite(loss):
            return False
        self.totals[LOSS] += n * penalty
        rate, number = learning_rate, step + 1 - self.begun
        if self._device.records:
            self._control.copy_(torch.tensor([rate, number], dtype=self._control.dtype))
            change(*self._control.unbind())
        else:
            change(rate, number)
        return True

    def accumulate(self, pieces: Sequence[int], bring: Iterator[int], *, n: int, key: int) -> None:
        """As `engines.Accumulating`."""
        if self._shards is None:
            raise ConfigError("this plan takes whole batches: run it step by step")
        shards, last = self._shards, len(pieces) - 1
        self._weights.gradients.zero_()
        for number, size in enumerate(pieces):
            self._begin(key + number)
            with shards.summing(number == last):
                if size:
                    self._shard(next(bring), size / n, shards)
                elif number == last and shards.many:
                    self._nothing(shards)
        shards.end()

    def _shard(self, size: int, share: float, shards: Shards) -> None:
        """Gradients and running numbers of pictures that are a share of the batch."""
        pictures, targets, weights = self._inputs(size)
        outputs = self._run(pictures, shards.module)
        found = judge(self._task.loss, outputs, targets, weights, self._classes)
        found.back(share * shards.factor)
        self._outputs = outputs.detach()
        loss, hits = torch.stack(self._sums(found.losses, weights, self._outputs, targets)).tolist()
        self._count(loss, hits, targets)
        shards.add_state(share)

    def _nothing(self, shards: Shards) -> None:
        """No gradients, for the sum over processes: of a black picture that does not count."""
        picture = self._device.send(np.zeros((1, *self.feed.inputs.shape[1:]), np.float32))
        outputs = self._run(first(picture), shards.module)
        outputs.backward(torch.zeros_like(outputs))
        shards.add_state(0.0)

    def update(self, n: int, *, step: int, learning_rate: float) -> None:
        """As `plan.TrainingPlan`: by the gradients on the device."""
        self.totals[LOSS] += n * float(self._update.penalise(self._control.new_zeros(())))
        self._change(learning_rate, step + 1 - self.begun)

    def _begin(self, key: int) -> None:
        """Take what the layers have, unless the device is ahead of them; draw by this number."""
        if not self._ahead:
            self._weights.take()
            self._ahead = True
        self._draw_by(key)

    def _draw_by(self, key: int) -> None:
        self._network.draws = self._seed, key & 0xFFFFFFFF
        if self._network.draws_at_random:
            self._device.seed((self._seed << 32) + key)

    def _there_and_back(self, pictures: Tensor, targets: Tensor, weights: Tensor | None) -> tuple[Tensor, Tensor]:
        """Gradients, with those of the penalties; (outputs, sums of losses and right answers, and the penalty)."""
        outputs = self._run(pictures)
        found = judge(self._task.loss, outputs, targets, weights, self._classes)
        self._weights.collect(lambda: found.back(1.0))
        seen = outputs.detach()
        penalty = self._update.penalise(seen.new_zeros(()))
        return seen, torch.stack([*self._sums(found.losses, weights, seen, targets), penalty])

    def _change(self, learning_rate: Any, step: Any) -> None:
        """Running numbers, weights and moments."""
        self._network.apply_state()
        self._update(learning_rate, step)

    def _recorded(self) -> tuple[Callable[..., Any], Callable[..., Any]]:
        """The same two, each as one launch."""
        if self._replayed is None:
            self._weights.give()
            _, key = self._network.draws

            def restore() -> None:
                self._weights.take()
                self._draw_by(key)

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
