"""What layers are lowered to: a node is one pattern of layers as work on buffers.

It says where the pattern's output lies, the work that computes it, and the work that takes a gradient back through it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from pellucid.layers import Layer
from pellucid.ops.geometry import Array, Shape
from pellucid.ops.memory import aligned_empty, expect_memory
from pellucid.parameters import FlatParameters
from pellucid.plan.work import Work

Backward = Callable[[Array, Array | None], Sequence[Work]]
"""(dy, dx) -> work that fills the parameter gradients, and dx unless it is None. dy may be overwritten."""


def _no_backward(dy: Array, dx: Array | None) -> Sequence[Work]:
    return ()


@dataclass
class Node:
    """One lowered pattern.

    needs_output: backward reads y, so nobody may overwrite it. in_place: backward turns dy into dx where it lies.
    """

    layers: tuple[Layer, ...]
    y: Array
    forward: Sequence[Work] = ()
    backward: Backward = _no_backward
    needs_output: bool = False
    in_place: bool = False

    @property
    def trainable(self) -> bool:
        return any(layer.trainable and layer.params for layer in self.layers)


class Area:
    """Memory that several arrays of a plan use one after another; what is never used takes none."""

    def __init__(self, num_bytes: int) -> None:
        self._memory = aligned_empty(num_bytes, np.uint8)
        self.used_bytes = 0

    def fits(self, shape: Shape, dtype: type = np.float32) -> bool:
        """Whether an array of this shape has room."""
        return _num_bytes(shape, dtype) <= self._memory.nbytes

    def holds(self, array: Array | None) -> bool:
        """Whether the array lies here."""
        return array is not None and np.may_share_memory(array, self._memory)

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
    counter-based generators read it. shared: three areas of an inference plan, two for outputs in turn and one for
    records; empty in training, where backward reads what forward wrote. reading: the array that the pattern being
    lowered reads, so its outputs go elsewhere. finish: work for after the backward pass (running statistics).
    exact: convolutions are computed directly.
    """

    capacity: int
    training: bool
    parameters: FlatParameters
    positions: dict[str, int]
    counter: Array
    shared: tuple[Area, ...] = ()
    buffers: list[Array] = field(default_factory=list)
    areas: list[Area] = field(default_factory=list)
    finish: list[Work] = field(default_factory=list)
    reading: Array | None = None
    exact: bool = False

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

    def area(self, num_bytes: int) -> Area:
        """A new area the plan owns."""
        self.areas.append(Area(num_bytes))
        return self.areas[-1]

    def output(self, shape: Shape) -> Array:
        """Where an activation (N, *shape) goes: in inference one of two areas, never the one just read or written."""
        whole = (self.capacity, *shape)
        for area in self.shared[:2]:
            if area.fits(whole) and not area.holds(self.reading):
                self.reading = area.array(whole)
                return self.reading
        self.reading = self.buffer(whole)
        return self.reading

    def record(self, shape: Shape, dtype: type = np.float32) -> Array:
        """Where forward notes what backward needs: an array of its own, or in inference memory nobody reads."""
        for area in self.shared[2:]:
            if area.fits(shape, dtype):
                return area.array(shape, dtype)
        return self.buffer(shape, dtype)

    def parameter(self, layer: Layer, name: str) -> Array | None:
        """The live parameter of a layer, or None where the layer has none of that name."""
        segment = self.parameters.of(layer).get(name)
        return None if segment is None else self.parameters.view(segment)

    def gradient(self, layer: Layer, name: str) -> Array | None:
        """Where a parameter's gradient goes, or None where it is frozen or absent."""
        segment = self.parameters.of(layer).get(name)
        return None if segment is None or not segment.trainable else self.parameters.gradient(segment)

    def key(self, layer: Layer) -> tuple[int, int, int]:
        """(seed, step, position of the layer) for the pass about to run."""
        return int(self.counter[0]), int(self.counter[1]), self.positions[layer.name]

    @property
    def num_bytes(self) -> int:
        """Bytes of all buffers made so far; of areas, what is used."""
        return sum(array.nbytes for array in self.buffers) + sum(
            area.used_bytes for area in (*self.shared, *self.areas)
        )


Lower = Callable[[Context, tuple[Layer, ...], Node], Node | None]
"""Lowers matched layers after the node that makes their input; None where these arguments need the layer's own code."""
