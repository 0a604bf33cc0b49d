"""What a file computes of constants and of shapes, done once while it is read.

A shape is an array of objects, because the number of pictures in it is BATCH, with which nothing can be computed.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from pellucid.convert.onnx.reading import BATCH, Held, Inexpressible, Node
from pellucid.ops.geometry import MAX_WEIGHTS, Array

DTYPES = {1: np.float32, 2: np.uint8, 3: np.int8, 5: np.int16, 6: np.int32, 7: np.int64, 9: np.bool_, 10: np.float16}
DTYPES[11] = np.float64
"""TensorProto's numbers of types that are computed with."""


def shape_of(node: Node) -> Array:
    found = node.inputs[0]
    shape: list[Any] = [BATCH, *found.sizes] if isinstance(found, Held) else list(np.shape(found))  # type: ignore[arg-type]
    start, end = (int(node.attributes.get(name, default)) for name, default in (("start", 0), ("end", len(shape))))
    return np.array(shape, object)[start:end]


def _cast(node: Node, x: Array) -> Array:
    kind = DTYPES.get(node.attributes["to"])
    if kind is None:
        raise Inexpressible(f"numbers of type {node.attributes['to']}")
    return x if x.dtype == object and np.issubdtype(kind, np.integer) else x.astype(kind)


def _filled(node: Node, shape: Array) -> Array:
    value = node.attributes.get("value", np.zeros(1, np.float32))
    sizes = _sizes(shape)
    return np.full(sizes, np.asarray(value).reshape(-1)[0], np.asarray(value).dtype)


def _expanded(node: Node, x: Array, shape: Array) -> Array:
    sizes = np.broadcast_shapes(x.shape, tuple(int(size) for size in shape.reshape(-1)))
    _sizes(np.array(sizes))
    return np.broadcast_to(x, sizes)


def _sizes(shape: Array) -> tuple[int, ...]:
    """Errors: Inexpressible for more numbers than weights may be."""
    sizes = tuple(int(size) for size in shape.reshape(-1))
    if min(sizes, default=1) < 0 or math.prod(sizes) > MAX_WEIGHTS:
        raise Inexpressible(f"a constant of {sizes} numbers, more than can be held")
    return sizes


def _reshaped(node: Node, x: Array, shape: Array) -> Array:
    sizes = [int(size) for size in shape.reshape(-1)]
    return x.reshape([x.shape[i] if size == 0 else size for i, size in enumerate(sizes)])


def _squeezed(node: Node, x: Array, axes: Array | None = None) -> Array:
    given = node.attributes.get("axes", axes)
    return x.squeeze(None if given is None else tuple(int(axis) for axis in np.reshape(given, -1)))


def _unsqueezed(node: Node, x: Array, axes: Array | None = None) -> Array:
    given = node.attributes.get("axes", axes)
    return np.expand_dims(x, tuple(int(axis) for axis in np.reshape(given, -1)))


def _sliced(node: Node, x: Array, *given: Array) -> Array:
    index = [slice(None)] * x.ndim
    for axis, start, end, step in slices(node, x.ndim):
        index[axis] = slice(start, None if step < 0 and end < -x.shape[axis] else end, step)
    return x[tuple(index)]


def slices(node: Node, rank: int) -> list[tuple[int, int, int, int]]:
    """(axis, start, end, step) of a Slice, counted from 0."""
    starts, ends = node.numbers("starts", 1), node.numbers("ends", 2)
    if starts is None or ends is None:
        raise Inexpressible("starts and ends are missing")
    axes = node.numbers("axes", 3) or list(range(len(starts)))
    steps = node.numbers("steps", 4) or [1] * len(starts)
    return [(axis % rank, *rest) for axis, *rest in zip(axes, starts, ends, steps, strict=True)]  # type: ignore[misc]


def _divided(node: Node, a: Array, b: Array) -> Array:
    if a.dtype == object or np.issubdtype(a.dtype, np.integer):
        return np.asarray(np.fix(np.divide(a.astype(np.float64), b.astype(np.float64)))).astype(a.dtype)
    return np.asarray(a / b)


def _reduced(function: Callable[..., Array]) -> Callable[..., Array]:
    def fold(node: Node, x: Array, axes: Array | None = None) -> Array:
        given = node.attributes.get("axes", axes)
        over = None if given is None or not np.size(given) else tuple(int(axis) for axis in np.reshape(given, -1))
        if over is None and node.attributes.get("noop_with_empty_axes", 0):
            return x
        return np.asarray(function(x, axis=over, keepdims=bool(node.attributes.get("keepdims", 1))))

    return fold


