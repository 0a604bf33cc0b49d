"""Steps: kernels bound to arrays, made of the arguments that the twin in `ops.reference` takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from pellucid.errors import BackendError
from pellucid.ops.geometry import Shape
from pellucid.ops.native import runtime
from pellucid.ops.native.algorithm import algorithm_number
from pellucid.ops.native.signature import signatures, sizes_of
from pellucid.ops.table import TABLE, Op

if TYPE_CHECKING:
    from pellucid.ops._native import Step

_Setting = tuple[str, Any]


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
    values = op.bind(args, options)
    wrong = op.refuse(values)
    if wrong is not None:
        raise BackendError(f"{op.name}: {wrong}")
    route = _route(op.name)
    if "algorithm" in options and "ALGORITHM" not in signatures()[op.kernel].sizes:
        raise TypeError(f"{op.name} has one algorithm, and takes no argument 'algorithm'")
    fields, shapes, settings = dict(route.fields), [], list(route.settings)
    for name, value in values.items():
        field, alternatives = route.of[name]
        if alternatives and value.dtype.name != alternatives[field]:
            field = next((one for one, dtype in alternatives.items() if dtype == value.dtype.name), field)
        if field not in fields:
            settings.append((field, _Window(value.items()) if isinstance(value, dict) else value))
            continue
        fields[field] = value
        shape = getattr(value, "shape", None)
        if shape is not None:
            shapes.append((field, shape))
    return _bound(op.kernel, fields, shapes, settings)


def unbound(op: Op, shapes: Mapping[str, Shape], windows: Mapping[str, Any]) -> Step:
    """A step that has sizes and no arrays: it can be asked about, not run."""
    settings = [(name, _Window(one.items()) if isinstance(one, dict) else one) for name, one in windows.items()]
    return _bound(op.kernel, dict(_route(op.name).fields), list(shapes.items()), settings)


def _bound(kernel: str, fields: dict[str, Any], shapes: list[tuple[str, Shape]], settings: list[_Setting]) -> Step:
    try:
        sizes = _sizes(kernel, tuple(shapes), tuple(settings))
    except TypeError:  # windows given as lists cannot be looked up
        sizes = _sizes.__wrapped__(kernel, tuple(shapes), tuple(settings))
    fields.update(sizes)
    if "ALGORITHM" in sizes:
        fields["ALGORITHM"] = algorithm_number(kernel, sizes)
    return runtime.bound(kernel, fields)


class _Window(tuple[tuple[str, Any], ...]):
    """A window of a convolution or pooling, as what can be looked up."""


@lru_cache(maxsize=1024)
def _sizes(kernel: str, shapes: tuple[tuple[str, Shape], ...], settings: tuple[_Setting, ...]) -> dict[str, int]:
    """`sizes_of`, kept: a layer that is called again has the same shapes."""
    windows = {name: dict(value) if isinstance(value, _Window) else value for name, value in settings}
    return sizes_of(kernel, dict(shapes), windows)


@dataclass(frozen=True)
class _Route:
    """Where arguments go: arrays and real numbers into fields as they are; from the settings, sizes are made.

    of: the field of each argument, and those that may stand for it, with their element types.
    """

    fields: dict[str, Any]
    settings: list[_Setting]
    of: dict[str, tuple[str, dict[str, str]]]


@cache
def _route(name: str) -> _Route:
    op = TABLE[name]
    signature = signatures()[op.kernel]
    fields: dict[str, Any] = {**dict.fromkeys(signature.arrays), **dict.fromkeys(signature.reals, 0.0)}
    fields.update((field, value) for field, value in op.fixed.items() if field in fields)
    of = {}
    for parameter in (*op.parameters, "algorithm"):
        names = op.fields.get(parameter, parameter)
        one, *more = (names,) if isinstance(names, str) else names
        of[parameter] = one, {each: signature.arrays[each].dtype for each in (one, *more)} if more else {}
    return _Route(fields, [(field, value) for field, value in op.fixed.items() if field not in fields], of)
