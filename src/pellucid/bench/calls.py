"""Calls of kernels made of a row's sizes: what the benchmark times, and tests run at sizes of their own.

Shapes that are not given follow from those that are, by the letters of arguments.hpp. Numbers are such that every
kernel has something to do: variances are positive, labels lie within the classes, places within the window.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.errors import BackendError
from pellucid.ops import native
from pellucid.ops.geometry import Array, Shape
from pellucid.ops.memory import aligned_empty
from pellucid.ops.native.signature import ArrayField, letters, signatures
from pellucid.ops.table import Call, Op

if TYPE_CHECKING:
    from pellucid.ops._native import Step

Draw = Callable[[str, Shape], Array]
"""Random float32 numbers of a shape; the first argument is the letter of its first axis."""
Empty = Callable[[str, Shape], Array]
"""An array for a result."""

POSITIVE = frozenset(("variance", "x_variance", "square", "delta", "v", "weights", "targets"))
TURNED = np.array(
    [0.98, -0.17, 3.2, 0.17, 0.98, -2.1, 0.9, 0.1, 0, 0, 1, 0.1, 0.1, 0, 0.9, -0.1, 2, 3, 5, 7, 1], np.float32
)
"""How a picture is augmented: see `ops.reference.augment`."""
NUMBERS: dict[str, Callable[[Shape], Array]] = {
    "argmax": lambda shape: np.resize(np.array([0, 1, 255, 2, 0, 1, 2], np.uint8), shape),
    "control": lambda shape: np.array([1e-3, 1.0, 1.0]),
    "counter": lambda shape: np.array([1, 2], np.uint32),
    "cursor": lambda shape: np.zeros(shape, np.int64),
    "draws": lambda shape: np.resize(np.array(TURNED, np.float32), shape),
    "indices": lambda shape: np.random.default_rng(0).permutation(shape[0]),
    "labels": lambda shape: np.resize(np.arange(10, dtype=np.int32), shape),
}
"""Arrays that are no random numbers."""


@dataclass(frozen=True)
class Made:
    """A step, and the arrays that it writes, in the order of its fields."""

    step: Step
    results: list[Array]


def random_block(axis: str, shape: Shape) -> Array:
    """The same 65,536 numbers again and again: quickly made, however large."""
    array = aligned_empty(shape)
    array.reshape(-1)[...] = np.resize(np.random.default_rng(0).standard_normal(65_536, np.float32), array.size)
    return array


def made(op: Op, call: Call, draw: Draw, empty: Empty = lambda axis, shape: aligned_empty(shape)) -> Made:
    """The step of a call. Its values may also be arrays as they are to be."""
    fields, shapes = _fields(op, call), _shapes(op, call)
    values: dict[str, Any] = {}
    results = []
    for name, value in call.values.items():
        if name not in op.arrays:
            values[name] = value
    for name in op.arrays:
        given = call.values.get(name, op.defaults.get(name, ()))
        if isinstance(given, np.ndarray) or given is None:
            values[name] = given
        else:
            values[name] = _array(op, fields[name], shapes[fields[name].name], draw, empty)
    arrays = {one.name: values[name] for name, one in fields.items()}
    for name, one in signatures()[op.kernel].arrays.items():
        if one.writable and arrays.get(name) is not None:
            results.append(arrays[name])
    rest = {name: value for name, value in values.items() if name in op.parameters or name == "algorithm"}
    return Made(native.step(op, (), rest), results)


def _fields(op: Op, call: Call) -> dict[str, ArrayField]:
    """The field of each array; of several, the one that its shape or element type fits."""
    arrays = signatures()[op.kernel].arrays
    found = {}
    for name in op.arrays:
        names = op.fields.get(name, name)
        options = [arrays[one] for one in ((names,) if isinstance(names, str) else names)]
        given = call.values.get(name)
        found[name] = next((one for one in options if _fits(op.kernel, one, given)), options[0])
    return found


def _fits(kernel: str, one: ArrayField, given: Any) -> bool:
    try:
        one.parts(kernel, given.shape if isinstance(given, np.ndarray) else given or ())
    except BackendError:
        return False
    return not isinstance(given, np.ndarray) or given.dtype.name == one.dtype


def _shapes(op: Op, call: Call) -> dict[str, Shape]:
    """The shapes of all arrays, by field."""
    fields = _fields(op, call)
    given: Mapping[str, Any] = {
        fields[name].name: getattr(value, "shape", value)
        for name, value in call.values.items()
        if name in op.arrays and value is not None
    }
    known = letters(op.kernel, given, {**op.defaults, **call.values})
    return {name: one.shape(known) for name, one in signatures()[op.kernel].arrays.items()}  # type: ignore[misc]


def _array(op: Op, one: ArrayField, shape: Shape, draw: Draw, empty: Empty) -> Array:
    if one.name in NUMBERS:
        return NUMBERS[one.name](shape).astype(one.dtype, copy=False)
    if one.dtype != "float32":
        return np.ones(shape, one.dtype)
    if one.writable and op.passes.get(one.name, 1) == 1:
        return empty(one.axes[0], shape)
    array = draw(one.axes[0], shape)
    if one.name in POSITIVE:
        np.abs(array, out=array)
    if one.name == "scale":  # of local response normalisation: at least its k
        array[...] = 2 + np.abs(array)
    return array
