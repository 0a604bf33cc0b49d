"""How a call works: what its arrays must be, where its results go, and which backend runs it."""

from __future__ import annotations

import inspect
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from pellucid.errors import BackendError, ConfigError, ShapeError, shown
from pellucid.ops import native
from pellucid.ops.geometry import (
    Array,
    Convolution,
    Pads,
    Pair,
    Pooling,
    Shape,
    expect_total,
    pair,
    standardize_padding,
    whole,
)
from pellucid.ops.table import Op, row

Function = TypeVar("Function", bound=Callable[..., object])
FLOAT = np.dtype(np.float32)
_recorder: ContextVar[list[tuple[str, str]] | None] = ContextVar("pellucid_ops_recorder", default=None)
_announced = False


@dataclass(frozen=True)
class Backend:
    """What runs the arithmetic: its name ("native" or "reference"), instruction set, threads, and why not native."""

    name: str
    instruction_set: str
    threads: int
    reason: str


def backend() -> Backend:
    """The backend that float32 arrays go to on this machine."""
    if native.available:
        return Backend("native", native.instruction_set(), native.num_threads(), "")
    return Backend("reference", "numpy", 1, native.reason)


def num_threads() -> int:
    """How many threads the native kernels use; 1 without them."""
    return backend().threads


def set_num_threads(n: int) -> None:
    """Use `n` threads from now on; results are the same bits for any number. The reference always uses one.

    Errors: ConfigError for anything but a whole number from 1 to 1024.
    """
    native.set_num_threads(n)


@contextmanager
def recording() -> Iterator[list[tuple[str, str]]]:
    """Collects (operation, backend) for every call made inside, in this thread or task.

    >>> import numpy as np
    >>> with recording() as calls:
    ...     run("softmax", np.zeros((1, 2)), np.empty((1, 2)))
    >>> calls
    [('softmax', 'reference')]
    """
    calls: list[tuple[str, str]] = []
    token = _recorder.set(calls)
    try:
        yield calls
    finally:
        _recorder.reset(token)


def _announce_missing_native() -> None:
    """Says once that the kernels are missing, or refuses to go on where they are required."""
    global _announced
    if os.environ.get("PELLUCID_REQUIRE_NATIVE", "") not in ("", "0"):
        raise BackendError(
            f"PELLUCID_REQUIRE_NATIVE is set, but the compiled kernels are missing: {native.reason}; "
            "install a C++ compiler and reinstall, or unset it"
        )
    if not _announced:
        _announced = True
        message = f"Pellucid runs on its slow NumPy reference, the compiled kernels are missing: {native.reason}"
        warnings.warn(message, RuntimeWarning, stacklevel=5)


def backend_of(op: str, *arrays: Array | None) -> str:
    """Which backend `op` would go to with these arrays (inputs, and results where they matter).

    Native kernels take float32. They pick a maximum's place as uint8, so windows above 255 taps go to the reference;
    so does an empty batch.

    Errors: ConfigError for an unknown operation; BackendError if PELLUCID_REQUIRE_NATIVE is set and there are none.
    """
    return _backend_of(row(op.removesuffix("_update")), arrays)


def _backend_of(op: Op, arrays: Sequence[Array | None]) -> str:
    if not native.available:
        _announce_missing_native()
        return "reference"
    if not op.kernel:
        return "reference"
    for array in arrays:
        if array is not None:
            dtype = array.dtype
            if array.size == 0 or (dtype != FLOAT and (dtype.kind == "f" or dtype in op.reference_dtypes)):
                return "reference"
    return "native"


def run(op: str, *args: Any, checked: tuple[Array | None, ...] | None = None, **options: Any) -> None:
    """Runs an operation's kernel, or its twin in the reference, on arguments that fit; the arrays in `checked` decide
    which."""
    found = row(op)
    arrays = [arg for arg in args if isinstance(arg, np.ndarray)] if checked is None else checked
    chosen = _backend_of(found, arrays)
    calls = _recorder.get()
    if calls is not None:
        calls.append((op, chosen))
    if chosen == "native":
        native.run(native.step(found, args, options))
    else:
        found.twin(*args, **options)


def array(op: str, name: str, value: object, dtype: np.dtype[Any] | None = None) -> Array:
    """`value` as a C-contiguous float array of the call's dtype; itself where it is already right.

    Errors: ConfigError if it is no float array or has another dtype than the call's other arrays.
    """
    if not isinstance(value, np.ndarray):
        raise ConfigError(f"{op}: {name} must be a NumPy array, got {type(value).__name__}; use np.asarray(...)")
    if value.dtype.kind != "f":
        raise ConfigError(f"{op}: {name} must hold floats, got {value.dtype}; convert it with .astype(np.float32)")
    if dtype is not None and value.dtype != dtype:
        raise ConfigError(f"{op}: {name} is {value.dtype} but the first array is {dtype}; give all in one dtype")
    return value if value.flags.c_contiguous else np.ascontiguousarray(value)


