"""The way back: from what came out to the gradients of what it was calculated from."""

from __future__ import annotations

import heapq
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from pellucid.autodiff.tensor import Node, Tensor, fitting, is_recording, node_of, now, recording, tensor
from pellucid.autodiff.variable import Variable
from pellucid.errors import ConfigError, shown
from pellucid.ops.geometry import Array


def gradients(
    seeds: Sequence[tuple[Any, Array]], wanted: Sequence[Any], inside: Callable[[int], bool] = lambda order: True
) -> dict[Any, Array]:
    """By node, for those of `wanted` that the others come from, the gradient of sum(node * its seed).

    seeds: nodes with the gradients they begin with. inside: which places in the order of calculations are gone through.
    """
    leads: dict[Any, bool] = {}
    asked = set(wanted)

    def opened(node: Any) -> Sequence[Any]:
        return node.inputs if node.pull is not None and inside(node.order) else ()

    todo = [node for node, _ in seeds]
    while todo:  # which lead to what is wanted, without recursion: programs are deeper than Python's stack
        node = todo[-1]
        if node in leads:
            todo.pop()
            continue
        missing = [each for each in opened(node) if each not in leads]
        if missing:
            todo.extend(missing)
            continue
        leads[node] = node in asked or any(leads[each] for each in opened(node))
        todo.pop()
    sums: dict[Any, Array] = {}
    found: dict[Any, Array] = {}
    heap: list[tuple[int, int, Any]] = []
    again = any(isinstance(d, Tensor) for _, d in seeds)

    def arrive(node: Any, d: Array) -> None:
        d = d if again else np.asarray(d)
        if node in sums:
            sums[node] = sums[node] + d
        else:
            sums[node] = d
            heapq.heappush(heap, (-node.order, id(node), node))

    for node, d in seeds:
        if leads[node]:
            arrive(node, d)
    while heap:
        _, _, node = heapq.heappop(heap)
        d = sums.pop(node)
        if node in asked:
            found[node] = d
        inputs = opened(node)
        needed = [leads[each] for each in inputs]
        if any(needed):
            for each, need, back in zip(inputs, needed, node.pull(d, needed), strict=True):
                if need and back is not None:
                    arrive(each, back)
    return found


