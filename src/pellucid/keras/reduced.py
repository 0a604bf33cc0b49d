"""What is calculated of a network's values over a whole batch, such as a mean: a loss that `add_loss` takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from pellucid.autodiff import rules
from pellucid.autodiff.tensor import apply
from pellucid.errors import ConfigError, ShapeError
from pellucid.keras.tensor import Calculated, Dimensions
from pellucid.layers import Layer
from pellucid.layers.recorded import RecordedLayer
from pellucid.layers.symbolic import Symbolic, Value, call


class Reduced(Calculated, Symbolic):
    """What a function gives of values, and of others like this; no layer reads it, for it has no row for each picture.

    Errors: ShapeError where a layer is called on it.
    """

    sizes = ()
    other = ()

    def __init__(self, function: Callable[..., Any], arguments: Sequence[Any], options: Mapping[str, Any]) -> None:
        self._function, self._arguments, self._options = function, list(arguments), dict(options)

    @property
    def shape(self) -> Any:
        """As many axes as it has, of lengths that nobody knows yet."""
        found: dict[int, Any] = {}
        for value in self.values():
            found[id(value)] = np.zeros((2, *value.sizes), np.float32)
        with np.errstate(all="ignore"):  # of zeros
            return Dimensions((None,) * np.ndim(self.of(found)))

    def values(self) -> list[Symbolic]:
        """The network's values that it is calculated from, each once."""
        found: dict[int, Symbolic] = {}
        for each in _leaves([self._arguments, list(self._options.values())]):
            for value in each.values() if isinstance(each, Reduced) else [each]:
                found.setdefault(id(value), value)
        return list(found.values())

    def of(self, arrays: Mapping[int, Any]) -> Any:
        """What it comes to, of what the network's values are, each by its id."""

        def filled(given: Any) -> Any:
            if isinstance(given, Reduced):
                return given.of(arrays)
            if isinstance(given, Symbolic):
                return arrays[id(given)]
            return type(given)(map(filled, given)) if type(given) in (list, tuple) else given

        given, options = filled(self._arguments), {name: filled(value) for name, value in self._options.items()}
        return (
            apply(self._function, given, options)
            if self._function in rules.RULES
            else self._function(*given, **options)
        )

    def given_by(self, layer: Layer, inputs: tuple[Symbolic, ...]) -> Value:
        raise ShapeError(
            f"{layer.place()} was called on what has no row for each picture, such as a mean over the batch; leave the "
            "axis of the batch alone, or give it to add_loss"
        )


def _leaves(given: Any) -> list[Any]:
    if type(given) in (list, tuple):
        return [leaf for each in given for leaf in _leaves(each)]
    return [given] if isinstance(given, Symbolic) else []


def reduces(*given: Any) -> bool:
    """Whether something among these is calculated over a whole batch."""
    return any(isinstance(leaf, Reduced) for leaf in _leaves(list(given)))


class AddedLoss(RecordedLayer):
    """Gives the first of its values as it is, and adds to the loss what is calculated of the others."""

    def __init__(self, losses: Sequence[Any], values: Sequence[Symbolic]) -> None:
        super().__init__()
        self._losses, self._ids = [_as_reduced(loss) for loss in losses], [id(value) for value in values]
        self.merges = True  # type: ignore[misc]
        self.added_losses: list[Any] = []

    def _compute(self, inputs: Any) -> Any:
        arrays = dict(zip(self._ids, inputs[1:], strict=True))
        self.added_losses = [np.mean(loss.of(arrays)) for loss in self._losses]
        return inputs[0]

    def config(self) -> dict[str, Any]:
        raise ConfigError(
            f"{self.place()} is a loss of add_loss, which a file does not keep; save_weights keeps the weights"
        )


def _as_reduced(loss: Any) -> Reduced:
    return loss if isinstance(loss, Reduced) else Reduced(np.mean, [loss], {})


def with_losses(answer: Any, losses: Sequence[Any]) -> Any:
    """A network's value as it is, with these losses behind it."""
    each = [_as_reduced(loss) for loss in losses]
    values = list({id(value): value for loss in each for value in loss.values()}.values())
    return call(AddedLoss(each, values), [answer, *values])
