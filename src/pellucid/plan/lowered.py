"""What layers are lowered to: one pattern of layers as work on buffers.

It says where the pattern's output lies, the work that computes it, and the work that takes a gradient back through it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from pellucid.layers import Layer
from pellucid.layers.parameters import FlatParameters
from pellucid.ops import native
from pellucid.ops.geometry import Array, Shape
from pellucid.ops.memory import aligned_empty, expect_memory
from pellucid.ops.table import Numbers
from pellucid.plan.work import Work

if TYPE_CHECKING:
    from pellucid.plan.batch_norm import Ending

Backward = Callable[..., Sequence[Work]]
"""(dy, dx, ...) -> work that fills the parameter gradients, and each dx that is not None, one for each value read.

dy may be overwritten. A pattern that trains nothing itself and reads one value is asked only for that one's dx.
"""


def _no_backward(dy: Array, *dx: Array | None) -> Sequence[Work]:
    return ()


@dataclass
class Lowered:
    """One lowered pattern.

    needs_output: somebody else reads y, backward or another layer, so nobody may overwrite it. in_place: backward turns
    dy into the last dx where it lies. adds: backward takes `addend`, another gradient that is added to its first
    dx; what is read first and once more is asked for once, with the sum of both gradients.
    reads: the numbers of the graph's nodes that it is made from. inner: numbers of the largest gradient between its own
    layers that backward takes an area for. ending: what of it the first that reads y may do.
    """

    layers: tuple[Layer, ...]
    y: Array
    forward: Sequence[Work] = ()
    backward: Backward = _no_backward
    needs_output: bool = False
    in_place: bool = False
    adds: bool = False
    reads: tuple[int, ...] = ()
    inner: int = 0
    ending: Ending | None = None


class Area:
    """Memory that several arrays of a plan use one after another; what is never used takes none."""

    def __init__(self, num_bytes: int) -> None:
        self._memory = aligned_empty(num_bytes, np.uint8)
        self.used_bytes = 0

    def holds(self, array: Array) -> bool:
        """Whether the array lies here."""
        return bool(np.may_share_memory(array, self._memory))

    def array(self, shape: Shape, dtype: type = np.float32) -> Array:
        """An array at the beginning of the area."""
        num_bytes = _num_bytes(shape, dtype)
        self.used_bytes = max(self.used_bytes, num_bytes)
        return self._memory[:num_bytes].view(dtype).reshape(shape)


def _num_bytes(shape: Shape, dtype: type) -> int:
    return math.prod(shape) * np.dtype(dtype).itemsize


@dataclass
class Context:
    """What a pattern may ask for while it lowers.

    capacity: the batch size N that buffers are made for. counter: uint32 (seed, step), written before each step;
    counter-based generators read it. shared: the size of an inference plan's areas, in bytes: outputs lie in them while
    somebody still reads them, and records nobody reads in another; 0 in training, where backward reads what forward
    wrote. reading: the arrays that the pattern being lowered reads, kept: those that later ones read, so its outputs go
    elsewhere. finish: work for after the backward pass (running statistics). exact: convolutions are computed directly.
    prepare: steps that make `folded` weights, which stand for a layer's own, of parameters and of running `statistics`;
    they run once for each state of these, so before every step of a training. scales: of kernels, what their filters
    are multiplied with, and what folds it into a copy. rescale: steps that make gradients of folded weights those of
    the layer's own. shapes: what each layer gives for one picture, by its name.
    shared_gradients: of the weights that several layers have the gradients of all but the first, and to what each is
    added. in_python: the layers that run by their own forward and backward.
    """

    capacity: int
    training: bool
    parameters: FlatParameters
    positions: dict[str, int]
    counter: Array
    shared: int = 0
    buffers: list[Array] = field(default_factory=list)
    areas: list[Area] = field(default_factory=list)
    records: Area | None = None
    finish: list[Work] = field(default_factory=list)
    reading: Sequence[Array] = ()
    kept: Sequence[Array] = ()
    waiting: list[Array] = field(default_factory=list)
    largest: int = 0
    exact: bool = False
    prepare: list[native.Step] = field(default_factory=list)
    rescale: list[native.Step] = field(default_factory=list)
    folded: dict[tuple[str, str], Array] = field(default_factory=dict)
    scales: dict[tuple[str, str], tuple[Array, Callable[[], Array]]] = field(default_factory=dict)
    statistics: list[Array] = field(default_factory=list)
    shapes: dict[str, Shape] = field(default_factory=dict)
    shared_gradients: dict[tuple[str, str], tuple[Array, Array]] = field(default_factory=dict)
    in_python: list[Layer] = field(default_factory=list)

    def buffer(self, shape: Shape, dtype: type = np.float32) -> Array:
        """A new array the plan owns. Errors: MemoryError where the plan would take more than is free."""
        expect_memory(self.num_bytes + _num_bytes(shape, dtype), f"a plan for batches of {self.capacity:,}")
        array = aligned_empty(shape, dtype)
        self.buffers.append(array)
        return array

    def constant(self, size: int, value: float) -> Array:
        """A vector of one number that the plan owns."""
        array = self.buffer((size,))
        array[...] = value
        return array

    def output(self, shape: Shape) -> Array:
        """Where an activation (N, *shape) goes: in inference an area that holds nothing still read or just written."""
        whole = (self.capacity, *shape)
        if _num_bytes(whole, np.float32) <= self.shared:
            array = self.free_area(self.shared, (*self.reading, *self.kept)).array(whole)
        else:
            array = self.buffer(whole)
        self.reading = (array,)
        return array

    def output_of(self, layer: Layer) -> Array:
        """The same for what a layer gives."""
        return self.output(self.shapes[layer.name])

    def free_area(self, num_bytes: int, taken: Iterable[Array]) -> Area:
        """An area in which none of these arrays lies; a new one where there is none."""
        held = list(taken)
        for area in self.areas:
            if not any(area.holds(array) for array in held):
                return area
        self.areas.append(Area(num_bytes))
        return self.areas[-1]

    def gradient_area(self, shape: Shape, *taken: Array) -> Array:
        """Where a gradient goes until it has been passed on: where neither these lie nor those that are waiting."""
        return self.free_area(4 * self.largest, (*taken, *self.waiting)).array(shape)

    def record(self, shape: Shape, dtype: type = np.float32) -> Array:
        """Where forward notes what backward needs: an array of its own, or in inference memory nobody reads."""
        if _num_bytes(shape, dtype) > self.shared:
            return self.buffer(shape, dtype)
        self.records = self.records or Area(self.shared)
        return self.records.array(shape, dtype)

    def parameter(self, layer: Layer, name: str) -> Array | None:
        """The live parameter of a layer, or what it was folded into; None where the layer has none of that name."""
        key = layer.name, name
        if key in self.scales and key not in self.folded:
            self.folded[key] = self.scales[key][1]()
        if key in self.folded:
            return self.folded[key]
        segment = self.parameters.of(layer).get(name)
        return None if segment is None else self.parameters.view(segment)

    def scaled(self, layer: Layer, name: str) -> tuple[Array | None, Array | None]:
        """The same for who takes a kernel and the factors of its filters one by one, and needs no copy of it."""
        key = layer.name, name
        if self.training or key not in self.scales or key in self.folded:
            return self.parameter(layer, name), None
        return self.parameters.view(self.parameters.of(layer)[name]), self.scales[key][0]

    def gradient(self, layer: Layer, name: str) -> Array | None:
        """Where a parameter's gradient goes, or None where it is frozen or absent.

        That of a layer whose weights another one before it has, too, goes into a buffer, and is added in the end.
        """
        segment = self.parameters.of(layer).get(name)
        if segment is None or not segment.trainable:
            return None
        total = self.parameters.gradient(segment)
        if self.parameters.is_first(layer):
            return total
        key = layer.name, name
        if key not in self.shared_gradients:
            self.shared_gradients[key] = self.buffer(segment.shape), total
        return self.shared_gradients[key][0]

    def key(self, layer: Layer) -> tuple[int, int, int]:
        """(seed, step, position of the layer) for the pass about to run."""
        return int(self.counter[0]), int(self.counter[1]), self.positions[layer.name]

    @property
    def num_bytes(self) -> int:
        """Bytes of all buffers made so far; of areas, what is used."""
        areas = [*self.areas, *([self.records] if self.records else [])]
        return sum(array.nbytes for array in self.buffers) + sum(area.used_bytes for area in areas)


Lower = Callable[..., Lowered | None]
"""(context, layers, before, ...) -> matched layers lowered; None where their arguments need the layer's own code."""


def activation_of(layer: Layer) -> tuple[str, Numbers] | None:
    """(kind, numbers) of what acts on each number alone; None for softmax and its like."""
    how = layer.nonlinearity
    return ("linear", {}) if how is None else None if how.mixes else (how.kind, how.numbers)


def activation_behind(layer: Layer, after: tuple[Layer, ...]) -> tuple[str, Numbers] | None:
    """(kind, numbers) of what acts on a layer's result: its own activation, perhaps softmax, or the layer `after` it.

    None where both do, where the layer after it is a softmax, and for what has no kernel.
    """
    if after:
        return activation_of(after[0]) if layer.nonlinearity is None else None
    how = layer.nonlinearity
    softmax = how is not None and how.kind == "softmax"
    return ("softmax", {}) if softmax else activation_of(layer)
