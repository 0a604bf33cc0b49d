"""Steps: kernels bound to arrays, made of the arguments that the twin in `ops.reference` takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.errors import BackendError
from pellucid.ops.geometry import Shape
from pellucid.ops.native import runtime
from pellucid.ops.native.algorithm import algorithm_number
from pellucid.ops.native.signature import outdated, signatures, sizes_of
from pellucid.ops.table import TABLE, Op

if TYPE_CHECKING:
    from pellucid.ops._native import Step


@cache
def step_maker(name: str) -> Callable[..., Step]:
    """What makes steps of an operation.

    Errors: KeyError for an unknown operation, or one without a kernel.
    """
    op = TABLE[name]
    if not op.kernel:
        raise KeyError(name)

    def make(*args: Any, **options: Any) -> Step:
        return step(op, args, options)

    make.__name__ = make.__qualname__ = name
    make.__doc__ = op.twin.__doc__
    return make


def step(op: Op, args: Sequence[Any], options: Mapping[str, Any]) -> Step:
    """The kernel of an operation bound to its arguments; convolutions also take algorithm="auto".

    Errors: BackendError where there are no kernels, or arrays do not fit each other or the kernel's limits; ShapeError
    for a window that does not fit; TypeError for arguments that the operation does not take.
    """
    if not runtime.available:
        raise BackendError(f"no compiled kernels: {runtime.reason}")
    form = _form(op.name, len(args), tuple(options))
    values = (*args, *options.values())
    if op.refuse is not None:
        wrong = op.refuse({**op.defaults, **dict(zip(form.names, values, strict=True))})
        if wrong is not None:
            raise BackendError(f"{op.name}: {wrong}")
    fields, settings = form.fields.copy(), form.settings.copy()
    key: list[Any] = [form]
    for (kind, field, alternatives), value in zip(form.places, values, strict=True):
        if kind == "size":
            settings[field] = value
            key.append(tuple(value.items()) if type(value) is dict else value)
        elif kind == "real" or value is None:
            fields[field] = value
        else:
            name = alternatives.get(value.dtype, field) if alternatives else field
            fields[name] = value
            key += name, getattr(value, "shape", None)
    try:
        sizes = _SIZES.get(tuple(key))
    except TypeError:  # windows given as lists cannot be looked up
        return _bound(op.kernel, fields, _sizes(op.kernel, fields, settings))
    if sizes is None:
        if len(_SIZES) >= _MOST_SIZES:
            _SIZES.clear()
        sizes = _SIZES[tuple(key)] = _sizes(op.kernel, fields, settings)
    return _bound(op.kernel, fields, sizes)


def unbound(op: Op, shapes: Mapping[str, Shape], windows: Mapping[str, Any]) -> Step:
    """A step that has sizes and no arrays: it can be asked about, not run."""
    return _bound(op.kernel, _empty(op.kernel), sizes_of(op.kernel, shapes, windows))


def _bound(kernel: str, fields: dict[str, Any], sizes: Mapping[str, int]) -> Step:
    """Errors: BackendError for fields that the kernel cannot take."""
    fields.update(sizes)
    if "ALGORITHM" in sizes:
        fields["ALGORITHM"] = algorithm_number(kernel, sizes)
    return runtime.Step(kernel, fields)


_MOST_SIZES = 1024
_SIZES: dict[tuple[Any, ...], dict[str, int]] = {}
"""Sizes by form of the call, shapes and settings: a layer that is called again has the same."""


def _sizes(kernel: str, fields: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, int]:
    shapes = {name: getattr(fields[name], "shape", None) for name in signatures()[kernel].arrays}
    return sizes_of(kernel, {name: shape for name, shape in shapes.items() if shape is not None}, settings)


def _empty(kernel: str) -> dict[str, Any]:
    """The fields that are no sizes, with nothing in them."""
    return {**dict.fromkeys(signatures()[kernel].arrays), **dict.fromkeys(signatures()[kernel].reals, 0.0)}


@dataclass(frozen=True, eq=False)
class _Form:
    """How a call that gives so many arguments by position, and these by name, fills its kernel's fields.

    names, places: of the arguments given, names and (kind, field, the fields that it has by element type instead).
    fields, settings: where the others stand: arrays and real numbers as they are, and what sizes are made of.
    """

    names: tuple[str, ...]
    places: tuple[tuple[str, str, dict[np.dtype[Any], str]], ...]
    fields: dict[str, Any]
    settings: dict[str, Any]


@cache
def _form(name: str, count: int, options: tuple[str, ...]) -> _Form:
    """Errors: TypeError for arguments that the operation does not take, or lacks; BackendError for a kernel that has
    not been compiled, or takes no such array."""
    op = TABLE[name]
    if op.kernel not in signatures():
        raise outdated(f"no kernel {op.kernel!r}")
    signature = signatures()[op.kernel]
    op.signature.bind(*range(count), **dict.fromkeys(one for one in options if one != "algorithm"))
    if "algorithm" in options and "ALGORITHM" not in signature.sizes:
        raise TypeError(f"{op.name} has one algorithm, and takes no argument 'algorithm'")
    names = (*op.parameters[:count], *options)
    of = {}
    for parameter in (*op.parameters, "algorithm"):
        known = op.fields.get(parameter, parameter)
        one, *more = (known,) if isinstance(known, str) else known
        kind = "array" if one in signature.arrays else "real" if one in signature.reals else "size"
        if kind == "size" and parameter in op.arrays:
            raise outdated(f"{op.kernel} has no array {one!r}")
        of[parameter] = kind, one, {np.dtype(signature.arrays[each].dtype): each for each in (one, *more) if more}
    values = {**op.fixed} | {of[each][1]: value for each, value in op.defaults.items() if each not in names}
    fields = _empty(op.kernel)
    fields.update((field, value) for field, value in values.items() if field in fields)
    settings = {field: value for field, value in values.items() if field not in fields}
    return _Form(names, tuple(of[each] for each in names), fields, settings)
