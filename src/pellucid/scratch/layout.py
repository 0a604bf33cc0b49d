"""Where the book's layout meets the kernels': pictures are (N, C, H, W) outside, and lie as (N, H, W, C) in memory.

Every layer returns such pictures as a view of the kernels' own array, so that the next layer finds them as it needs
them and nothing is copied between layers.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import numpy as np

from pellucid.errors import ConfigError, ShapeError
from pellucid.ops import Array, Pads, Shape
from pellucid.ops.geometry import standardize_padding

Kept = TypeVar("Kept")

_least: ContextVar[type[np.floating[Any]]] = ContextVar("pellucid_scratch_precision", default=np.float32)


@contextmanager
def in_float64() -> Iterator[None]:
    """Layers that run inside work in float64, whatever they are given: differences of losses need the digits."""
    token = _least.set(np.float64)
    try:
        yield
    finally:
        _least.reset(token)


def as_floats(layer: object, x: Any) -> Array:
    """x as an array of the dtype that a layer, or function, works in: NumPy's for x together with float32.

    >>> import numpy as np
    >>> [as_floats(as_floats, np.ones(1, dtype)).dtype.name for dtype in ("float32", "float64", "uint8", "int64")]
    ['float32', 'float64', 'float32', 'float64']

    Errors: ConfigError if x holds no real numbers.
    """
    given: Array = np.asarray(x)
    if given.dtype.kind not in "fiub":
        raise ConfigError(f"{_name(layer)}: x must hold real numbers, got an array of {given.dtype}")
    return given.astype(np.result_type(given.dtype, _least.get()), copy=False)


def _name(layer: object) -> str:
    return str(getattr(layer, "__name__", type(layer).__name__))


def pads_of(pad: int) -> Pads:
    """Errors: ConfigError unless pad is a number of pixels."""
    pads = standardize_padding(pad, "pad")
    if isinstance(pads, str):
        raise ConfigError(f"pad must be a number of pixels, got {pad!r}")
    return pads


def bias_of(layer: object, b: Any, number: int, kind: str, dtype: np.dtype[Any]) -> Array:
    """b as one number for each unit, or filter: a row of them, or a single one for all, as NumPy would add it.

    Errors: ShapeError if b has another number of them.
    """
    given: Array = np.asarray(b, dtype)
    if given.shape == (number,):
        return np.ascontiguousarray(given)
    if given.size == 1 or given.shape == (1, number):
        return np.ascontiguousarray(np.broadcast_to(given.reshape(-1), number))
    raise ShapeError(f"{_name(layer)}: b must hold one number a {kind}, ({number},), got {given.shape}")


def expect_pictures(layer: object, x: Array) -> None:
    """Errors: ShapeError unless x is (N, C, H, W)."""
    if x.ndim != 4:
        hint = "load_mnist(flatten=False) gives such pictures; x.reshape(N, C, H, W) makes them"
        raise ShapeError(f"{_name(layer)}: x must be pictures (N, C, H, W), got shape {x.shape}; {hint}")


def gradient_of(layer: object, dout: Any, dtype: np.dtype[Any], shape: Shape) -> Array:
    """dout in the dtype of the forward pass.

    Errors: ShapeError unless it is shaped like the layer's output.
    """
    dy: Array = np.asarray(dout, dtype)
    if dy.shape != tuple(shape):
        raise ShapeError(
            f"{_name(layer)}: dout must be shaped like the output {tuple(shape)}, got {dy.shape}; "
            "backward belongs to the forward pass before it"
        )
    return dy


def of_forward(layer: object, kept: Kept | None) -> Kept:
    """What a layer kept of its forward pass. Errors: ConfigError where there was none to go back through."""
    if kept is None:
        raise ConfigError(f"{_name(layer)}: backward needs a forward pass first; call forward(x)")
    return kept


def to_nhwc(x: Array) -> Array:
    """(N, C, H, W) as a contiguous (N, H, W, C); no copy where the memory already lies so."""
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1))


def to_nchw(x: Array) -> Array:
    """(N, H, W, C) as a view (N, C, H, W)."""
    return x.transpose(0, 3, 1, 2)


def lies_as_nhwc(x: Array) -> bool:
    """Whether x is such a view, and no plain (N, C, H, W) array."""
    return x.ndim == 4 and not x.flags.c_contiguous and bool(x.transpose(0, 2, 3, 1).flags.c_contiguous)


def like_memory(x: Array) -> Array:
    """x with its axes in the order of its memory where that is (N, H, W, C): for what looks at each number alone."""
    return x.transpose(0, 2, 3, 1) if lies_as_nhwc(x) else x
