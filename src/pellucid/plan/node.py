"""What layers are lowered to: a node is one pattern of layers as work on buffers.

It says where the pattern's output lies, the work that computes it, and the work that takes a gradient back through it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from pellucid.layers import Layer
from pellucid.ops.geometry import Array, Shape
from pellucid.ops.memory import aligned_empty
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


@dataclass
class Context:
    """What a pattern may ask for while it lowers.

    capacity: the batch size N that buffers are made for. counter: uint32 (seed, step), written before each step;
    counter-based generators read it. finish: work for after the backward pass (running statistics).
    """

    capacity: int
    training: bool
    parameters: FlatParameters
    positions: dict[str, int]
    counter: Array
    buffers: list[Array] = field(default_factory=list)
    finish: list[Work] = field(default_factory=list)

    def buffer(self, shape: Shape, dtype: type = np.float32) -> Array:
        """A new array the plan owns."""
        array = aligned_empty(shape, dtype)
        self.buffers.append(array)
        return array

    def output(self, shape: Shape) -> Array:
        """A new activation (N, *shape)."""
        return self.buffer((self.capacity, *shape))

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
        """Bytes of all buffers made so far."""
        return sum(array.nbytes for array in self.buffers)


Lower = Callable[[Context, tuple[Layer, ...], Node], Node | None]
"""Lowers matched layers after the node that makes their input; None where these arguments need the layer's own code."""
