"""Layers that measure numbers by their length: brought to length 1, to a root mean square of 1, or compared."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Unpack

import numpy as np

from pellucid._arguments import flag
from pellucid.errors import ConfigError, ShapeError, shown
from pellucid.layers.layer import Cache, Key, Layer, Named
from pellucid.layers.merge import Merge
from pellucid.ops import Array, Shape
from pellucid.ops.geometry import MAX_AXES, expect_numbers, number, whole

LEAST = 1e-12
"""The smallest square of a length that divides, as in Keras."""


def unit(x: Array, axes: tuple[int, ...]) -> tuple[Array, Array]:
    """x along these axes by its length, and 1 / length."""
    squares = np.square(x).sum(axis=axes, keepdims=True)
    inverse = 1 / np.sqrt(np.maximum(squares, x.dtype.type(LEAST)))
    return x * inverse, inverse


def unit_backward(dy: Array, y: Array, inverse: Array, axes: tuple[int, ...]) -> Array:
    """The gradient of x of `unit`; where its length is below the least, that is a constant."""
    along = (dy * y).sum(axis=axes, keepdims=True) * (inverse < LEAST**-0.5)
    return np.asarray((dy - y * along) * inverse)


class Measured(Layer):
    """What layers share that divide by a length along some axes, which count with the batch, as Keras counts."""

    supports_masking = True
    role = "layer norm"

    def __init__(self, axis: int | Sequence[int] = -1, **named: Unpack[Named]) -> None:
        super().__init__(**named)
        self.axis = _axes(axis, f"{type(self).__name__}: axis")

    def axes_of(self, rank: int) -> tuple[int, ...]:
        """The axes, counted from the front. Errors: ShapeError for the batch's, and for one that is not there."""
        given = self.axis if isinstance(self.axis, tuple) else (self.axis,)
        axes = tuple(sorted(axis % rank for axis in given if -rank <= axis < rank))
        if len(axes) < len(given) or 0 in axes or len(set(axes)) < len(axes):
            raise ShapeError(f"{self.place()}: axis {shown(self.axis)} is not of one example, of {rank - 1} axes")
        return axes

    def output_shape(self, input_shape: Shape) -> Shape:
        self.axes_of(len(input_shape) + 1)
        return tuple(input_shape)

    def detail(self) -> str:
        return "" if self.axis == -1 else f"axis {self.axis}"


class UnitNormalization(Measured):
    """y = x / |x|, |x| the length along the axes: by default of each place's channels. Numbers of 0 stay 0.

    Shapes: x (N,...) -> the same.
    axis: one or several, counted with the batch.
    Errors: ShapeError for the batch's axis, and for one that is not there.
    """

    caption = ("length 1",)

    def forward(self, x: Array, *, training: bool = False, key: Key | None = None) -> tuple[Array, Cache]:
        y, inverse = unit(x, self.axes_of(x.ndim))
        return y, (y, inverse)

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Array | None, dict[str, Array]]:
        y, inverse = cache
        return unit_backward(dy, y, inverse, self.axes_of(dy.ndim)) if need_dx else None, {}


class RMSNorm(Measured):
    """y = gamma * x / sqrt(mean of x^2 + epsilon), the mean along the axes: a LayerNorm that leaves the mean alone.

    Shapes: x (N,...) -> the same; gamma: the sizes of the axes, by default (C,).
    axis: the last one, or the last several, counted with the batch.
    Errors: ConfigError for a negative epsilon; ShapeError for axes that are not the last.
    Source: Zhang & Sennrich 2019, equation 4.
    """

    caption = ("RMS norm",)

    def __init__(
        self,
        axis: int | Sequence[int] = -1,
        epsilon: float = 1e-6,
        **named: Unpack[Named],
    ) -> None:
        super().__init__(axis, **named)
        self.epsilon = number(epsilon, "RMSNorm: epsilon", 0.0)

    def axes_of(self, rank: int) -> tuple[int, ...]:
        axes = super().axes_of(rank)
        if axes != tuple(range(rank - len(axes), rank)):
            raise ShapeError(f"{self.place()} normalises the last axes of its input, got axis {shown(self.axis)}")
        return axes

    def output_shape(self, input_shape: Shape) -> Shape:
        shape = input_shape[self.axes_of(len(input_shape) + 1)[0] - 1 :]
        if self.params and self.params["gamma"].shape != shape:
            raise ShapeError(f"{self.place()} was built for {self.params['gamma'].shape}, got {shape}{self.source()}")
        return tuple(input_shape)

    def build(self, input_shape: Shape, rng: np.random.Generator) -> None:
        super().build(input_shape, rng)
        first = self.axes_of(len(input_shape) + 1)[0]
        self.built = False
        self.params = {"gamma": np.ones(input_shape[first - 1 :], np.float32)}
        self.built = True

    def forward(self, x: Array, *, training: bool = False, key: Key | None = None) -> tuple[Array, Cache]:
        self.output_shape(x.shape[1:])
        mean = np.square(x).mean(axis=self.axes_of(x.ndim), keepdims=True)
        inverse = 1 / np.sqrt(mean + x.dtype.type(self.epsilon))
        return x * inverse * self.params["gamma"], (x, inverse)

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Array | None, dict[str, Array]]:
        x, inverse = cache
        axes = self.axes_of(x.ndim)
        y = x * inverse
        others = tuple(axis for axis in range(x.ndim) if axis not in axes)
        grads = {"dgamma": (dy * y).sum(axis=others)}
        if not need_dx:
            return None, grads
        dy = dy * self.params["gamma"]
        return (dy - y * (dy * y).mean(axis=axes, keepdims=True)) * inverse, grads

    def calculate(self, x: Any, weights: Mapping[str, Any], *, training: bool, key: Key | None) -> Any:
        mean = np.mean(np.square(x), self.axes_of(x.ndim), keepdims=True)
        return x / np.sqrt(mean + self.epsilon) * weights["gamma"]


