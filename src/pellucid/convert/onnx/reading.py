"""ONNX's nodes as our layers: values, the nodes that make them, and how axes are brought where a layer wants them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from pellucid import layers as L
from pellucid.convert.onnx.axes import Axes, channels_first, channels_last, flattened
from pellucid.errors import PellucidError
from pellucid.layers import Layer
from pellucid.layers.symbolic import Symbolic, Value
from pellucid.ops.geometry import Array, Shape

MAX_NUMBERS_MADE = 1 << 29
"""Weights of all layers of a file: 2 GiB of float32."""


class Batch:
    """The number of pictures, which nobody knows yet, where a shape is computed with."""

    def __repr__(self) -> str:
        return "N"


BATCH = Batch()


class Inexpressible(Exception):
    """Why a node cannot be expressed by our layers."""


@dataclass(frozen=True)
class Held:
    """A tensor that depends on the pictures: a value of ours, and where its axes lie among the tensor's `rank`.

    Axes of the tensor that are none of ours have size 1. flat: of a row that was flattened in the tensor's order, the
    shape of ours before, and its axes.
    """

    value: Symbolic
    axes: Axes
    rank: int
    flat: tuple[Shape, Axes] | None = None

    @property
    def sizes(self) -> list[int]:
        """The tensor's shape without the batch."""
        found = [1] * (self.rank - 1)
        for axis, size in zip(self.axes, self.value.shape, strict=True):
            found[axis - 1] = size
        return found

    def axis(self, number: int) -> int:
        """An axis of the tensor, counted from 0. Errors: Inexpressible for the batch's, or for none."""
        if not -self.rank <= number < self.rank:
            raise Inexpressible(f"axis {number} of {self.rank}")
        if number % self.rank == 0:
            raise Inexpressible("along the batch")
        return number % self.rank


Input = Held | Array | None


@dataclass(frozen=True)
class Node:
    """An operator at its place. opset: of the standard operators in this file."""

    operator: str
    name: str
    inputs: Sequence[Input]
    attributes: Mapping[str, Any]
    opset: int
    outputs: int = 1

    def held(self, index: int = 0) -> Held:
        """An input that depends on the pictures. Errors: Inexpressible where it does not."""
        found = self.inputs[index] if index < len(self.inputs) else None
        if not isinstance(found, Held):
            raise Inexpressible(f"input {index} is a constant" if found is not None else f"input {index} is missing")
        return found

    def constant(self, index: int, default: Any = None) -> Any:
        """An input that is known, or the default where there is none. Errors: Inexpressible where it is computed."""
        found = self.inputs[index] if index < len(self.inputs) else None
        if isinstance(found, Held):
            raise Inexpressible(f"input {index} is computed from the pictures")
        return default if found is None else found

    def weights(self, index: int) -> Array:
        """A known input in float32. Errors: Inexpressible where there is none."""
        found = self.constant(index)
        if found is None:
            raise Inexpressible(f"input {index} is missing")
        return np.asarray(found, np.float32)

    def given(self, name: str, index: int, default: Any = None) -> Any:
        """What is an attribute in older opsets and an input in newer ones."""
        return self.attributes[name] if name in self.attributes else self.constant(index, default)

    def numbers(self, name: str, index: int) -> list[int] | None:
        """The same, as whole numbers."""
        found = self.given(name, index)
        return None if found is None else [int(number) for number in np.asarray(found).reshape(-1)]


