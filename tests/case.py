"""What a case is: one call of `pellucid.ops`, the error it may have, and how its arguments are made."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pellucid.ops import geometry
from pellucid.ops.geometry import Array, Pads, Pair, Shape

Arguments = tuple[tuple[Any, ...], dict[str, Any]]
Build = Callable[[np.random.Generator], Arguments]
EPS = float(np.finfo(np.float32).eps)


@dataclass(frozen=True)
class Case:
    """One call of an operation of `pellucid.ops`; `kind` and `bound` are explained in `cases`."""

    op: str
    name: str
    build: Build = field(repr=False)
    kind: str = "scaled"
    bound: float | Callable[..., Array] = 0.0
    macs: int = 0

    def arguments(self, seed: int = 0) -> Arguments:
        """The same float32 arguments whenever the seed is the same, in arrays of their own."""
        made: Arguments = changed(_arguments(self, seed), np.copy)
        return made

    def __str__(self) -> str:
        return f"{self.op}-{self.name}"


@functools.lru_cache(maxsize=2)  # a test asks twice: for the call, and for its truth
def _arguments(case: Case, seed: int) -> Arguments:
    return case.build(np.random.default_rng([seed, *case.op.encode(), *case.name.encode()]))


def changed(values: Any, how: Callable[[Array], Array]) -> Any:
    """Arguments with every float array replaced by how(array)."""
    if isinstance(values, dict):
        return {key: changed(value, how) for key, value in values.items()}
    if isinstance(values, tuple):
        return tuple(changed(value, how) for value in values)
    return how(values) if isinstance(values, np.ndarray) and values.dtype.kind == "f" else values


ROWS_BOUND = 10.0
"""Of Winograd's F(4, 5) along rows: see `cases`."""


@dataclass(frozen=True)
class Conv:
    """Geometry of one convolution."""

    name: str
    x: Shape
    kernel: Pair
    filters: int
    strides: Pair = (1, 1)
    padding: Pads = ((0, 0), (0, 0))
    dilation: Pair = (1, 1)
    groups: int = 1

    @property
    def kernel_shape(self) -> Shape:
        return (*self.kernel, self.x[3] // self.groups, self.filters)

    @property
    def y(self) -> Shape:
        return geometry.conv2d_shape(self.x, self.kernel_shape, self.strides, self.padding, self.dilation, self.groups)

    @property
    def depthwise(self) -> bool:
        """Whether each filter sees one channel; there Winograd's algorithm is never chosen."""
        return 1 < self.groups == self.x[3]

    @property
    def winograd(self) -> bool:
        """Whether Winograd's algorithm may run."""
        wide = self.kernel == (5, 5) and min(self.x[3], self.filters) >= 8 * self.groups
        return (self.kernel == (3, 3) or wide) and set(self.strides + self.dilation) == {1}

    @property
    def grey(self) -> bool:
        """Whether Winograd's algorithm along rows may be chosen, before max pooling 2x2."""
        return self.kernel == (5, 5) and self.x[3] == 1 and set(self.strides + self.dilation) == {1}

    @property
    def bounds(self) -> dict[str, tuple[str, float]]:
        """Kind and bound of each of the three operations, whatever algorithm runs."""
        return self.bounds_of("winograd" if self.winograd and not self.depthwise else "direct")

    def bounds_of(self, algorithm: str) -> dict[str, tuple[str, float]]:
        """Kind and bound of each of the three operations by an algorithm that can be forced."""
        (n, oh, ow, o), c = self.y, self.x[3] // self.groups
        taps = math.prod(self.kernel)
        terms = {
            "conv2d": taps * c + 1,
            "conv2d_backward_input": taps * o // self.groups,
            "conv2d_backward_kernel": n * oh * ow,
        }
        if algorithm == "direct":
            return {op: ("linear", sum_bound(count)) for op, count in terms.items()}
        if algorithm == "winograd_rows":
            return {"conv2d": ("tiles", ROWS_BOUND)}
        tile = 4 if algorithm == "winograd" and self.kernel == (3, 3) else 2
        tiles = n * math.ceil(oh / tile) * math.ceil(ow / tile)
        bound = small_tile_bound if algorithm == "winograd2" else tile_bound
        bounds = [bound(count) for count in (c, o // self.groups, tiles)]
        if self.kernel == (5, 5):  # the way back to 5 x 5 numbers has powers up to the fourth
            bounds[2] *= 3.5
        return {op: ("tiles", bound) for op, bound in zip(terms, bounds, strict=True)}

    @property
    def options(self) -> dict[str, Any]:
        return {
            "strides": self.strides,
            "padding": self.padding,
            "dilation": self.dilation,
            "groups": self.groups,
        }


@dataclass(frozen=True)
class Pool:
    """Geometry of one pooling."""

    name: str
    x: Shape
    pool_size: Pair
    strides: Pair
    padding: Pads = ((0, 0), (0, 0))
    counted: Pads = ((0, 0), (0, 0))

    @property
    def y(self) -> Shape:
        return geometry.pool2d_shape(self.x, self.pool_size, self.strides, self.padding)

    @property
    def options(self) -> dict[str, Any]:
        return {"pool_size": self.pool_size, "strides": self.strides, "padding": self.padding}


def normal(rng: np.random.Generator, shape: Shape, scale: float = 1.0) -> Array:
    """Float32 numbers of a normal distribution around zero."""
    return (rng.standard_normal(shape) * scale).astype(np.float32)


def given(*shapes: Shape, rest: Sequence[Any] = (), scale: float = 1.0, **options: Any) -> Build:
    """Arguments that are normal arrays of these shapes, then `rest` as it is, then keywords."""
    return lambda rng: ((*(normal(rng, shape, scale) for shape in shapes), *rest), options)


def sum_bound(terms: int) -> float:
    """Bound of a sum of so many products: see `cases`."""
    return 2 + math.sqrt(terms)


def tile_bound(terms: int) -> float:
    """Bound of Winograd's F(4x4,3x3) and F(2x2,5x5) where so many products are summed at each point: see `cases`."""
    return 7 * math.sqrt(1 + 12 / terms)


def small_tile_bound(terms: int) -> float:
    """Bound of Winograd's F(2x2,3x3) where so many products are summed at each point: see `cases`."""
    return 1 + 2.5 * math.sqrt(1 + 12 / terms)


def size_name(shape: Shape) -> str:
    """E.g. 2x5x7x3."""
    return "x".join(map(str, shape))


def guarded(shape: Shape, dtype: Any, fence: int = 17) -> tuple[Array, Callable[[], bool]]:
    """An array with a fence of sentinels on both sides, and a function that says whether they are untouched.

    The fence is an odd number of entries, so the array is not aligned to vectors either.
    """
    size = math.prod(shape)
    store = np.full(size + 2 * fence, 123, dtype)
    inner = store[fence : fence + size]
    inner[...] = np.nan if np.dtype(dtype).kind == "f" else 77  # what is not written shows

    def untouched() -> bool:
        return bool((store[:fence] == 123).all() and (store[fence + size :] == 123).all())

    return inner.reshape(shape), untouched