class GradientTape:
    """Remembers what is calculated in its block of what it watches: trained variables, and what `watch` is given.

    with GradientTape() as tape:
        loss = loss_fn(y, model(x, training=True))
    optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights))

    persistent: whether `gradient` may be asked more than once. watch_accessed_variables: whether variables are watched.
    A gradient taken while another tape runs has a gradient itself.
    Errors: ConfigError for a second gradient of a tape that is not persistent.
    """

    def __init__(self, persistent: bool = False, watch_accessed_variables: bool = True) -> None:
        self._persistent, self._all = persistent, watch_accessed_variables
        self._stretches: list[list[int]] = []
        """From when to when in the order of calculations it ran."""
        self._watched: set[Any] = set()
        self._entered: Any = None
        self._used = False

    def __enter__(self) -> GradientTape:
        self._entered = recording()
        self._entered.__enter__()
        self._stretches.append([now(), -1])
        return self

    def __exit__(self, *error: Any) -> None:
        if self._stretches and self._stretches[-1][1] < 0:
            self._stretches[-1][1] = now()
        self._entered.__exit__(*error)

    def watch(self, tensor_: Any) -> None:
        """Watch arrays, too. Errors: ConfigError for what is no tensor: `tf.convert_to_tensor(x)` makes one."""
        for each in _flat(tensor_):
            if isinstance(each, Variable):
                self._watched.add(each.node)
            elif isinstance(each, Tensor) and each.dtype.kind == "f":
                if each.node is None:
                    each.node = Node()
                self._watched.add(each.node)
            elif isinstance(each, Tensor):
                warnings.warn(f"tape.watch: no gradient comes to {each.dtype} numbers; cast to float32", stacklevel=2)
            else:
                raise ConfigError(
                    f"tape.watch: watches tensors, got {shown(each)}; x = tf.convert_to_tensor(x) before the block"
                )

    @contextmanager
    def stop_recording(self) -> Iterator[None]:
        """A block of which nothing is remembered."""
        self._stretches[-1][1] = now()
        with recording(False):
            yield
        self._stretches.append([now(), -1])

    def reset(self) -> None:
        """Forget what was remembered so far."""
        self._stretches = [[now(), -1]]

    def watched_variables(self) -> tuple[Any, ...]:
        """Not known here. Errors: ConfigError, always."""
        raise ConfigError("tape.watched_variables: ask for the gradient of model.trainable_variables")

    def gradient(
        self, target: Any, sources: Any, output_gradients: Any = None, unconnected_gradients: Any = "none"
    ) -> Any:
        """The gradient of the sum of all numbers of target for each of sources, in their order and form.

        None for one that target does not come from; zeros with unconnected_gradients="zero".
        Errors: ConfigError for sources that are neither tensors nor variables.
        """
        if self._used and not self._persistent:
            raise ConfigError("tape.gradient: asked twice; GradientTape(persistent=True) may be")
        self._used = True
        targets, asked = _flat(target), _flat(sources)
        for each in asked:
            if not isinstance(each, Tensor | Variable):
                raise ConfigError(
                    f"tape.gradient: sources are variables or watched tensors, got {shown(each)}; tape.watch(x) in the "
                    "block, where x = tf.convert_to_tensor(x)"
                )
        starts = [None] * len(targets) if output_gradients is None else _flat(output_gradients)
        again = self._may_be_asked_again()
        seeds = [
            (node, _start(np.ones(each.shape) if d is None else d, each, again))
            for each, d in zip(map(tensor_or_value, targets), starts, strict=True)
            if (node := node_of(each)) is not None
        ]
        found = gradients(seeds, [each.node for each in asked if each.node is not None], self._ran)
        if not self._all:
            found = {node: d for node, d in found.items() if node in self._watched}
        zero = str(getattr(unconnected_gradients, "value", unconnected_gradients)).lower() == "zero"
        answers = iter([_answer(each, found.get(each.node), zero) for each in asked])
        return _formed(sources, answers)

    def _may_be_asked_again(self) -> bool:
        """Whether a tape is running that may be asked for a gradient of what is found now."""
        runs = bool(self._stretches) and self._stretches[-1][1] < 0
        return is_recording(2 if runs and not self._persistent else 1)

    def _ran(self, order: int) -> bool:
        return any(first < order and (last < 0 or order < last) for first, last in self._stretches)

    def jacobian(self, target: Any, sources: Any, unconnected_gradients: Any = "none", **_: Any) -> Any:
        """The gradient of each number of target by itself, for each of sources, in their order and form; None and zeros
        as of `gradient`. Each number costs one way back.

        Shapes: those of target, then those of the source.
        """
        shape = tuple(target.shape)
        return self._of_each(target, sources, np.eye(int(np.prod(shape))).reshape(-1, *shape), shape, 0)

    def batch_jacobian(self, target: Any, source: Any, unconnected_gradients: Any = "none", **_: Any) -> Any:
        """The same within each row of a batch, whose rows must not depend on each other.

        Shapes: target (N, ...), source (N, ...) -> N, the rest of target, the rest of source.
        """
        count, *shape = target.shape
        each = np.eye(int(np.prod(shape))).reshape(-1, 1, *shape)
        starts = np.broadcast_to(each, (len(each), count, *shape))
        return self._of_each(target, source, starts, tuple(shape), 1)

    def _of_each(self, target: Any, sources: Any, starts: Array, shape: tuple[int, ...], axis: int) -> Any:
        """The gradients that begin with each of these, side by side from `axis` on in this shape."""
        asked = _flat(sources)
        rows: list[Any] = []
        for start in starts:
            self._used = False
            rows.append(self.gradient(target, asked, output_gradients=start))
        self._used = True
        found = [
            None
            if column[0] is None
            else np.stack(column, axis).reshape((*source.shape[:axis], *shape, *source.shape[axis:]))
            for column, source in zip(zip(*rows, strict=True), asked, strict=True)
        ]
        return _formed(sources, iter(found))


def tensor_or_value(each: Any) -> Any:
    """A variable's value as recorded, for the gradient of a variable itself."""
    return each.read() if isinstance(each, Variable) else tensor(each)


def _start(d: Any, target: Any, again: bool) -> Any:
    """The gradient of a target to begin with; recorded on where that is to have a gradient itself."""
    start = fitting(d, target.shape, target.dtype)
    return tensor(start) if again else np.asarray(start)


def _answer(source: Any, d: Any, zero: bool) -> Any:
    if d is None:
        return tensor(np.zeros(source.shape, source.dtype)) if zero else None
    return tensor(d)


def _flat(given: Any) -> list[Any]:
    if isinstance(given, Mapping):
        return [one for each in given.values() for one in _flat(each)]
    if isinstance(given, list | tuple):
        return [one for each in given for one in _flat(each)]
    return [given]


def _formed(like: Any, answers: Iterator[Any]) -> Any:
    if isinstance(like, Mapping):
        return {name: _formed(each, answers) for name, each in like.items()}
    if isinstance(like, list | tuple):
        return [_formed(each, answers) for each in like]
    return next(answers)