@dataclass
class Reader:
    """Calls layers on values and keeps their weights."""

    arrays: dict[Layer, dict[str, Array]] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    prefix: str = ""
    numbers: int = 0
    origins: dict[Symbolic, Held] = field(default_factory=dict)
    """Of what was reshaped, what it was before."""
    undone: dict[Symbolic, Held] = field(default_factory=dict)
    """Of a value what stands for it where it gets the shape again that `origins` had."""
    softmaxes: dict[Symbolic, Node] = field(default_factory=dict)
    """Of what a softmax gives its node, for a logarithm behind it."""

    def layer(self, made: Callable[[], Layer], *values: Symbolic, **arrays: Array) -> Value:
        """What a layer gives for these values. arrays: its weights by name.

        Errors: Inexpressible for what the layer refuses.
        """
        try:
            layer = made()
            given: Value = layer(list(values) if layer.merges else values[0])
        except PellucidError as error:
            raise Inexpressible(str(error)) from error
        base = self.prefix or layer.name
        name, number = base, 0
        while name in self.names:
            number += 1
            name = f"{base}_{number}"
        self.names.add(name)
        layer.name = name
        if arrays:
            self.room(sum(array.size for array in arrays.values()))
            self.arrays[layer] = {key: np.ascontiguousarray(array, np.float32) for key, array in arrays.items()}
        return given

    def room(self, count: int) -> None:
        """Errors: Inexpressible where so many more weights are more than a network may have."""
        self.numbers += count
        if self.numbers > MAX_NUMBERS_MADE:
            raise Inexpressible(f"{self.numbers:,} weights in all, at most {MAX_NUMBERS_MADE:,} can be")

    # Axes

    def settled(self, held: Held) -> Held:
        """A value whose numbers lie as its axes say."""
        if held.flat is None:
            return held
        shape, axes = held.flat
        value = self.layer(lambda: L.Reshape(shape), held.value)
        natural = self.arranged(Held(value, axes, len(shape) + 1), channels_last(len(shape)))
        return Held(self.layer(L.Flatten, natural), (1,), 2)

    def arranged(self, held: Held, axes: Axes) -> Symbolic:
        """A value of ours with these axes of the tensor, in this order; axes of size 1 may be added."""
        held = self.settled(held)
        missing = [axis for axis in axes if axis not in held.axes]
        value, own = held.value, held.axes
        if missing:
            shape = (*(1 for _ in missing), *value.shape)
            value, own = self.layer(lambda: L.Reshape(shape), value), (*missing, *own)
        left = [axis for axis in own if axis not in axes]
        if left:
            raise Inexpressible(f"axes {left} are left over")
        if own != axes:
            dims = [own.index(axis) + 1 for axis in axes]
            value = self.layer(lambda: L.Permute(dims), value)
        return value

    def maps(self, held: Held) -> Symbolic:
        """Pictures (H,W,C), or a series (W,C), of a tensor with channels first."""
        if held.rank not in (3, 4):
            raise Inexpressible(f"tensors of {held.rank} axes have no layer for it, those of 3 and 4 have")
        return self.arranged(held, channels_first(held.rank - 1))

    def of_maps(self, value: Symbolic) -> Held:
        """What a layer over pictures, or a series, gives."""
        rank = len(value.shape) + 1
        return Held(value, channels_first(rank - 1), rank)

    # Arithmetic

    def scaled(self, held: Held, scale: Any, offset: Any) -> Held:
        """held * scale + offset, each an array that a tensor of this rank takes.

        Errors: Inexpressible for numbers that differ between pictures, or make the tensor larger.
        """
        scale, offset = np.asarray(scale, np.float64), np.asarray(offset, np.float64)
        shape = np.broadcast_shapes(scale.shape, offset.shape)
        if len(shape) > held.rank or (len(shape) == held.rank and shape[0] != 1):
            raise Inexpressible("a constant with a number for each picture of a batch")
        shape = (1,) * (held.rank - len(shape)) + shape
        for axis, (size, own) in enumerate(zip(shape[1:], held.sizes, strict=True), 1):
            if own == 1 < size:
                held = self.mixed(held, axis, np.ones((1, size), np.float32))
            elif size not in (1, own):
                raise Inexpressible("a constant that is larger than the tensor")
        if math.prod(shape) == 1:
            values = [float(each.reshape(-1)[0]) for each in (scale, offset)]
            return replace(held, value=self.rescaled(held.value, *values))
        held = self.settled(held)
        used = [axis for axis in held.axes if shape[axis] > 1]
        numbers = [np.broadcast_to(each, shape)[0] for each in (scale, offset)]
        if len(used) == 1:
            axes = (*(axis for axis in held.axes if axis not in used), *used)
            value = self.arranged(held, axes)
            rows = [each.reshape(-1).tolist() for each in numbers]
            return Held(self.rescaled(value, *rows), axes, held.rank)
        whole = [
            np.broadcast_to(each, held.sizes).transpose([axis - 1 for axis in held.axes])
            if held.rank - 1 == len(held.axes)
            else np.broadcast_to(each, held.sizes).squeeze()
            for each in numbers
        ]
        row = self.rescaled(self.layer(L.Flatten, held.value), *(each.reshape(-1).tolist() for each in whole))
        return replace(held, value=self.layer(lambda: L.Reshape(held.value.shape), row))

    def rescaled(self, value: Symbolic, scale: Any, offset: Any) -> Symbolic:
        """value * scale + offset; a layer before it that can do so itself takes both."""
        if not isinstance(value, Value):
            return self.layer(lambda: L.Rescaling(scale, offset), value)
        before, size = value.layer, value.shape[-1]
        arrays = self.arrays.get(before, {}) if before.trainable else {}
        if isinstance(before, L.Dense) and arrays.keys() == {"kernel"} and np.all(np.equal(scale, 1)):
            return self._again(value, lambda: L.Dense(size), {**arrays, "bias": np.broadcast_to(offset, (size,))})
        if isinstance(before, L.GroupNorm) and arrays:
            groups, epsilon = before.groups, before.epsilon
            given = {"gamma": arrays["gamma"] * scale, "beta": arrays["beta"] * scale + np.asarray(offset)}
            return self._again(value, lambda: L.GroupNorm(groups, epsilon=epsilon), given)
        if isinstance(before, L.Rescaling):
            first, then = before.scale_offset()
            both = (first * np.asarray(scale)).tolist(), (then * np.asarray(scale) + np.asarray(offset)).tolist()
            return self._again(value, lambda: L.Rescaling(*both), {})
        return self.layer(lambda: L.Rescaling(scale, offset), value)

    def _again(self, value: Value, made: Callable[[], Layer], arrays: Mapping[str, Array]) -> Value:
        """A layer in place of the one that gave a value, which may then be read by nobody."""
        self.names.discard(value.layer.name)
        self.prefix = value.layer.name
        return self.layer(made, *value.inputs, **arrays)

    def mixed(self, held: Held, axis: int, matrix: Array) -> Held:
        """Every line of numbers along an axis of the tensor times a matrix. Shapes: matrix (before, after)."""
        held = self.settled(held)
        if (matrix.shape[0] == matrix.shape[1]) and (matrix == np.eye(len(matrix))).all():
            return held
        axes = (*(each for each in held.axes if each != axis), axis)
        value = self.arranged(held, axes)
        dense = lambda: L.Dense(matrix.shape[1], use_bias=False, trainable=False)  # noqa: E731
        return Held(self.layer(dense, value, kernel=matrix), axes, held.rank)

    # Shapes

    def reshaped(self, held: Held, target: Sequence[Any]) -> Held:
        """A tensor under another shape, whose first axis is the batch. Errors: Inexpressible where it is not."""
        whole = self.undone.get(held.value)
        if whole is not None and whole.sizes == _behind_batch(list(target), held.sizes):
            return whole
        given = self._reshaped(held, target)
        self.origins[given.value] = held
        return given

    def _reshaped(self, held: Held, target: Sequence[Any]) -> Held:
        """The same numbers, in the tensor's order, under another shape, whose first axis is the batch.

        Axes that stay together keep their places in our value; nothing is moved where only axes of size 1 come or go.
        """
        sizes, wanted = held.sizes, _behind_batch(list(target), held.sizes)
        rank = len(wanted) + 1
        if rank == 1:
            raise Inexpressible("no axis is left beside the batch")
        if [size for size in sizes if size > 1] == [size for size in wanted if size > 1]:
            return self._relabelled(held, wanted)
        held = self.settled(held)
        if len(wanted) == 1:
            shape = held.value.shape
            moved = flattened(shape, held.axes) is not None
            return Held(self.layer(L.Flatten, held.value), (1,), 2, (shape, _dense(held.axes)) if moved else None)
        groups = _groups(sizes, wanted)
        place = {axis: i for i, axis in enumerate(held.axes)}
        first = {
            i: min((place[a] for a in before if a in place), default=len(place)) for i, (before, _) in enumerate(groups)
        }
        arrangement = sorted(range(len(groups)), key=lambda i: first[i])
        axes = tuple(axis for i in arrangement for axis in groups[i][0] if axis in place)
        value = self.arranged(held, axes)
        given = tuple(axis for i in arrangement for axis in groups[i][1])
        shape = tuple(wanted[axis - 1] for axis in given)
        return Held(self.layer(lambda: L.Reshape(shape), value), given, rank)

    def _relabelled(self, held: Held, wanted: list[int]) -> Held:
        """Where only axes of size 1 came or went."""
        rank = len(wanted) + 1
        if held.flat is not None:
            return (
                Held(held.value, (1,), rank, held.flat) if rank == 2 else self._relabelled(self.settled(held), wanted)
            )
        sizes = held.sizes
        large = [axis for axis, size in enumerate(sizes, 1) if size > 1]
        places = dict(zip(large, [axis for axis, size in enumerate(wanted, 1) if size > 1], strict=True))
        if all(axis in places for axis in held.axes):
            return Held(held.value, tuple(places[axis] for axis in held.axes), rank)
        free = [axis for axis in range(1, rank) if axis not in places.values()]
        ones = [axis for axis in held.axes if axis not in places]
        if len(ones) <= len(free):
            places.update(zip(ones, free, strict=False))
            return Held(held.value, tuple(places[axis] for axis in held.axes), rank)
        shape = tuple(size for size in held.value.shape if size > 1) or (1,)
        axes = tuple(places[axis] for axis in held.axes if axis in places) or (1,)
        return Held(self.layer(lambda: L.Reshape(shape), held.value), axes, max(rank, 2))

    def transposed(self, held: Held, permutation: Sequence[int]) -> Held:
        """Axes in another order: nothing is moved. Errors: Inexpressible where the batch goes elsewhere."""
        if permutation[0] != 0 or sorted(permutation) != list(range(held.rank)):
            raise Inexpressible(f"permutation {list(permutation)} moves the batch")
        held = self.settled(held)
        return replace(held, axes=tuple(list(permutation).index(axis) for axis in held.axes))


