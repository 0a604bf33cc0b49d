"""The plans: a network and a batch size, lowered to native programs on buffers allocated once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np

from pellucid.errors import ConfigError
from pellucid.layers import Layer
from pellucid.layers.graph import INPUT, Graph
from pellucid.layers.parameters import FlatParameters
from pellucid.layers.store import each_once
from pellucid.layers.traits import Nonlinearity
from pellucid.ops import native
from pellucid.ops.geometry import Array
from pellucid.ops.memory import aligned_empty, aligned_zeros
from pellucid.plan.base import frozen_nodes
from pellucid.plan.buckets import Buckets
from pellucid.plan.control import GRADIENT_SCALE, RATE, STEP
from pellucid.plan.feed import Feed, Scaled
from pellucid.plan.loss import loss_work
from pellucid.plan.lowered import Context, Lowered
from pellucid.plan.lowering import added_up, backward_work, convolves_directly, lower
from pellucid.plan.sub_batches import area_bytes, lower_in_use, whole
from pellucid.plan.task import EvaluationTask, TrainingTask
from pellucid.plan.update import update_work
from pellucid.plan.work import Work, WorkSequence, for_no_batch


class _Worked:
    """What has work to do."""

    _work: WorkSequence
    _contexts: Sequence[Context]

    @property
    def work(self) -> WorkSequence:
        """All that a run does."""
        return self._work

    @property
    def in_python(self) -> list[Layer]:
        """The layers that run by their own code, between native programs."""
        return each_once([layer for context in self._contexts for layer in context.in_python])

    @property
    def steps(self) -> list[native.Step]:
        """The native steps in order, for whoever measures them one by one."""
        return self._work.steps

    @property
    def num_stages(self) -> int:
        """Calls one step makes into native programs and Python layers; 1 where everything is native."""
        return self._work.num_stages

    @property
    def workspace_bytes(self) -> int:
        """Bytes that kernels use inside a step."""
        return self._work.workspace_bytes


def nonlinearities(graph: Graph) -> list[Nonlinearity | None]:
    """What acts on the result of each layer."""
    return [node.layer.nonlinearity for node in graph.nodes]


class InferencePlan(_Worked):
    """Pictures in, outputs out, for batches of up to `capacity`."""

    def __init__(self, graph: Graph, parameters: FlatParameters, *, capacity: int) -> None:
        self.capacity, self.parameters = capacity, parameters
        self.inputs = aligned_empty((capacity, *graph.input_shape))
        used = lower_in_use(graph, self.inputs, partial(_context, graph, parameters, capacity))
        self._context, self._contexts = used.context, (used.context,)
        self.nonlinearities = nonlinearities(graph)
        """Of its layers, when it was made: each may be given another."""
        self.outputs = [used.values[number] for number in graph.outputs]
        self._work = WorkSequence(used.work, fixed_weights=True, prepare=self._context.prepare)
        self.memory_bytes = self.inputs.nbytes + self._context.num_bytes + self._work.workspace_bytes
        """Bytes of buffers and workspaces, parameters not counted."""
        shared = any(np.may_share_memory(self.inputs, output) for output in self.outputs)
        self._reads_elsewhere = not shared and self._work.only_reads(self.inputs)
        self.version = -1
        """Of the weights it was last run with, for whoever keeps the plan."""
        self._statistics = native.Snapshot(())
        self._scaling: tuple[Scaled, WorkSequence] | None = None

    def take(self, pictures: Array, scale: Array, offset: Array) -> None:
        """Put pictures of bytes into `inputs`, scaled by channel as a training scales them.

        Shapes: pictures (n, ...) uint8, scale, offset (C,).
        """
        if self._scaling is None:
            scaled = Scaled(aligned_empty(self.inputs.shape, np.uint8), self.inputs, scale.copy(), offset.copy())
            self._scaling = scaled, WorkSequence([scaled.work()])
            self.memory_bytes += scaled.source.nbytes
        scaled, work = self._scaling
        scaled.scale[...], scaled.offset[...] = scale, offset
        scaled.source[: len(pictures)] = pictures.reshape(len(pictures), *scaled.source.shape[1:])
        work.run(len(pictures))

    @property
    def exact(self) -> bool:
        """Whether convolutions are computed directly."""
        return self._context.exact

    def refresh(self) -> None:
        """The weights may have changed since the last run: forget what was made of them."""
        self._work.refresh()
        self._statistics = native.Snapshot(self._context.statistics)

    @property
    def is_current(self) -> bool:
        """Whether the running statistics, which anybody may write into, are those of the last `refresh`."""
        return self._statistics.holds()

    def run(self, n: int) -> list[Array]:
        """Each output for the first n pictures in `inputs`; views that the next run overwrites."""
        self._work.run(n)
        return self._outputs_of(n)

    def answer(self, pictures: Array) -> list[Array]:
        """As `run`, for pictures (n, ...) that are read where they lie if they can be, else copied into `inputs`."""
        n, flags = len(pictures), pictures.flags
        alike = pictures.dtype == np.float32 and pictures.shape[1:] == self.inputs.shape[1:]
        if self._reads_elsewhere and alike and flags.c_contiguous and flags.aligned:
            self._work.run(n, self.inputs, pictures)
            return self._outputs_of(n)
        self.inputs[:n] = pictures
        return self.run(n)

    def _outputs_of(self, n: int) -> list[Array]:
        return self.outputs if n == self.capacity else [output[:n] for output in self.outputs]


class _Judged:
    """What ends in a loss: what the network answers for the pictures of the last run."""

    _task: EvaluationTask
    _logits: Array

    def answers(self, n: int) -> Array:
        """As `predict` gives them."""
        return self._task.answers(self._logits[:n])


class EvaluationPlan(_Judged):
    """Loss and right answers over a feed, without gradients."""

    def __init__(self, task: EvaluationTask) -> None:
        self._task, self.feed, self.totals = task, task.feed, task.new_totals()
        feed, body = task.feed, task.body
        used = lower_in_use(body, feed.inputs, partial(_context, task.graph, task.parameters, feed.capacity))
        self._context = used.context
        self._logits = used.values[body.output]
        judge = loss_work(self._context, task.loss, self._logits, feed, self.totals, accuracy=task.accuracy)
        self._work = WorkSequence([*feed.work(), *used.work, *judge], fixed_weights=True, prepare=self._context.prepare)

    def run(self, n: int) -> Array:
        """Add the next n pictures of the feed to `totals`; their outputs, without the loss's joint activation, until
        the next run."""
        self._work.run(n)
        return self._logits[:n]

    @property
    def workspace_bytes(self) -> int:
        """Bytes that kernels use inside a step."""
        return self._work.workspace_bytes

    @property
    def memory_bytes(self) -> int:
        """Bytes of buffers and workspaces, parameters not counted."""
        return self.feed.num_bytes + self._context.num_bytes + self._work.workspace_bytes


class FeaturePlan:
    """What the first layers give for the pictures of a feed, as a training step on top of them would see it."""

    def __init__(self, graph: Graph, parameters: FlatParameters, *, feed: Feed) -> None:
        self.feed = feed
        used = lower_in_use(graph, feed.inputs, partial(_context, graph, parameters, feed.capacity))
        self._context = used.context
        self.outputs = used.values[graph.output]
        self._work = WorkSequence([*feed.work(), *used.work], fixed_weights=True, prepare=self._context.prepare)

    def run(self, n: int) -> Array:
        """Outputs for the next n pictures of the feed; a view that the next run overwrites."""
        self._work.run(n)
        return self.outputs[:n]


class TrainingPlan(_Worked, _Judged):
    """One training step: gather, forward, loss, backward, optimizer; one native program if all layers have kernels.

    What nothing trained feeds (see `base`) runs as in use, in buffers of its own, and has no way back.
    """

    def __init__(self, task: TrainingTask) -> None:
        """With a batch_size a step is `compute` for each shard, and `update`; without, it is `run`."""
        self._task, self.begun, self.feed, self.parameters = task, task.begun, task.feed, task.parameters
        graph, feed, parameters, body, size = task.graph, task.feed, task.parameters, task.body, task.batch_size
        self.control, self.totals = np.zeros(3), task.new_totals()
        self._context = _context(graph, parameters, feed.capacity, 0, training=True)
        self._context.counter[0] = task.seed
        frozen = frozen_nodes(body)
        rest = [number for number in range(len(body.nodes)) if number not in frozen]
        self._frozen, self._version = [body.nodes[number].layer for number in frozen], -1
        self._base = _context(body, parameters, feed.capacity, area_bytes(body, [whole(body, feed.capacity)]))
        self._contexts = self._base, self._context
        base = lower(self._base, body, {INPUT: feed.inputs}, frozen)
        lowered = lower(self._context, body, {number: value.y for number, value in base.items()}, rest)
        logits = self._logits = lowered[body.output].y
        gradient = self._context.buffer(logits.shape)
        judge = loss_work(self._context, task.loss, logits, feed, self.totals, gradient, accuracy=task.accuracy)
        self._buckets = Buckets(parameters)
        self.tell: Callable[[], object] = _nobody
        waits = size is None or bool(self._context.rescale)  # which changes gradients in the end
        back = backward_work(self._context, body, lowered, gradient, None if waits else self._telling)
        update = update_work(
            graph.layers,
            parameters,
            task.optimizer,
            task.slots,
            self.control,
            self.totals[:3],
            capacity=size or feed.capacity,
        )
        self._update = None if size is None else WorkSequence(update)
        self._work = WorkSequence(
            [
                *feed.work(),
                *_forward(base),
                *for_no_batch(self._context.prepare),
                *_forward(lowered),
                *judge,
                *back,
                *for_no_batch(self._context.rescale),
                *added_up(self._context),
                *self._context.finish,
                *(update if size is None else ()),
            ],
            prepare=self._base.prepare,
        )

    def run(self, n: int, *, step: int, learning_rate: float) -> bool:
        """Train on the next n pictures of the feed; adds to `totals`. step counts from 0.

        Returns False, with the parameters left as they were, when the loss is not a finite number.
        """
        self._control(step, learning_rate)
        return self.compute(n, key=step)

    def compute(self, n: int, *, key: int) -> bool:
        """As much of `run` as concerns one shard of a batch: its n pictures are added to `totals`, and there are its
        gradients and its running statistics. key: what dropout draws by, in place of the step."""
        self._prepare()
        self._context.counter[1] = key & 0xFFFFFFFF
        return self._work.run(n)

    def update(self, n: int, *, step: int, learning_rate: float) -> None:
        """Change the parameters by the gradients there are, of a batch of n pictures."""
        self._control(step, learning_rate)
        if self._update is not None:
            self._update.run(n)

    @property
    def counter(self) -> Array:
        """(seed, key) of the next step, which dropout draws by. Shapes: (2,) uint32."""
        return self._context.counter

    def _telling(self, layers: Sequence[Layer]) -> Sequence[Work]:
        return [lambda n: self.tell()] if self._buckets.closed_by(layers) else ()

    @property
    def buckets(self) -> list[tuple[int, int]]:
        """Parts of the vector of gradients, from where to where. `compute` calls `tell` as each but the last is whole,
        in this order; not where all change in the end, or the loss was no number."""
        return self._buckets.bounds

    @property
    def statistics(self) -> list[tuple[Layer, str]]:
        """The state of layers that a step changes, such as running means, each as `layer.state[name]`."""
        changed = (
            layer for layer in each_once(self._task.graph.layers) if layer.trainable and layer not in self._frozen
        )
        return [(layer, name) for layer in changed for name in layer.state]

    def _control(self, step: int, learning_rate: float) -> None:
        self.control[RATE] = learning_rate
        self.control[STEP] = step + 1 - self.begun
        self.control[GRADIENT_SCALE] = 1

    def _prepare(self) -> None:
        """Make anew what was made of frozen weights, where somebody has written into these."""
        version = sum([layer.version for layer in self._frozen])
        if version != self._version:
            self._work.refresh()
            self._work.prepare()
            self._version = version

    @property
    def runs_alone(self) -> bool:
        """Whether `run_steps` may be called: all of a step is one native program on pictures in memory."""
        return self._work.program is not None and self.feed.in_memory and self._update is None

    def run_steps(self, n: int, *, position: int, step: int, learning_rates: Sequence[float]) -> tuple[int, Array]:
        """As many steps of n pictures each as there are learning rates, in one call without the interpreter.

        position: of the first picture, in the feed's order. Returns the steps that ended well and `totals` after each
        (one more row where a loss was not a finite number).
        Shapes: totals (len(learning_rates), entries of self.totals).
        """
        program, count = self._work.program, len(learning_rates)
        if program is None:
            raise ConfigError("this plan needs the interpreter between its programs; run it step by step")
        self._prepare()
        steps = np.arange(step, step + count)
        counters = np.empty((count, 2), np.uint32)
        counters[:, 0], counters[:, 1] = self._context.counter[0], steps
        control = np.ones((count, 3))
        control[:, RATE], control[:, STEP] = learning_rates, steps + 1 - self.begun
        cursors = np.arange(position, position + count * n, n, dtype=np.int64)
        totals = np.zeros((count, len(self.totals)))
        before: list[tuple[Array, Array]] = [(cursor, cursors) for cursor in self.feed.cursors]
        before += [(self._context.counter, counters), (self.control, control)]
        return program.run_steps(n, count, before, [(self.totals, totals)]), totals

    def settle(self) -> None:
        """Nothing: the model's own vectors are what a step changes."""

    @property
    def memory_bytes(self) -> int:
        """Bytes of buffers and workspaces, parameters, gradients and moments not counted."""
        buffers = self.feed.num_bytes + self._base.num_bytes + self._context.num_bytes
        return buffers + self._work.workspace_bytes


def _nobody() -> None:
    """Hears of no gradients."""


def _forward(lowered: Mapping[int, Lowered]) -> list[Work]:
    return [work for value in lowered.values() for work in value.forward]


def _context(
    graph: Graph, parameters: FlatParameters, capacity: int, shared: int, *, training: bool = False
) -> Context:
    # A layer's place in its model: dropout draws by it, whether all layers run here or the last ones alone.
    positions = {layer.name: i if layer.position is None else layer.position for i, layer in enumerate(graph.layers)}
    counter, exact = aligned_zeros((2,), np.uint32), convolves_directly(graph)
    return Context(capacity, training, parameters, positions, counter, shared, exact=exact)
