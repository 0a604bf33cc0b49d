"""What a kernel takes, as arguments.hpp has it, and the sizes that follow from the shapes of its arrays.

An array's axes are letters: `N * H * W * C` is (N, H, W, C). INNER is any number of axes, as is COUNT where it stands
alone. Letters that a sliding window gives (OH, OW, QH, QW) follow from the others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from pellucid.errors import BackendError
from pellucid.ops import geometry
from pellucid.ops.geometry import Convolution, Pooling, Shape
from pellucid.ops.native import runtime

PER_GROUP = "(C / GROUPS)"
_ONE = ("GROUPS", "DH", "DW")


@dataclass(frozen=True)
class ArrayField:
    """An array of a kernel: element type as NumPy names it, and axes by letters or numbers."""

    name: str
    dtype: str
    writable: bool
    axes: tuple[str, ...]
    optional: bool

    def shape(self, known: Mapping[str, Shape]) -> tuple[int | str, ...]:
        """Its shape, with the letters of axes that are not known."""
        return tuple(one for axis in self.axes for one in known.get(axis, (int(axis) if axis.isdecimal() else axis,)))

    def parts(self, kernel: str, shape: Shape) -> dict[str, Shape]:
        """The axes of each letter.

        Errors: BackendError if there are not as many axes.
        """
        wide = _wide(self.axes)
        more = len(shape) - len(self.axes)
        if more < (-1 if wide else 0) or (more > 0 and not wide):
            raise BackendError(f"{kernel}: {self.name} must have shape ({', '.join(self.axes)}), got {shape}")
        found, at = {}, 0
        for axis in self.axes:
            width = 1 + more if axis == wide else 1
            found[axis] = shape[at : at + width]
            at += width
        return found


def _wide(axes: tuple[str, ...]) -> str:
    if "INNER" in axes:
        return "INNER"
    return "COUNT" if axes == ("COUNT",) else ""


@dataclass(frozen=True)
class Signature:
    arrays: dict[str, ArrayField]
    sizes: tuple[str, ...]
    reals: tuple[str, ...]


@cache
def signatures() -> dict[str, Signature]:
    """Of every kernel that is compiled in. Errors: BackendError where that module was built from other sources."""
    try:
        return {kernel: _signature(fields) for kernel, fields in runtime.kernel_fields().items()}
    except (AttributeError, ValueError) as error:  # no such function, or it gives something else
        raise outdated(str(error)) from None


def field_names() -> dict[str, list[str]]:
    """Of every kernel that is compiled in, its fields in the order of its struct."""
    return {kernel: [name for name, *_ in fields] for kernel, fields in runtime.kernel_fields().items()}


def _signature(fields: list[tuple[str, str, str, bool, str]]) -> Signature:
    arrays = {}
    for name, kind, dtype, writable, extent in fields:
        if kind == "array":
            inside = extent.removeprefix("maybe(").removesuffix(")") if extent.startswith("maybe(") else extent
            arrays[name] = ArrayField(name, dtype, writable, tuple(inside.split(" * ")), inside != extent)
    sizes, reals = (tuple(name for name, kind, *_ in fields if kind == one) for one in ("size", "real"))
    return Signature(arrays, sizes, reals)


def outdated(how: str) -> BackendError:
    """The error for a compiled module that was built from other sources."""
    return BackendError(f"the compiled kernels do not fit this Python code ({how}); compile them again: scripts/build")


choices = cache(runtime.field_choices)


def product(expression: str, sizes: Mapping[str, int]) -> float:
    """The value of e.g. "2 * N * (C / GROUPS)"."""
    value = 1.0
    for factor in expression.split(" * "):
        if factor == PER_GROUP:
            value *= sizes["C"] // sizes["GROUPS"]
        else:
            value *= int(factor) if factor.isdecimal() else sizes[factor]
    return value


def _windows(options: Mapping[str, Any]) -> tuple[Convolution | None, Pooling | None]:
    """The sliding windows among a call's options: those of a convolution, and of a pooling."""
    if "convolution" in options:
        return options["convolution"], options["pooling"]
    if "pool_size" in options:
        return None, {name: options[name] for name in ("pool_size", "strides", "padding")}  # type: ignore[return-value]
    if "strides" in options:
        names = ("strides", "padding", "dilation", "groups")
        return {name: options[name] for name in names if name in options}, None  # type: ignore[return-value]
    return None, None


