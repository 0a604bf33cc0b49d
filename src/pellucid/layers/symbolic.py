"""Values that have a shape and no numbers yet: what layers are called on to make a graph."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pellucid.errors import ConfigError, shown
from pellucid.ops.geometry import LARGEST, Shape, number

if TYPE_CHECKING:
    from pellucid.layers.layer import Layer

_ORDER = itertools.count()


class Symbolic:
    """What stands for a value: an `Input`, or what a layer gives that was called on one. x + y, x - y and x * y merge,
    and so do a value and a number. x ** 2 is x * x, another power a Power, and x / y is x * y ** -1.

    Shapes: sizes without the batch axis.
    """

    sizes: Shape

    @property
    def shape(self) -> Shape:
        """Without the batch axis."""
        return self.sizes

    def given_by(self, layer: Layer, inputs: tuple[Symbolic, ...]) -> Value:
        """What a layer gives that reads it first."""
        return Value(layer.output_of([value.sizes for value in inputs]), layer, inputs)

    def __add__(self, other: object) -> Value:
        return self._merged("Add", other) if isinstance(other, Symbolic) else self._scaled(1, other)

    def __sub__(self, other: object) -> Value:
        return self._merged("Subtract", other) if isinstance(other, Symbolic) else self._scaled(1, other, -1)

    def __mul__(self, other: object) -> Value:
        return self._merged("Multiply", other) if isinstance(other, Symbolic) else self._scaled(other)

    def __truediv__(self, other: object) -> Value:
        if isinstance(other, Symbolic):
            return self * other._power(-1)
        return self._scaled(1 / _number(other))

    def __rtruediv__(self, other: object) -> Value:
        return self._power(-1)._scaled(other)

    def __pow__(self, other: object) -> Value:
        power = number(other, "the power of a value", -LARGEST)
        if power not in range(2, 17):
            return self if power == 1 else self._power(power)  # type: ignore[return-value]
        return self._merged("Multiply", *[self] * (int(power) - 1))

    def _power(self, exponent: float) -> Value:
        from pellucid.layers.power import Power

        return call(Power(exponent), self)

    def __rsub__(self, other: object) -> Value:
        return self._scaled(-1, other)

    def __neg__(self) -> Value:
        return self._scaled(-1)

    __radd__, __rmul__ = __add__, __mul__

    def _merged(self, kind: str, *others: Symbolic) -> Value:
        from pellucid.layers import merge

        return call(getattr(merge, kind)(), [self, *others])

    def _scaled(self, scale: object, offset: object = 0, sign: int = 1) -> Value:
        from pellucid.layers.rescaling import Rescaling

        return call(Rescaling(_number(scale), sign * _number(offset)), self)


class Value(Symbolic):
    """What `layer` gives for the values it reads."""

    def __init__(self, sizes: Shape, layer: Layer, inputs: tuple[Symbolic, ...]) -> None:
        self.sizes, self.layer, self.inputs = sizes, layer, inputs
        self.order = next(_ORDER)  # of calls, in which each comes after what it reads

    def __repr__(self) -> str:
        return f"<value (N, {', '.join(map(str, self.sizes))}) of {self.layer.name!r}>"


def is_symbolic(x: Any) -> bool:
    """Whether x is a value without numbers, or a list with one in it."""
    return isinstance(x, Symbolic) or (isinstance(x, list | tuple) and any(isinstance(v, Symbolic) for v in x))


def call(layer: Layer, x: Any, training: Any = None) -> Value:
    """What a layer gives for a value, or for a list of them where it merges.

    training: True or False for a layer that is to work so for ever; else, as usual, it learns while the model does.
    Errors: ConfigError for another number of values, and where it cannot work so; ShapeError where they do not fit.
    """
    given = list(x) if isinstance(x, list | tuple) else [x]
    if not all(isinstance(value, Symbolic) for value in given):
        raise ConfigError(f"{layer.place()} was called on values and arrays together; make both one or the other")
    if not layer.merges and len(given) != 1:
        raise ConfigError(f"{layer.place()} reads one value, got {len(given)}; merge them by Add or Concatenate first")
    if isinstance(training, bool):
        layer.always(training)
    first: Symbolic = given[0]
    layer.__dict__.setdefault("called_on", [value.sizes for value in given])
    return first.given_by(layer, tuple(given))


def calls_behind(outputs: Sequence[Any], source: Symbolic | Sequence[Symbolic], model: str) -> list[Value]:
    """All that the outputs are computed from, in the order of the calls.

    Errors: ConfigError for what is no such value, and for values of another input.
    """
    sources = {id(one) for one in (source if isinstance(source, list | tuple) else [source])}
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
        elif not isinstance(value, Value) and id(value) not in sources:
            raise ConfigError(f"{model}: its outputs read another Input than the one it is given as inputs")
    return [found[order] for order in sorted(found)]


def _number(given: object) -> float:
    """Errors: ConfigError for what is neither a value of a network nor a number."""
    return number(given, "what a value is calculated with", -LARGEST)
