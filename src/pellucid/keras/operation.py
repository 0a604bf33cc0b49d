"""A function of NumPy's called on a network's values, as a layer: what Keras's programs calculate between layers."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pellucid.autodiff import Variable
from pellucid.autodiff.rules import RULES
from pellucid.autodiff.tensor import apply
from pellucid.errors import ConfigError
from pellucid.keras.deferred import Deferred
from pellucid.keras.nesting import Call, within
from pellucid.keras.tensor import Calculated
from pellucid.layers.recorded import NoRows, RecordedLayer
from pellucid.layers.symbolic import Symbolic, Value, call, is_symbolic


class Operation(RecordedLayer):
    """What a function gives; `arguments` with the values that it reads in their places. It is not written to files."""

    def __init__(self, function: Any, arguments: Sequence[Any], options: Mapping[str, Any]) -> None:
        super().__init__()
        self._function, self._options = function, dict(options)
        values: list[Symbolic] = []
        self._arguments = [_taken_out(each, values) for each in arguments]
        self.merges = len(values) > 1  # type: ignore[misc]
        self._values: Any = values

    def _compute(self, inputs: Any) -> Any:
        arguments = [_put_in(one, inputs if self.merges else [inputs]) for one in self._arguments]
        if self._function in RULES:
            return apply(self._function, arguments, self._options)
        return self._function(*arguments, **self._options)  # a loss, or another that calculates with Tensors itself

    def __call__(self, x: Any, seed: int | None = None, training: Any = None) -> Any:
        return super().__call__(x, seed, training) if is_symbolic(x) else self._eagerly(x, training)

    def call_on_values(self) -> Value:
        """What it gives for the values that stood in the arguments."""
        values, self._values = self._values, None
        with within(Call()):
            return call(self, values)

    def detail(self) -> str:
        return str(getattr(self._function, "__name__", ""))

    def config(self) -> dict[str, Any]:
        raise ConfigError(
            f"{self.place()} is a function and no layer, which a file does not keep; save_weights keeps the weights"
        )


class _Place(int):
    """Where a value stands, by its number."""


def _taken_out(given: Any, values: list[Symbolic]) -> Any:
    if isinstance(given, Symbolic):
        number = next((i for i, value in enumerate(values) if value is given), len(values))
        if number == len(values):
            values.append(given)
        return _Place(number)
    if type(given) in (list, tuple):
        return type(given)(_taken_out(each, values) for each in given)
    return given


def _put_in(given: Any, values: Sequence[Any]) -> Any:
    if isinstance(given, _Place):
        return values[given]
    return type(given)(_put_in(each, values) for each in given) if type(given) in (list, tuple) else given


def _is_no_layers(given: Any) -> bool:
    if type(given) in (list, tuple):
        return any(map(_is_no_layers, given))
    return isinstance(given, Deferred) or (isinstance(given, Variable) and given.trainable)


def operation(function: Any, arguments: Sequence[Any], options: Mapping[str, Any] | None = None) -> Any:
    """What a function gives for a network's values among its arguments: a layer's value where it has a row for each
    picture and no variable is among them, else a `Deferred`."""
    if not any(map(_is_no_layers, arguments)):
        with contextlib.suppress(NoRows):
            return Operation(function, arguments, options or {}).call_on_values()
    return Deferred(function, arguments, options)


def of_values(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function of arrays, which takes a network's values, too."""

    @functools.wraps(function)
    def called(*args: Any, **options: Any) -> Any:
        later = any(map(_is_value, (*args, *options.values())))
        return operation(function, args, options) if later else function(*args, **options)

    return called


def _is_value(given: Any) -> bool:
    return any(map(_is_value, given)) if type(given) in (list, tuple) else isinstance(given, Calculated)