def _sliding(convolution: Convolution | None, pooling: Pooling | None) -> dict[str, int]:
    """The sizes that are arguments of windows; those of a pooling behind a convolution begin with P."""
    found: dict[str, int] = {}
    for window, before in ((convolution, ""), (pooling, "P" if convolution else "")):
        if window is not None:
            found[f"{before}SH"], found[f"{before}SW"] = window["strides"]
            (found[f"{before}TOP"], _), (found[f"{before}LEFT"], _) = window["padding"]
    if convolution is not None:
        found["DH"], found["DW"] = convolution.get("dilation", (1, 1))
        found["GROUPS"] = convolution.get("groups", 1)
    if pooling is not None:
        found["PH"], found["PW"] = pooling["pool_size"]
    return found


_OPTIONS = {
    "padding": ("TOP", "BOTTOM", "LEFT", "RIGHT"),
    "counted": ("COUNTED_TOP", "COUNTED_BOTTOM", "COUNTED_LEFT", "COUNTED_RIGHT"),
    "factors": ("SH", "SW"),
}
"""The sizes that options stand for where no window slides."""


def _beside(options: Mapping[str, Any]) -> dict[str, int]:
    found: dict[str, int] = {}
    for name in _OPTIONS.keys() & options.keys():
        found |= zip(_OPTIONS[name], np.ravel(options[name]).tolist(), strict=True)
    return found


def letters(kernel: str, shapes: Mapping[str, Shape], options: Mapping[str, Any]) -> dict[str, Shape]:
    """The axes of every letter, from the shapes of the arrays that are given and the windows among the options.

    Errors: BackendError for an array of another shape than follows from those before it; ShapeError for a window that
    does not fit.
    """
    arrays = {name: one for name, one in signatures()[kernel].arrays.items() if name in shapes}
    convolution, pooling = _windows(options)
    given = ("OH", "OW", "QH", "QW") if convolution or pooling else ()
    known: dict[str, Shape] = {}
    for name, one in arrays.items():
        if not set(given) & set(one.axes):
            for axis, part in one.parts(kernel, shapes[name]).items():
                if not axis.isdecimal():
                    known.setdefault(axis, part)
    if given:
        shape = tuple(known[axis][0] for axis in "NHWC")
        if convolution is not None:
            seen = known.get(PER_GROUP, known["C"])  # without groups: channels convolved each by itself
            filters = tuple(axis[0] for axis in (known["KH"], known["KW"], seen, known["O"]))
            shape = geometry.conv2d_shape(shape, filters, **convolution)
            known["OH"], known["OW"] = (shape[1],), (shape[2],)
        if pooling is not None:
            shape = geometry.pool2d_shape(shape, **pooling)
            to = "Q" if convolution else "O"
            known[f"{to}H"], known[f"{to}W"] = (shape[1],), (shape[2],)
    for name, one in arrays.items():
        one.parts(kernel, shapes[name])  # as many axes
        if one.shape(known) != tuple(shapes[name]):
            wanted = ", ".join(map(str, one.shape(known)))
            raise BackendError(f"{kernel}: {name} must have shape ({wanted}), got {tuple(shapes[name])}")
    return known


def sizes_of(kernel: str, shapes: Mapping[str, Shape], options: Mapping[str, Any]) -> dict[str, int]:
    """Every size of a kernel: what follows from shapes and windows, and options of the sizes' names.

    Errors: BackendError, ShapeError as `letters`; BackendError for a word that is none of a size's choices.
    """
    known = letters(kernel, shapes, options)
    sliding = _sliding(*_windows(options)) | _beside(options)
    return {name: _size(kernel, name, known, sliding, options) for name in signatures()[kernel].sizes}


def _size(
    kernel: str, name: str, known: Mapping[str, Shape], sliding: Mapping[str, int], options: Mapping[str, Any]
) -> int:
    if name in options:  # under its own name, as `op`'s fields have it
        value = options[name]
    elif name in known:
        return math.prod(known[name])
    elif name in sliding:
        return sliding[name]
    else:
        value = options.get(name.lower(), int(name in _ONE))
    words: Sequence[str] = choices().get(name, ())
    if value is None:
        return 0
    if not isinstance(value, str):
        return int(value)
    if value not in words:
        raise BackendError(f"{kernel}: unknown {name.lower()} {value!r}; known: {', '.join(words)}")
    return words.index(value)
