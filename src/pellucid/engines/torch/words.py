"""The words of a row of table.py: constructors and calls of PyTorch's, with axes counted as it counts them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pellucid._python import literal
from pellucid.layers.graph import Visit
from pellucid.layers.length import LEAST
from pellucid.ops.geometry import NO_PADS, Pads


@dataclass(frozen=True)
class Written:
    """modules: the end of an attribute's name -> its constructor. steps: expressions one after the other, in which {x}
    is the one before, first what the layer reads, {0}, {1} where it reads several, and {self} the attribute's name.
    """

    steps: tuple[str, ...] = ()
    modules: dict[str, str] = field(default_factory=dict)


def called(name: str, *arguments: Any, **named: Any) -> str:
    """A call with the arguments that are given; equal numbers of a pair once."""
    given = [literal(once(value)) for value in arguments]
    return f"{name}({', '.join([*given, *(f'{key}={literal(once(value))}' for key, value in named.items())])})"


def once(value: Any) -> Any:
    """A pair of equal numbers as one of them."""
    return value[0] if isinstance(value, tuple) and len(value) > 1 and len(set(value)) == 1 else value


def unusual(**named: tuple[Any, Any]) -> dict[str, Any]:
    """Those of the arguments, each with its usual value, that are not as usual."""
    return {name: value for name, (value, usual) in named.items() if once(value) != usual}


def sides(pads: Pads, *, series: bool) -> tuple[int, ...]:
    """Pads as F.pad takes them: the last axis first."""
    (top, bottom), (left, right) = pads
    return (left, right) if series else (left, right, top, bottom)


def padded(pads: Pads, *, series: bool, value: str = "") -> tuple[str, ...]:
    """The step that makes a border, where there is one; value: what F.pad takes besides."""
    return () if pads == NO_PADS else (f"F.pad({{x}}, {sides(pads, series=series)}{value})",)


def even(pads: Pads) -> bool:
    """Whether each axis has as much before as behind, which a module pads by itself."""
    return all(before == after for before, after in pads)


def halves(pair: tuple[int, int], *, series: bool) -> Any:
    """What a module for series takes of a pair: its second number."""
    return pair[1] if series else pair


def module(made: str) -> Written:
    """What is one module and nothing else."""
    return Written(("{self}({x})",), {"": made})


def on_last(step: str, visit: Visit) -> tuple[str, ...]:
    """A step that reads the last axis, of a value whose last axis is the channels here."""
    return (step,) if len(visit.input_shape) == 1 else ("{x}.movedim(1, -1)", step, "{x}.movedim(-1, 1)")


def reordered(step: str, visit: Visit) -> Written:
    """A step that counts the axes as we do."""
    before = ("{x}.movedim(1, -1)",) if len(visit.input_shape) > 1 else ()
    after = ("{x}.movedim(-1, 1)",) if len(visit.output_shape) > 1 else ()
    return Written((*before, step, *after))


def slices(starts: Sequence[int], sizes: Sequence[int]) -> str:
    """So many places of each axis behind the channels."""
    ends = [f"{start}:{start + size}" for start, size in zip(starts, sizes, strict=False)]
    return f"{{x}}[:, :, {', '.join(ends)}]"


def by_length(axes: tuple[int, ...]) -> str:
    """A value by its length along these axes of PyTorch's."""
    return f"{{x}} * {{x}}.square().sum({axes}, keepdim=True).clamp(min={LEAST!r}).rsqrt()"