def _clipped(node: Node, x: Array, *bounds: Array) -> Array:
    low, high = (node.given(name, i) for i, name in enumerate(("min", "max"), 1))
    return np.clip(x, low, high)


def _range(node: Node, *given: Array) -> Array:
    start, stop, step = (each.reshape(-1)[0] for each in given)
    _sizes(np.array([max(math.ceil((stop - start) / step), 0)]))
    return np.arange(start, stop, step)


def _normalized(node: Node, x: Array, scale: Array, offset: Array, mean: Array, variance: Array) -> Array:
    """Batch norm of weights, as networks have them that standardise their kernels."""
    over, shape = tuple(axis for axis in range(x.ndim) if axis != 1), (-1, *[1] * (x.ndim - 2))
    if node.attributes.get("training_mode", 0):
        mean, variance = x.mean(over), x.var(over)
    factor = scale / np.sqrt(variance + node.attributes.get("epsilon", 1e-5))
    return np.asarray((x - mean.reshape(shape)) * factor.reshape(shape) + offset.reshape(shape), x.dtype)


def _tiled(node: Node, x: Array, times: Array) -> Array:
    _sizes(np.array([size * int(n) for size, n in zip(x.shape, times, strict=True)]))
    return np.tile(x, [int(n) for n in times])


FOLDED: dict[str, Callable[..., Array]] = {
    "Identity": lambda node, x: x,
    "Cast": _cast,
    "ConstantOfShape": _filled,
    "Expand": _expanded,
    "Reshape": _reshaped,
    "Squeeze": _squeezed,
    "Unsqueeze": _unsqueezed,
    "Slice": _sliced,
    "Gather": lambda node, x, index: np.take(x, index.astype(np.int64), axis=node.attributes.get("axis", 0)),
    "Concat": lambda node, *parts: np.concatenate(parts, axis=node.attributes["axis"]),
    "Transpose": lambda node, x: x.transpose(node.attributes.get("perm")),
    "Add": lambda node, a, b: a + b,
    "Sub": lambda node, a, b: a - b,
    "Mul": lambda node, a, b: a * b,
    "Div": _divided,
    "Pow": lambda node, a, b: np.power(a, b).astype(a.dtype),
    "Sqrt": lambda node, x: np.sqrt(x),
    "Neg": lambda node, x: -x,
    "Floor": lambda node, x: np.floor(x),
    "Ceil": lambda node, x: np.ceil(x),
    "Equal": lambda node, a, b: np.asarray(a == b),
    "Where": lambda node, which, a, b: np.asarray(np.where(which, a, b)),
    "Abs": lambda node, x: np.abs(x),
    "Reciprocal": lambda node, x: 1 / x,
    "Exp": lambda node, x: np.exp(x),
    "Log": lambda node, x: np.log(x),
    "Max": lambda node, *each: np.asarray(functools.reduce(np.maximum, each)),
    "Min": lambda node, *each: np.asarray(functools.reduce(np.minimum, each)),
    "Clip": _clipped,
    "BatchNormalization": _normalized,
    "Range": _range,
    "Tile": _tiled,
    "ReduceProd": _reduced(np.prod),
    "ReduceSum": _reduced(np.sum),
    "ReduceMean": _reduced(np.mean),
    "ReduceMax": _reduced(np.max),
    "ReduceMin": _reduced(np.min),
    "ReduceL2": _reduced(lambda x, **over: np.sqrt(np.square(x).sum(**over))),
    "MatMul": lambda node, a, b: a @ b,
}
"""By operator, of known inputs."""


_BROADCAST = ("Add", "Sub", "Mul", "Div", "Pow", "Where", "Equal", "Max", "Min", "Clip")


def folded(node: Node) -> Array | None:
    """What a node gives where all that it reads is known; None where it is not, or the operator is none of these.

    Errors: Inexpressible for arithmetic that fails, and for what would take too much memory.
    """
    if node.operator == "Shape":
        return shape_of(node)
    if node.operator not in FOLDED or any(isinstance(each, Held) for each in node.inputs) or not node.inputs:
        return None
    try:
        arrays = [np.asarray(each) for each in node.inputs if each is not None]
        _sizes(np.array([sum(array.size for array in arrays)]))
        if node.operator in _BROADCAST:
            _sizes(np.array(np.broadcast_shapes(*(array.shape for array in arrays))))
        with np.errstate(all="ignore"):
            return np.asarray(FOLDED[node.operator](node, *arrays))
    except (TypeError, ValueError, LookupError, ArithmeticError, MemoryError) as error:
        raise Inexpressible(f"arithmetic with constants: {error}") from error
