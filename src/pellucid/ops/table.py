"""One row an operation: what it is called, takes and costs. The row stands on its NumPy twin, in `ops.reference`:

    @op(flops="2 * N * INPUTS * UNITS", typical=[call("128 x 4096, 4096", x=(128, 4096), kernel=(4096, 4096))])
    def dense(x: Array, kernel: Array, bias: Array | None, y: Array, *, activation: str = "linear", ...) -> None:

The kernel of that name has the twin's arguments; its own list (arguments.hpp) says their shapes. From the row come the
call of either backend (`ops.dispatch`), steps (`native.dense(...)`), costs (`native.cost`), the line of the benchmark
(`bench.kernels`), and a step that tests run. What people call is in `ops.api`, and exported by `ops/__init__.py`.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypedDict, TypeVar

import numpy as np

from pellucid.errors import expect_known
from pellucid.ops.geometry import NO_PADS, Convolution, Pooling, Shape

Twin = TypeVar("Twin", bound=Callable[..., None])


class Numbers(TypedDict, total=False):
    """What an activation takes beside x, see `ops.activation`. A twin's `**numbers` are these."""

    slope: float
    threshold: float
    ceiling: float


NUMBERS: Numbers = {"slope": 0.0, "threshold": 0.0, "ceiling": math.inf}
"""Those that are not given."""


@dataclass(frozen=True)
class Call:
    """A typical call: its size in words, and the arguments by name, arrays as shapes.

    Named are arrays from which the other shapes follow, and those with a default that are to be there; None is one that
    has no default, and is not to be there.
    """

    words: str
    values: Mapping[str, Any]


def call(words: str, /, **values: Any) -> Call:
    return Call(words, values)


@dataclass(frozen=True)
class Op:
    """A row. `op` says what its fields are."""

    twin: Callable[..., None]
    kernel: str
    fields: Mapping[str, str | tuple[str, ...]]
    fixed: Mapping[str, Any]
    passes: Mapping[str, int]
    flops: str | Mapping[str, str]
    reference_dtypes: tuple[np.dtype[Any], ...]
    refuse: Callable[[Mapping[str, Any]], str | None] | None
    typical: Sequence[Call] = field(repr=False)

    @cached_property
    def name(self) -> str:
        return self.twin.__name__

    @cached_property
    def signature(self) -> inspect.Signature:
        signature = inspect.signature(self.twin)
        own = [one for one in signature.parameters.values() if one.kind is not one.VAR_KEYWORD]
        if len(own) < len(signature.parameters):
            own += [inspect.Parameter(name, own[-1].KEYWORD_ONLY, default=value) for name, value in NUMBERS.items()]
        return signature.replace(parameters=own)

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        return tuple(self.signature.parameters)

    @cached_property
    def arrays(self) -> tuple[str, ...]:
        """The arguments that are arrays."""
        return tuple(name for name, one in self.signature.parameters.items() if "Array" in str(one.annotation))

    @cached_property
    def defaults(self) -> dict[str, Any]:
        every = self.signature.parameters.values()
        return {one.name: one.default for one in every if one.default is not one.empty}


CONVOLUTION_FLOPS = "2 * N * OH * OW * O * KH * KW * (C / GROUPS)"
DENSE_FLOPS = "2 * N * INPUTS * UNITS"
POOLING_FLOPS = "N * OH * OW * C * PH * PW"

# Sizes of typical calls.
VALID: Convolution = {"strides": (1, 1), "padding": NO_PADS}
SAME3: Convolution = {"strides": (1, 1), "padding": ((1, 1), (1, 1))}
SAME5: Convolution = {"strides": (1, 1), "padding": ((2, 2), (2, 2))}
HALVED: Pooling = {"pool_size": (2, 2), "strides": (2, 2), "padding": NO_PADS}
POOLED: dict[str, Any] = {"convolution": VALID, "pooling": HALVED}
MAP: Shape = (16, 56, 56, 64)
WIDE_MAP: Shape = (16, 56, 56, 144)
LONG: Shape = (64, 56, 56, 64)
"""51 MB: what only passes through memory is measured from there."""
PARAMETERS: Shape = (16_000_000,)

TABLE: dict[str, Op] = {}
"""Every operation by its name; filled as `ops.reference` is loaded."""


def op(
    *,
    kernel: str | None = None,
    fields: Mapping[str, str | tuple[str, ...]] | None = None,
    fixed: Mapping[str, Any] | None = None,
    passes: Mapping[str, int] | None = None,
    flops: str | Mapping[str, str] = "0",
    reference_dtypes: tuple[str, ...] = (),
    refuse: Callable[[Mapping[str, Any]], str | None] | None = None,
    typical: Sequence[Call] = (),
) -> Callable[[Twin], Twin]:
    """The row of an operation, on its twin.

    kernel: the native kernel's name, where it is not the twin's; "" where there is none.
    fields: the kernel's field of an argument that has another name there; of several, the first of its element type.
    fixed: fields that are no argument, with their values.
    passes: how often the kernel goes over an array, where that is not once; twice for arrays that it changes.
    flops: floating-point operations, a multiply-add as two, in the letters of arguments.hpp; or those of each array
        that is there.
    reference_dtypes: element types of arrays that the kernel cannot take, though the twin can.
    refuse: says what is wrong with arguments that fit each by itself, but not together.
    typical: calls for the benchmark, at the sizes of well-known networks.
    """

    def enter(twin: Twin) -> Twin:
        name = twin.__name__ if kernel is None else kernel
        slow = tuple(map(np.dtype, reference_dtypes))
        TABLE[twin.__name__] = Op(twin, name, fields or {}, fixed or {}, passes or {}, flops, slow, refuse, typical)
        return twin

    return enter


def row(name: str) -> Op:
    """Errors: ConfigError for an unknown operation."""
    return TABLE[expect_known("operation", name, TABLE)]