def arrays(op: str, **values: object) -> tuple[Array, ...]:
    """All of them as `array` gives them, with the dtype of the first."""
    found: list[Array] = []
    for name, value in values.items():
        found.append(array(op, name, value, found[0].dtype if found else None))
    return tuple(found)


def expect_shape(op: str, name: str, value: Array, shape: Shape, hint: str) -> None:
    """Errors: ShapeError unless `value` has this shape."""
    if value.shape != tuple(shape):
        raise ShapeError(f"{op}: {name} must have shape {tuple(shape)}, got {value.shape}; {hint}")


def optional(op: str, name: str, value: Array | None, dtype: np.dtype[Any], shape: Shape, hint: str) -> Array | None:
    """`value` as `array` gives it, of this shape; None where there is none."""
    if value is None:
        return None
    found = array(op, name, value, dtype)
    expect_shape(op, name, found, shape, hint)
    return found


def expect_axes(op: str, name: str, value: Array, axes: str) -> None:
    """Errors: ShapeError unless `value` has as many axes as `axes` names, e.g. "N, H, W, C"."""
    if value.ndim != axes.count(",") + 1:
        raise ShapeError(f"{op}: {name} must have the axes ({axes}), got shape {value.shape}; reshape it")


def result(op: str, shape: Shape, inputs: tuple[Array | None, ...], out: Array | None, *, in_place: int = -1) -> Array:
    """Where a result goes: `out` if given, else a new array of the first input's dtype.

    `in_place` is the number of the input that `out` may be; it may share memory with no other.
    Errors: ShapeError or ConfigError if `out` does not fit.
    """
    first = inputs[0]
    if first is None:
        raise ConfigError(f"{op}: its first array is missing")
    if out is None:
        expect_total(shape, f"{op}: a result")
        return np.empty(shape, first.dtype)
    if not isinstance(out, np.ndarray) or out.dtype != first.dtype or not out.flags.c_contiguous:
        kind = f"{out.dtype}, strides {out.strides}" if isinstance(out, np.ndarray) else type(out).__name__
        raise ConfigError(f"{op}: out must be a C-contiguous {first.dtype} array, got {kind}; use np.empty({shape})")
    if not out.flags.writeable:
        raise ConfigError(f"{op}: out is read-only; give an array that may be written")
    expect_shape(op, "out", out, shape, "give an array of that shape, or none")
    for number, value in enumerate(inputs):
        if value is None or not np.may_share_memory(out, value):
            continue
        if number != in_place or _address(out) != _address(value):
            raise ConfigError(f"{op}: out overlaps an input; give an array of its own")
    return out


def _address(value: Array) -> int:
    return int(value.__array_interface__["data"][0])


def pads(padding: object) -> Pads:
    """Explicit pads.

    Errors: ConfigError if they are none, or still a word.
    """
    found = standardize_padding(padding)
    if isinstance(found, str):
        raise ConfigError(f"ops take padding in pixels, got {shown(padding)}; use geometry.resolve_padding first")
    return found


def options_of(check: Callable[..., object]) -> Callable[[Function], Function]:
    """Of a function that hands its `**options` on to `check`: its signature has the keyword arguments of that."""

    def described(function: Function) -> Function:
        signature, taken = inspect.signature(function), inspect.signature(check).parameters.values()
        own = [one for one in signature.parameters.values() if one.kind is not one.VAR_KEYWORD]
        every = sorted([*(one for one in taken if one.kind is one.KEYWORD_ONLY), *own], key=lambda one: one.kind)
        function.__signature__ = signature.replace(parameters=every)  # type: ignore[attr-defined]
        return function

    return described


def convolution(*, strides: Pair, padding: Pads, dilation: Pair = (1, 1), groups: int = 1) -> Convolution:
    """Errors: ConfigError unless strides and dilation are pairs, padding is in pixels and groups a whole number."""
    padding, strides, dilation = pads(padding), pair(strides, "strides"), pair(dilation, "dilation")
    return {"strides": strides, "padding": padding, "dilation": dilation, "groups": whole(groups, "groups")}


def pooling(*, pool_size: Pair, strides: Pair, padding: Pads) -> Pooling:
    """Errors: ConfigError unless pool_size and strides are pairs and padding is in pixels."""
    padding, strides = pads(padding), pair(strides, "strides")
    return {"pool_size": pair(pool_size, "pool_size"), "strides": strides, "padding": padding}
