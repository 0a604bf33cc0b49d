"""Layers called on arrays, outside of a plan: how they are called, and what a tape remembers of it."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.autodiff import Node, Tensor, Variable, gradients, is_recording, node_of, recorded
from pellucid.errors import ConfigError
from pellucid.layers.variable import parameters_of
from pellucid.ops import Array

if TYPE_CHECKING:
    from pellucid.layers.layer import Layer


@dataclass(frozen=True)
class Pass:
    """How the layers within a model, or within a layer of one's own, are called where their calls do not say it.

    training: whether they learn. draw: gives seeds, one after another. pending: where what layers learned of the batch
    waits; None: they take it in at once.
    """

    training: bool
    draw: Callable[[], int]
    pending: list[tuple[Layer, Any]] | None = None


class Reader:
    """A pass that a tape remembers. arrays: the weights that it read, kept once they are about to change."""

    def __init__(self, layer: Layer) -> None:
        self.written = layer.times_written
        self.arrays: dict[str, Array] | None = None
        if layer.store.readers is None:
            layer.store.readers = weakref.WeakSet()
        layer.store.readers.add(self)


class _Passes(threading.local):
    now: Pass | None = None
    tracing = False


_passes = _Passes()


def current() -> Pass | None:
    """The innermost."""
    return _passes.now


@contextmanager
def within_pass(training: Any, draw: Callable[[], int], pending: Any = None) -> Iterator[Pass]:
    """A block whose layers are called so; training=None: as around it."""
    before, traces = _passes.now, _passes.tracing
    kept = before.pending if before is not None and pending is None else pending
    learns = (before is not None and before.training) if training is None else bool(training)
    _passes.now, _passes.tracing = Pass(learns, draw, kept), False
    try:
        yield _passes.now
    finally:
        _passes.now, _passes.tracing = before, traces


@contextmanager
def tracing() -> Iterator[None]:
    """A block in which a `call` is run on values without numbers.

    Errors: ConfigError for a layer with weights that it calls on numbers: these would be left out of what is trained.
    """
    before, _passes.tracing = _passes.tracing, True
    try:
        yield
    finally:
        _passes.tracing = before


def generator(layer: Layer, seed: int | None) -> np.random.Generator:
    """What a layer's weights are drawn with that is called before it is built: from seed, else as the pass says."""
    around = current()
    return np.random.default_rng(
        around.draw() if seed is None and around is not None and not layer.built else seed or 0
    )


def drawn_at_random() -> int:
    """A seed as `keras.utils.set_random_seed` set it, anew each time."""
    return int(np.random.randint(2**31))


def run(layer: Layer, x: Any, given: Any, seed: int | None, training: Any) -> Any:
    """What a built layer gives for arrays, float32; a Tensor where one came in, recorded while a tape runs.

    x: the arrays as they came; given: as `forward` takes them.
    """
    if _passes.tracing and layer.params and layer.trainable:
        raise ConfigError(f"{layer.place()} was called on numbers among values that have none yet")
    around = current()
    learns = bool(around is not None and around.training) if training is None else bool(training)
    if seed is None:
        seed = around.draw() if around is not None else drawn_at_random() if learns and is_recording() else 0
    how: Any = {"training": learns, "key": (seed, 0, 0)}
    y, cache = layer.forward(given, **how)
    if learns and around is not None and around.pending is not None:
        around.pending.append((layer, cache))
    elif learns:
        layer.apply_state(cache)
    answer = np.asarray(y, np.float32)
    each = [one.read() if isinstance(one, Variable) else one for one in (x if layer.merges else [x])]
    if is_recording():
        nodes = [node_of(one) for one in each]
        weights = {name: weight for name, weight in parameters_of(layer).items() if weight.trainable}
        if weights or any(node is not None for node in nodes):
            return _recorded(layer, answer, cache, each, nodes, weights, how)
    return answer.view(Tensor) if any(isinstance(one, Tensor) for one in each) else answer


def _recorded(
    layer: Layer, answer: Array, cache: Any, each: Sequence[Any], nodes: Sequence[Any],
    weights: Mapping[str, Any], how: Mapping[str, Any],
) -> Tensor:  # fmt: skip
    places = [i for i, node in enumerate(nodes) if node is not None]
    reader = Reader(layer)

    def pull(d: Array, needed: Sequence[bool]) -> Sequence[Any]:
        if layer.times_written != reader.written and reader.arrays is None:
            raise ConfigError(
                f"{layer.place()}: its weights changed since the tape recorded them, by fit or set_weights; take all "
                "gradients before"
            )
        with layer.holding(reader.arrays or {}):
            return pulled(d, needed)

    def pulled(d: Array, needed: Sequence[bool]) -> Sequence[Any]:
        if isinstance(d, Tensor):
            return _pulled_by_calculation(layer, d, each, places, weights, how)
        d = np.ascontiguousarray(d, np.float32)
        grads: dict[str, Array] = {}
        if any(needed[len(places) :]):
            dx, grads = layer.backward(d, cache, need_dx=any(needed[: len(places)]))
        else:
            dx = layer.backward_input(d, cache)
        parts: Any = dx if layer.merges and dx is not None else [dx]
        back = [None if dx is None else np.asarray(parts[i]).astype(each[i].dtype, copy=False) for i in places]
        return [*back, *(grads[f"d{name}"] if grads else None for name in weights)]

    return recorded(answer, [*(nodes[i] for i in places), *(weight.node for weight in weights.values())], pull)


def _pulled_by_calculation(
    layer: Layer, d: Tensor, each: Sequence[Any], places: Sequence[int], weights: Mapping[str, Any],
    how: Mapping[str, Any],
) -> list[Any]:  # fmt: skip
    """The gradients of its inputs and weights, calculated so that they have gradients themselves.

    Errors: ConfigError for a layer of which no calculation is known.
    """
    values = [one if isinstance(one, Tensor) else np.asarray(one).view(Tensor) for one in each]
    read = {name: weight.read() for name, weight in weights.items()}
    first = Node().order
    y = layer.calculate(values if layer.merges else values[0], {**layer.params, **read}, **how)
    if y is None:
        raise ConfigError(
            f"{layer.place()}: the gradient of its gradient is not known; leave it out of what is differentiated twice"
        )
    wanted = [*(values[i].node for i in places), *(one.node for one in read.values())]
    node = node_of(y)
    found = {} if node is None else gradients([(node, d)], wanted, lambda order: order > first)
    return [found.get(node) for node in wanted]