Read = Callable[[Reader, Node], Held | list[Held]]
"""What a node gives; several outputs as a list."""


def _dense(axes: Axes) -> Axes:
    """The same order, numbered without gaps."""
    return tuple(int(place) + 1 for place in np.argsort(np.argsort(axes)))


def _behind_batch(target: list[Any], sizes: list[int]) -> list[int]:
    """A shape without its batch axis, 0 and -1 resolved. Errors: Inexpressible where the batch is not alone."""
    if not target:
        raise Inexpressible("no axis is left")
    count = math.prod(sizes)
    wanted = [sizes[i] if size == 0 and i < len(sizes) else size for i, size in enumerate(target[1:])]
    if any(isinstance(size, Batch) for size in wanted):
        raise Inexpressible("the batch is joined with another axis")
    known = math.prod(size for size in wanted if size != -1)
    if -1 in wanted and known > 0:
        wanted[wanted.index(-1)] = count // known
    if math.prod(wanted) != count or min(wanted, default=1) < 1:
        raise Inexpressible("the batch is joined with another axis")
    return [int(size) for size in wanted]


def _groups(before: list[int], after: list[int]) -> list[tuple[list[int], list[int]]]:
    """The least runs of axes that have as many numbers in both shapes, counted from 1."""
    groups: list[tuple[list[int], list[int]]] = []
    i = j = 0
    while i < len(before) or j < len(after):
        old: list[int] = []
        new: list[int] = []
        left = right = 1
        while not old or left != right or not new:
            if (left <= right or j >= len(after)) and i < len(before):
                left, i = left * before[i], i + 1
                old.append(i)
            elif j < len(after):
                right, j = right * after[j], j + 1
                new.append(j)
            else:
                break
        if not new or not old:  # axes of size 1 at the end
            groups[-1][0].extend(old)
            groups[-1][1].extend(new)
        else:
            groups.append((old, new))
    return groups