class Dot(Merge):
    """The products of two values along an axis of each, added: y[n,...,...] = sum over k of x1[n,...,k] * x2[n,...,k].

    With normalize=True of lengths 1: the cosine of the angle between two rows.

    Shapes: [x1 (N, K), x2 (N, K)] -> (N, 1); else (N, the other axes of x1, the other axes of x2).
    axes: along which they have one size, counted with the batch, one number for both or a pair.
    Errors: ConfigError for axes other than such numbers; ShapeError where sizes differ.
    """

    caption: ClassVar[tuple[str, ...]] = ("dot",)

    def __init__(
        self, axes: int | Sequence[int], normalize: bool = False, *, name: str | None = None, trainable: bool = True
    ) -> None:
        super().__init__(name=name, trainable=trainable)
        self.axes = _axes(axes, "Dot: axes")
        if isinstance(self.axes, tuple) and len(self.axes) != 2:
            raise ConfigError(f"Dot: axes must be one number or two, got {shown(axes)}")
        self.normalize = flag(normalize, "Dot: normalize")

    def axes_of(self, shapes: Sequence[Shape]) -> tuple[int, int]:
        """The axis of each, counted with the batch. Shapes: without it. Errors: ShapeError."""
        given = self.axes if isinstance(self.axes, tuple) else (self.axes, self.axes)
        found = []
        for axis, shape in zip(given, shapes, strict=True):
            rank = len(shape) + 1
            if not -rank <= axis < rank or axis % rank == 0:
                raise ShapeError(f"{self.place()}: axis {axis} is not of one example (N, {', '.join(map(str, shape))})")
            found.append(axis % rank)
        return found[0], found[1]

    def _several(self, shapes: Any) -> list[Shape]:
        if len(shapes) != 2:
            raise ShapeError(f"{self.place()} multiplies two values, got {len(shapes)}")
        return super()._several(shapes)

    def output_shape(self, input_shape: Any) -> Shape:
        shapes = self._several(input_shape)
        axes = self.axes_of(shapes)
        sizes = [shape[axis - 1] for shape, axis in zip(shapes, axes, strict=True)]
        if sizes[0] != sizes[1]:
            raise ShapeError(f"{self.place()} needs axes of one size, got {self._shown(shapes)}")
        left = [shape[: axis - 1] + shape[axis:] for shape, axis in zip(shapes, axes, strict=True)]
        result = (*left[0], *left[1]) or (1,)
        expect_numbers(result, f"{self.place()}: its output")
        return result

    def _rows(self, x: Any) -> list[Array]:
        """Each as (N, others, K)."""
        axes = self.axes_of([each.shape[1:] for each in x])
        moved = [np.moveaxis(each, axis, -1) for each, axis in zip(x, axes, strict=True)]
        return [each.reshape(len(each), math.prod(each.shape[1:-1]), each.shape[-1]) for each in moved]

    def forward(self, x: Any, *, training: bool = False, key: Key | None = None) -> tuple[Array, Cache]:
        shape = self.output_shape([each.shape[1:] for each in x])
        rows, inverse = self._rows(x), [None, None]
        if self.normalize:
            rows, inverse = map(list, zip(*(unit(each, (-1,)) for each in rows), strict=True))
        y = rows[0] @ rows[1].transpose(0, 2, 1)
        return np.ascontiguousarray(y.reshape(len(y), *shape)), (rows, inverse, [each.shape for each in x])

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Any, dict[str, Array]]:
        if not need_dx:
            return None, {}
        rows, inverse, shapes = cache
        dy = dy.reshape(len(dy), rows[0].shape[1], rows[1].shape[1])
        found = []
        for d, y, scale, shape, axis in zip(
            (dy @ rows[1], dy.transpose(0, 2, 1) @ rows[0]),
            rows,
            inverse,
            shapes,
            self.axes_of([shape[1:] for shape in shapes]),
            strict=True,
        ):
            dx = d if scale is None else unit_backward(d, y, scale, (-1,))
            moved = dx.reshape(*shape[:axis], *shape[axis + 1 :], shape[axis])
            found.append(np.ascontiguousarray(np.moveaxis(moved, -1, axis)))
        return found, {}

    def detail(self) -> str:
        return f"axes {self.axes}" + (", cosine" if self.normalize else "")


def _axes(given: Any, what: str) -> int | tuple[int, ...]:
    """One axis or several, counted with the batch. Errors: ConfigError for what is no such number."""
    several = isinstance(given, Sequence) and not isinstance(given, str)
    numbers = tuple(whole(each, what, MAX_AXES, least=-MAX_AXES) for each in (given if several else [given]))
    if not numbers or (not several and 0 in numbers):
        raise ConfigError(f"{what} must name axes other than 0, the pictures', got {shown(given)}")
    return numbers if several else numbers[0]
