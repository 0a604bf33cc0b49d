"""How PyTorch keeps each array of a layer: one description, read both ways, by the reader of its files and the writer.

Convolution (O, C/G, KH, KW) for (KH, KW, C/G, O), of series without KH, with as many groups as channels and O = C*M
for a DepthwiseConv2D's (KH, KW, C, M); transposed (C, O, KH, KW) for (KH, KW, O, C); dense (units,
inputs) for (inputs, units), and behind a Flatten its inputs, which PyTorch counts in order (C, H, W), for our order (H,
W, C). So are a LayerNorm's over whole maps, and all that a batch norm has for flattened numbers. A TableConv2D is a
convolution with zeros between.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pellucid.errors import CheckpointError
from pellucid.layers import Layer, TableConv2D
from pellucid.layers.graph import Graph
from pellucid.ops.geometry import Array, Shape

NAMES = {
    **{"kernel": "weight", "bias": "bias"},
    **{"gamma": "weight", "beta": "bias", "mean": "running_mean", "variance": "running_var"},
    "alpha": "weight",
}
"""Ours and PyTorch's, of one layer's arrays."""


@dataclass(frozen=True)
class Layout:
    """An array that lies elsewhere with its axes in another order.

    ours: its shape here; split: the same with an axis for each that moves; axes: the order of these in the file; shape:
    in the file.
    """

    ours: Shape
    split: Shape
    axes: tuple[int, ...]
    shape: Shape

    def read(self, theirs: Array) -> Array:
        """From the file's axes to ours."""
        moved = theirs.reshape([self.split[axis] for axis in self.axes])
        return moved.transpose([self.axes.index(axis) for axis in range(len(self.axes))]).reshape(self.ours)

    def write(self, ours: Array) -> Array:
        """From our axes to the file's."""
        return ours.reshape(self.split).transpose(self.axes).reshape(self.shape)


@dataclass(frozen=True)
class _Table(Layout):
    """Of a TableConv2D: the kernel of a connection each, of a convolution that has all of them."""

    layer: TableConv2D

    def read(self, theirs: Array) -> Array:
        whole = super().read(theirs)
        kernel = whole[:, :, self.layer.inputs, self.layer.outputs]
        if np.count_nonzero(whole) > np.count_nonzero(kernel):
            raise CheckpointError(f"{self.layer.place()}: the file has weights where its table has no connection")
        return kernel

    def write(self, ours: Array) -> Array:
        whole = np.zeros(self.ours, ours.dtype)
        whole[:, :, self.layer.inputs, self.layer.outputs] = ours
        return super().write(whole)


def unchanged(array: Array) -> Layout:
    """Where the file has it as we have it."""
    return Layout(array.shape, array.shape, tuple(range(array.ndim)), array.shape)


def of_kernel(kernel: Array, picture: Shape | None, filters: Shape | None = None) -> Layout:
    """Of a kernel where channels come first: (O, C, KH, KW) for (KH, KW, C, O), (units, inputs) for (inputs, units).

    picture: (H, W, C), where that was flattened, channels first, before a dense layer. filters: the kernel's shape as a
    convolution's, where it is kept as (KH, KW, C, M). Of series without KH.
    """
    if kernel.ndim > 2:
        (*window, inner, outer), (channels, outputs) = kernel.shape, (filters or kernel.shape)[-2:]
        last, before = kernel.ndim - 1, kernel.ndim - 2
        ends = (last, before) if (inner, outer) == (channels, outputs) else (before, last)
        return Layout(kernel.shape, kernel.shape, (*ends, *range(before)), (outputs, channels, *window))
    if picture is None:
        return Layout(kernel.shape, kernel.shape, (1, 0), kernel.shape[::-1])
    return Layout(kernel.shape, (*picture, kernel.shape[1]), (3, 2, 0, 1), kernel.shape[::-1])


def layout(layer: Layer, name: str, array: Array, picture: Shape | None) -> Layout:
    """Of an array of a layer's in PyTorch. picture: what the layer reads flattened, see `flattened`."""
    if isinstance(layer, TableConv2D) and name == "kernel":
        shape = (*array.shape[:2], len(set(layer.inputs.tolist())), layer.filters)
        return _Table(shape, shape, (3, 2, 0, 1), (shape[3], shape[2], *shape[:2]), layer)
    if name == "alpha":
        return Layout(array.shape, (array.size,), (0,), (array.size,))
    if layer.role == "layer norm" and array.ndim == 3:
        return Layout(array.shape, array.shape, (2, 0, 1), (array.shape[2], *array.shape[:2]))
    if array.ndim == 1 and layer.role == "batch norm" and picture is not None:
        return Layout(array.shape, picture, (2, 0, 1), array.shape)
    if array.ndim < 2:
        return unchanged(array)
    return of_kernel(array, picture, None if name == "pointwise_kernel" else layer.as_filters(array).shape)


def flattened(graph: Graph) -> tuple[dict[int, Shape], list[int]]:
    """For each node that reads a picture (H, W, C) flattened, and whose weights may follow another order of its
    numbers, that picture; and the flattens whose numbers others read too, which must keep their order.

    An order means nothing where there is one row and column, or one channel.
    """
    origins: dict[int, set[int]] = {}  # of each value the flattens whose order it has
    pictures: dict[int, Shape] = {}
    readers: dict[int, int] = {}
    fixed: set[int] = set()
    for visit in graph.walk():
        read = set().union(*(origins.get(i, set()) for i in visit.inputs))
        role, plain = visit.layer.role, not visit.layer.params
        if role == "flatten" and len(visit.input_shape) == 3:
            if math.prod(visit.input_shape[:2]) > 1 and visit.input_shape[2] > 1:
                origins[visit.number], pictures[visit.number] = {visit.number}, visit.input_shape
        elif len(read) == 1 and role in ("dense", "distance", "batch norm"):
            readers[visit.number] = min(read)
            if role == "batch norm":
                origins[visit.number] = read
        elif len(read) == 1 and (role in ("dropout", "noise") or (role == "activation" and plain)):
            origins[visit.number] = read
        else:
            fixed |= read
    fixed |= set().union(*(origins.get(i, set()) for i in graph.outputs))
    return {node: pictures[origin] for node, origin in readers.items() if origin not in fixed}, sorted(fixed)
