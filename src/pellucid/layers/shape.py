"""Layers that only rearrange: the input's shape, Flatten, Reshape, Permute."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar, Unpack

import numpy as np

from pellucid import ops
from pellucid._fixed import Taken
from pellucid.errors import ConfigError, ShapeError, shown
from pellucid.layers.layer import Cache, Key, Layer, Named
from pellucid.layers.symbolic import Symbolic
from pellucid.layers.taken import without_batch
from pellucid.ops import Array, Shape
from pellucid.ops.geometry import MAX_AXES, MAX_SIDE, expect_numbers, standardize_shape, whole
from pellucid.ops.rearranging import reshaped


class Input(Layer, Symbolic):
    """States the shape of what comes in, and passes it on: the first of a Sequential, or what layers are called on.

    Shapes: shape is without the batch axis; x (N, *shape) -> x.
    Errors: ConfigError for sizes below 1; ShapeError for pictures of another shape.
    """

    role = "input"
    linear = True

    taken: ClassVar[Mapping[str, Taken]] = {
        **Layer.taken,
        "batch_shape": without_batch("shape"),
        "batch_input_shape": without_batch("shape"),
        "input_shape": lambda value: {"shape": value},
        **{
            name: lambda value: value is None or value is False or "give arrays"
            for name in ("ragged", "sparse", "tensor")
        },
    }

    def __init__(self, shape: Sequence[int], *, name: str | None = None, trainable: bool = True) -> None:
        self.sizes = standardize_shape(shape, "Input: shape")
        super().__init__(name=name, input_shape=self.sizes, trainable=trainable)

    def output_shape(self, input_shape: Shape) -> Shape:
        if tuple(input_shape) != self.sizes:
            raise ShapeError(
                f"{self.place()} expects (N, {self.detail()}), got (N, {', '.join(map(str, input_shape))})"
            )
        return self.sizes

    def forward(self, x: Array, *, training: bool = False, key: Key | None = None) -> tuple[Array, Cache]:
        self.output_shape(x.shape[1:])
        return x, None

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Array | None, dict[str, Array]]:
        return dy if need_dx else None, {}

    def detail(self) -> str:
        return ", ".join(map(str, self.sizes))


class Renamed(Layer):
    """The same numbers in the same order under another shape; a view, nothing is copied."""

    linear = True

    def forward(self, x: Array, *, training: bool = False, key: Key | None = None) -> tuple[Array, Cache]:
        return x.reshape(x.shape[0], *self.output_shape(x.shape[1:])), x.shape

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Array | None, dict[str, Array]]:
        return dy.reshape(cache) if need_dx else None, {}

    def origin(self, place: Shape, input_shape: Shape) -> Shape:
        number = np.ravel_multi_index(place, self.output_shape(input_shape))
        return tuple(int(i) for i in np.unravel_index(number, input_shape))


class Identity(Renamed):
    """The value as it is. Shapes: any, unchanged."""

    supports_masking = True
    role = "rearrangement"
    caption = ("identity",)


class Flatten(Renamed):
    """Each picture as one row of numbers, in order of row, column, channel.

    Shapes: x (N,...) -> y (N,inputs), inputs the product of the rest; a view, nothing is copied.
    """

    role = "flatten"

    def output_shape(self, input_shape: Shape) -> Shape:
        return (math.prod(input_shape),)


class Reshape(Renamed):
    """The same numbers in the same order under another shape.

    Shapes: x (N,...) -> y (N, *target_shape), one of which may be -1: as many as are left; a view, nothing is copied.
    Errors: ConfigError for sizes below 1, or a second -1; ShapeError where the numbers are not as many.
    """

    role = "rearrangement"

    def __init__(self, target_shape: int | Sequence[int], **named: Unpack[Named]) -> None:
        super().__init__(**named)
        given = tuple(target_shape) if isinstance(target_shape, Sequence) else (target_shape,)
        free = [isinstance(size, int | np.integer) and size == -1 for size in given]
        known = standardize_shape(
            [1 if one else size for one, size in zip(free, given, strict=True)], "Reshape: target_shape"
        )
        if sum(free) > 1:
            raise ConfigError(f"Reshape: target_shape may have one -1, got {shown(target_shape)}")
        self.target_shape = tuple(-1 if one else size for one, size in zip(free, known, strict=True))

    @property
    def caption(self) -> tuple[str, ...]:
        return ("reshape",)

    def output_shape(self, input_shape: Shape) -> Shape:
        return reshaped(input_shape, self.target_shape, self.place())

    def detail(self) -> str:
        return "x".join("?" if size == -1 else str(size) for size in self.target_shape)


class RepeatVector(Layer):
    """A row n times: y[t,i] = x[i], a series whose samples are all alike.

    Shapes: x (N,C) -> y (N,n,C).
    Errors: ConfigError for n below 1; ShapeError for anything but rows.
    """

    role = "upsampling"
    linear = True

    def __init__(self, n: int, **named: Unpack[Named]) -> None:
        super().__init__(**named)
        self.n = whole(n, "RepeatVector: n", MAX_SIDE)

    def output_shape(self, input_shape: Shape) -> Shape:
        self.check_rank(input_shape, "C", "put Flatten() before it")
        expect_numbers((self.n, input_shape[0]), f"{self.place()}: its output")
        return self.n, input_shape[0]

    def forward(self, x: Array, *, training: bool = False, key: Key | None = None) -> tuple[Array, Cache]:
        self.output_shape(x.shape[1:])
        return np.repeat(x[:, np.newaxis], self.n, axis=1), None

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Array | None, dict[str, Array]]:
        return dy.sum(axis=1) if need_dx else None, {}

    def origin(self, place: Shape, input_shape: Shape) -> Shape:
        return place[1:]

    def detail(self) -> str:
        return str(self.n)


class Slice(Layer):
    """Numbers of a row from `start` on, under a shape of their own: of a network with several inputs, which lie behind
    one another in its row, one of them.

    Shapes: x (N,C) -> y (N, *target_shape).
    Errors: ConfigError for sizes below 1; ShapeError where the row ends before.
    """

    role = "rearrangement"
    linear = True
    caption = ("slice",)

    def __init__(self, start: int, target_shape: Sequence[int], **named: Unpack[Named]) -> None:
        super().__init__(**named)
        self.start = whole(start, "Slice: start", least=0)
        self.target_shape = standardize_shape(target_shape, "Slice: target_shape")

    @property
    def stop(self) -> int:
        """Behind its last number."""
        return self.start + math.prod(self.target_shape)

    def output_shape(self, input_shape: Shape) -> Shape:
        self.check_rank(input_shape, "C", "put Flatten() before it")
        if self.stop > input_shape[0]:
            raise ShapeError(f"{self.place()} reads up to number {self.stop} of {input_shape[0]}{self.source()}")
        return self.target_shape

    def forward(self, x: Array, *, training: bool = False, key: Key | None = None) -> tuple[Array, Cache]:
        self.output_shape(x.shape[1:])
        return np.ascontiguousarray(x[:, self.start : self.stop]).reshape(len(x), *self.target_shape), x.shape

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Array | None, dict[str, Array]]:
        if not need_dx:
            return None, {}
        dx = np.zeros(cache, dy.dtype)
        dx[:, self.start : self.stop] = dy.reshape(len(dy), -1)
        return dx, {}

    def origin(self, place: Shape, input_shape: Shape) -> Shape:
        return (self.start + int(np.ravel_multi_index(place, self.target_shape)),)

    def detail(self) -> str:
        return f"from {self.start}, {'x'.join(map(str, self.target_shape))}"


class SliceRest(Slice):
    """All numbers of a row from `start` on, as steps of F features. Shapes: x (N,C) -> y (N,(C - start) / F,F)."""

    supports_masking = True

    def __init__(self, start: int, features: int, **named: Unpack[Named]) -> None:
        self.features = whole(features, "SliceRest: features")
        super().__init__(start, (1, self.features), **named)

    def output_shape(self, input_shape: Shape) -> Shape:
        super().output_shape(input_shape)
        steps, more = divmod(input_shape[0] - self.start, self.features)
        if more:
            raise ShapeError(f"{self.place()}: no steps of {self.features} in {input_shape[0] - self.start} numbers")
        return steps, self.features

    def forward(self, x: Array, *, training: bool = False, key: Key | None = None) -> tuple[Array, Cache]:
        shape = self.output_shape(x.shape[1:])
        return np.ascontiguousarray(x[:, self.start :]).reshape(len(x), *shape), x.shape

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Array | None, dict[str, Array]]:
        if not need_dx:
            return None, {}
        dx = np.zeros(cache, dy.dtype)
        dx[:, self.start :] = dy.reshape(len(dy), -1)
        return dx, {}

    def origin(self, place: Shape, input_shape: Shape) -> Shape:
        return (self.start + place[0] * self.features + place[1],)

    def detail(self) -> str:
        return f"from {self.start}, by {self.features}"


def side_by_side(sources: Sequence[Input], model: str) -> tuple[Input, list[Slice]]:
    """One row in which several inputs lie behind one another, and what gives each of them.

    Errors: ConfigError for an axis whose size is not known, and for an input given twice.
    """
    parts: list[Slice] = []
    for source in sources:
        if any(getattr(source, "free", ())):
            raise ConfigError(
                f"{model}: {source.name!r} has an axis of any size; of several inputs each needs its sizes"
            )
        if sum(source is other for other in sources) > 1:
            raise ConfigError(f"{model}: the input {source.name!r} is given twice")
        name = None if source.auto_named and type(source) is Input else source.name
        parts.append(Slice(parts[-1].stop if parts else 0, source.sizes, name=name))
    row = type(sources[0])((parts[-1].stop,), name="row")
    row.auto_named = True
    return row, parts


class Permute(Layer):
    """The axes in another order: y's axis i is x's axis dims[i], counted from 1, without the batch.

    Shapes: Permute((3, 1, 2)): x (N,H,W,C) -> y (N,C,H,W).
    Errors: ConfigError unless dims has every number from 1 on once; ShapeError for another number of axes.
    """

    role = "rearrangement"
    linear = True
    caption = ("permute",)

    def __init__(self, dims: Sequence[int], **named: Unpack[Named]) -> None:
        super().__init__(**named)
        given = dims if isinstance(dims, Sequence) and not isinstance(dims, str) else (dims,)
        self.dims = tuple(whole(axis, "Permute: dims", MAX_AXES) for axis in given)
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise ConfigError(f"Permute: dims must have every axis from 1 to {len(self.dims)} once, got {shown(dims)}")

    def output_shape(self, input_shape: Shape) -> Shape:
        self.check_rank(input_shape, ", ".join("HWCDEFGI"[: len(self.dims)]), "name as many axes as there are")
        return tuple(input_shape[axis - 1] for axis in self.dims)

    def forward(self, x: Array, *, training: bool = False, key: Key | None = None) -> tuple[Array, Cache]:
        self.output_shape(x.shape[1:])
        return ops.permute(x, self.dims), None

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Array | None, dict[str, Array]]:
        return ops.permute(dy, self.inverse) if need_dx else None, {}

    @property
    def inverse(self) -> Shape:
        """The dims that bring the axes back."""
        return tuple(self.dims.index(axis) + 1 for axis in range(1, len(self.dims) + 1))

    def origin(self, place: Shape, input_shape: Shape) -> Shape:
        return tuple(place[self.dims.index(axis)] for axis in range(1, len(place) + 1))

    def detail(self) -> str:
        return ", ".join(map(str, self.dims))
