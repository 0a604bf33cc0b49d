"""Values that have a shape and no numbers yet: what layers are called on to make a graph."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pellucid.errors import ConfigError, shown
from pellucid.ops.geometry import Shape

if TYPE_CHECKING:
    from pellucid.layers.layer import Layer

_ORDER = itertools.count()


class Symbolic:
    """What stands for a value: an `Input`, or what a layer gives that was called on one. x + y and x * y merge.

    Shapes: shape without the batch axis.
    """

    shape: Shape

    def __add__(self, other: object) -> Value:
        from pellucid.layers.merge import Add

        return call(Add(), _two(self, other, "+"))

    def __mul__(self, other: object) -> Value:
        from pellucid.layers.merge import Multiply

        return call(Multiply(), _two(self, other, "*"))


class Value(Symbolic):
    """What `layer` gives for the values it reads."""

    def __init__(self, shape: Shape, layer: Layer, inputs: tuple[Symbolic, ...]) -> None:
        self.shape, self.layer, self.inputs = shape, layer, inputs
        self.order = next(_ORDER)  # of calls, in which each comes after what it reads

    def __repr__(self) -> str:
        return f"<value (N, {', '.join(map(str, self.shape))}) of {self.layer.name!r}>"


def is_symbolic(x: Any) -> bool:
    """Whether x is a value without numbers, or a list with one in it."""
    return isinstance(x, Symbolic) or (isinstance(x, list | tuple) and any(isinstance(v, Symbolic) for v in x))


def call(layer: Layer, x: Any) -> Value:
    """What a layer gives for a value, or for a list of them where it merges.

    Errors: ConfigError for another number of values; ShapeError where they do not fit.
    """
    given = list(x) if isinstance(x, list | tuple) else [x]
    if not all(isinstance(value, Symbolic) for value in given):
        raise ConfigError(f"{layer.place()} was called on values and arrays together; make both one or the other")
    if not layer.merges and len(given) != 1:
        raise ConfigError(f"{layer.place()} reads one value, got {len(given)}; merge them by Add or Concatenate first")
    return Value(layer.output_of([value.shape for value in given]), layer, tuple(given))


def calls_behind(outputs: Sequence[Any], source: Symbolic, model: str) -> list[Value]:
    """All that the outputs are computed from, in the order of the calls.

    Errors: ConfigError for what is no such value, and for values of another input.
    """
    for output in outputs:
        if not isinstance(output, Value):
            raise ConfigError(
                f"{model}: outputs must be one value or a list of them, what layers gave that were called on inputs, "
                f"got {shown(output)}"
            )
    found: dict[int, Value] = {}
    todo: list[Symbolic] = list(outputs)
    while todo:
        value = todo.pop()
        if isinstance(value, Value) and value.order not in found:
            found[value.order] = value
            todo.extend(value.inputs)
        elif not isinstance(value, Value) and value is not source:
            raise ConfigError(f"{model}: its outputs read another Input than the one it is given as inputs")
    return [found[order] for order in sorted(found)]


def _two(value: Symbolic, other: object, sign: str) -> list[Symbolic]:
    if not isinstance(other, Symbolic):
        raise ConfigError(f"value {sign} {shown(other)}: both must be values of a network; a number needs a layer")
    return [value, other]
