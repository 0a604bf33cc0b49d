"""Layers that read several values and give one: their sum, their product, or one behind the other."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from pellucid import ops
from pellucid.errors import ConfigError, ShapeError, shown
from pellucid.layers.layer import Cache, Key, Layer
from pellucid.ops.geometry import Array, Shape, expect_numbers


class Merge(Layer):
    """What merging layers share. Shapes: a list of two or more values, which must have one shape."""

    merges: ClassVar[bool] = True
    supports_masking = True
    role = "merge"
    linear = True

    def output_shape(self, input_shape: Any) -> Shape:
        shapes = self._several(input_shape)
        for shape in shapes[1:]:
            if shape != shapes[0]:
                raise ShapeError(f"{self.place()} needs values of one shape, got {self._shown(shapes)}")
        return shapes[0]

    def _several(self, shapes: Any) -> list[Shape]:
        if len(shapes) < 2 or not all(isinstance(shape, tuple) for shape in shapes):
            raise ShapeError(f"{self.place()} merges two values or more; call it on a list of them")
        return list(shapes)

    def _shown(self, shapes: Sequence[Shape]) -> str:
        words = [f"(N, {', '.join(map(str, shape))})" for shape in shapes]
        if len(self.fed_by) == len(shapes):
            words = [f"{one} from {name!r}" for one, name in zip(words, self.fed_by, strict=True)]
        return " and ".join(words)


class Add(Merge):
    """The sum of values of one shape, as residual networks add what went in to what comes out.

    Shapes: [x1 (N, ...), x2 (N, ...), ...] -> (N, ...).
    Source: He, Zhang, Ren & Sun 2016, "Deep Residual Learning", equation 1.
    """

    caption = ("+",)

    def forward(self, x: Any, *, training: bool = False, key: Key | None = None) -> tuple[Array, Cache]:
        self.output_shape([each.shape[1:] for each in x])
        total = x[0] + x[1]
        for each in x[2:]:
            total += each
        return total, len(x)

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Any, dict[str, Array]]:
        return [dy] * cache if need_dx else None, {}


class Subtract(Merge):
    """The difference of two values of one shape. Shapes: [x1 (N, ...), x2 (N, ...)] -> (N, ...)."""

    caption = ("-",)

    def _several(self, shapes: Any) -> list[Shape]:
        if len(shapes) != 2:
            raise ShapeError(f"{self.place()} subtracts the second of two values from the first, got {len(shapes)}")
        return super()._several(shapes)

    def forward(self, x: Any, *, training: bool = False, key: Key | None = None) -> tuple[Array, Cache]:
        self.output_shape([each.shape[1:] for each in x])
        return x[0] - x[1], None

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Any, dict[str, Array]]:
        return [dy, -dy] if need_dx else None, {}


class Average(Merge):
    """The mean of values of one shape. Shapes: [x1 (N, ...), x2 (N, ...), ...] -> (N, ...)."""

    caption = ("mean",)

    def forward(self, x: Any, *, training: bool = False, key: Key | None = None) -> tuple[Array, Cache]:
        self.output_shape([each.shape[1:] for each in x])
        return np.asarray(sum(x[1:], x[0]) / x[0].dtype.type(len(x))), len(x)

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Any, dict[str, Array]]:
        return [dy / dy.dtype.type(cache)] * cache if need_dx else None, {}


class Extreme(Merge):
    """At each place one of the values; the gradient goes to the first that it is."""

    linear = False

    def pick(self, stacked: Array) -> Array:
        """Which of the values it is, at each place. Shapes: (values, N, ...) -> (N, ...)."""
        raise NotImplementedError

    def forward(self, x: Any, *, training: bool = False, key: Key | None = None) -> tuple[Array, Cache]:
        self.output_shape([each.shape[1:] for each in x])
        stacked = np.stack(x)
        picked = self.pick(stacked)
        return np.take_along_axis(stacked, picked[None], axis=0)[0], (picked, len(x))

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Any, dict[str, Array]]:
        picked, count = cache
        return [np.where(picked == i, dy, dy.dtype.type(0)) for i in range(count)] if need_dx else None, {}

    def calculate(self, x: Any, weights: Mapping[str, Any], *, training: bool, key: Key | None) -> Any:
        picked = self.pick(np.stack([np.asarray(each) for each in x]))
        return np.take_along_axis(np.stack(x), picked[None], 0)[0]


class Maximum(Extreme):
    """The largest of values of one shape, place by place. Shapes: [x1 (N, ...), x2 (N, ...), ...] -> (N, ...)."""

    caption = ("max",)

    def pick(self, stacked: Array) -> Array:
        return np.asarray(stacked.argmax(axis=0))


class Minimum(Extreme):
    """The smallest of values of one shape, place by place. Shapes: [x1 (N, ...), x2 (N, ...), ...] -> (N, ...)."""

    caption = ("min",)

    def pick(self, stacked: Array) -> Array:
        return np.asarray(stacked.argmin(axis=0))


class Multiply(Merge):
    """The product of values of one shape, number by number; a row (N, C) multiplies each channel of maps by its number.

    Shapes: [x1 (N, ..., C), x2 (N, ..., C), (N, C) or (N, 1, 1, C), ...] -> (N, ..., C).
    """

    caption = ("*",)

    def output_shape(self, input_shape: Any) -> Shape:
        shapes = self._several(input_shape)
        whole = max(shapes, key=lambda shape: (len(shape), math.prod(shape)))
        row = (*(1 for _ in whole[:-1]), whole[-1])
        return whole if all(shape in (whole, whole[-1:], row) for shape in shapes) else super().output_shape(shapes)

    def forward(self, x: Any, *, training: bool = False, key: Key | None = None) -> tuple[Array, Cache]:
        self.output_shape([each.shape[1:] for each in x])
        order = self.order([each.shape for each in x])
        products = [x[order[0]]]
        for i in order[1:]:
            products.append(ops.multiply(products[-1], x[i]))
        return products[-1], (x, order, products)

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Any, dict[str, Array]]:
        if not need_dx:
            return None, {}
        x, order, products = cache
        gradients = [dy] * len(x)
        for k in range(len(order) - 1, 0, -1):
            dy, gradients[order[k]] = ops.multiply_backward(dy, products[k - 1], x[order[k]])
        gradients[order[0]] = dy
        return gradients, {}

    @staticmethod
    def order(shapes: Sequence[Shape]) -> list[int]:
        """In which order values of these shapes are multiplied: rows behind maps."""
        return sorted(range(len(shapes)), key=lambda i: (-len(shapes[i]), -math.prod(shapes[i])))


class Concatenate(Merge):
    """Values behind one another along an axis: by default their channels.

    Shapes: [x1 (N, H, W, C1), x2 (N, H, W, C2), ...] -> (N, H, W, C1 + C2 + ...).
    axis: counts with the batch axis, as NumPy and Keras count; -1 is the last.
    Errors: ConfigError for axis 0, the pictures; ShapeError where other axes differ.
    """

    def __init__(self, axis: int = -1, *, name: str | None = None, trainable: bool = True) -> None:
        super().__init__(name=name, trainable=trainable)
        if isinstance(axis, bool) or not isinstance(axis, int | np.integer) or axis == 0:
            raise ConfigError(f"Concatenate: axis must be a whole number other than 0, got {shown(axis)}")
        self.axis = int(axis)

    def output_shape(self, input_shape: Any) -> Shape:
        shapes = self._several(input_shape)
        rank = len(shapes[0]) + 1
        axis = self.axis % rank - 1 if -rank < self.axis < rank else -1
        if axis < 0:
            raise ShapeError(f"{self.place()} has axis {self.axis}, its values have {rank} with the batch axis")
        first = shapes[0]
        for shape in shapes:
            if len(shape) != len(first) or (*shape[:axis], *shape[axis + 1 :]) != (*first[:axis], *first[axis + 1 :]):
                raise ShapeError(
                    f"{self.place()} needs values that differ along axis {self.axis} alone, got {self._shown(shapes)}"
                )
        result = (*first[:axis], sum(shape[axis] for shape in shapes), *first[axis + 1 :])
        expect_numbers(result, f"{self.place()}: its output")
        return result

    def forward(self, x: Any, *, training: bool = False, key: Key | None = None) -> tuple[Array, Cache]:
        self.output_shape([each.shape[1:] for each in x])
        return ops.concatenate(x, self.axis), [each.shape[self.axis] for each in x]

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Any, dict[str, Array]]:
        return list(ops.split(dy, cache, self.axis)) if need_dx else None, {}

    def detail(self) -> str:
        return "" if self.axis == -1 else f"axis {self.axis}"
