"""Values as Keras's programs expect them: arrays with `numpy()`, and symbolic ones whose shapes count the batch."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pellucid.errors import ConfigError, ShapeError
from pellucid.layers import Input, Layer
from pellucid.layers.batched import FREE_SIDE, OTHER_SIDE
from pellucid.layers.symbolic import Symbolic, Value, calls_behind
from pellucid.ops import Shape


class Tensor(np.ndarray[Any, np.dtype[Any]]):
    """An array that programs may call `numpy()` on."""

    def numpy(self) -> Any:
        """The same numbers as a plain array; one number as such."""
        return self.view(np.ndarray)[()]


def tensor(x: Any) -> Tensor:
    """The array, or number, as one with `numpy()`; nothing is copied."""
    return np.asarray(x).view(Tensor)


class KerasTensor(Value):
    """What a layer gives that was called on a `KerasInput`. Shapes: shape with the batch axis, which is None."""

    other: Shape
    """Its sizes where axes that are not known are OTHER_SIDE long."""

    @property
    def shape(self) -> Any:
        return None, *(a if a == b else None for a, b in zip(self.sizes, self.other, strict=True))

    @property
    def name(self) -> str:
        """The layer's."""
        return self.layer.name

    @property
    def dtype(self) -> str:
        """Of all numbers."""
        return "float32"

    def given_by(self, layer: Layer, inputs: tuple[Symbolic, ...]) -> Value:
        return keras_value(layer, inputs)


class KerasInput(Input):
    """`pellucid.Input` as Keras has it; axes of which the size is None take any that fits the layers.

    Shapes: shape with the batch axis, which is None.
    Errors: ConfigError for sizes below 1.
    """

    def __init__(self, shape: Sequence[int | None], *, name: str | None = None, trainable: bool = True) -> None:
        self.free = tuple(size is None for size in shape) if isinstance(shape, list | tuple) else ()
        known = [size or FREE_SIDE for size in shape] if any(self.free) else shape
        super().__init__(known, name=name, trainable=trainable)  # type: ignore[arg-type]

    @property
    def shape(self) -> Any:
        return None, *(a if a == b else None for a, b in zip(self.sizes, self.other, strict=True))

    @property
    def other(self) -> Shape:
        """Its sizes where axes that are not known are OTHER_SIDE long."""
        sizes = (OTHER_SIDE if free else size for size, free in zip(self.sizes, self.free, strict=False))
        return tuple(sizes) if any(self.free) else self.sizes

    def given_by(self, layer: Layer, inputs: tuple[Symbolic, ...]) -> Value:
        return keras_value(layer, inputs)


def keras_value(layer: Layer, inputs: tuple[Symbolic, ...]) -> KerasTensor:
    """What a layer gives for these."""
    value = KerasTensor(layer.output_of([value.sizes for value in inputs]), layer, inputs)
    others = [getattr(read, "other", read.sizes) for read in inputs]
    value.other = value.sizes
    if others != [read.sizes for read in inputs]:
        with contextlib.suppress(ShapeError):  # a layer that takes one size alone
            value.other = layer.output_of(others)
    return value


class Learning:
    """What a `call` is given for `training` while it is traced: neither True nor False, for a network is both."""

    def __init__(self) -> None:
        self.asked = False

    def __bool__(self) -> bool:
        self.asked = True
        return True


def traced(function: Callable[..., Any], x: Any) -> Any:
    """What a `call` gives for symbolic values: run once, so that its layers stand in the network as it called them.

    Errors: ConfigError where it does in training what no layer undoes in use.
    """
    try:
        takes = "training" in inspect.signature(function).parameters
    except ValueError:
        takes = False
    if not takes:
        return function(x)
    learning = Learning()
    y = function(x, training=learning)
    if learning.asked and _steady_layers(y) != _steady_layers(function(x, training=False)):
        raise ConfigError(
            f"{function.__qualname__}: `if training:` chooses other layers than in use; call the same ones and hand "
            "training on to them: self.dropout(x, training=training)"
        )
    return y


def _steady_layers(y: Any) -> list[Layer]:
    """The layers behind a value, in order, less those that do nothing in use."""
    answers = list(y) if isinstance(y, list | tuple) else [y]
    source = answers[0]
    while isinstance(source, Value):
        source = source.inputs[0]
    calls = calls_behind(answers, source, "call")
    return [value.layer for value in calls if value.layer.steady or value.layer.params]
