"""Layers that are a calculation: their backward is what a tape remembers of their forward."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from pellucid.autodiff import Node, Tensor, gradients, recording, tensor
from pellucid.errors import ShapeError
from pellucid.layers.constraint import Constraint
from pellucid.layers.eager import drawn_at_random, within_pass
from pellucid.layers.layer import Cache, Key, Layer
from pellucid.layers.penalty import Penalty
from pellucid.layers.stack import Stack
from pellucid.layers.variable import parameters_of
from pellucid.layers.weights import Weights
from pellucid.ops import Array, Shape


class NoRows(ShapeError):
    """What is calculated gives no row for each picture."""


class RecordedLayer(Layer):
    """A layer whose `_compute` says what it gives of recorded arrays; layers within it, and their weights, are its own.

    Its parameters are its own and, under "layer.name", those of layers within that are trained; the arrays are theirs.
    """

    assignable = Layer.assignable | {"merges", "added_losses"}

    def __init__(self, **named: Any) -> None:
        super().__init__(**named)
        self._places: dict[str, tuple[Layer, str]] = {}
        self._shapes: dict[Any, Shape] = {}

    def _compute(self, inputs: Any) -> Any:
        """What it gives of a Tensor, or of a list of such where it merges."""
        raise NotImplementedError(f"{type(self).__name__} has no _compute")

    def calculate(self, x: Any, weights: Mapping[str, Any], *, training: bool, key: Key | None) -> Any:
        with within_pass(training, _drawn(key), []):
            return self._compute(x)

    def _inner_layers(self) -> list[Layer]:
        """The layers within."""
        return nested_layers(self)

    def _gather(self) -> None:
        """Take what layers within hold as its own, once they are built."""
        params, state, places = dict(self._own(self.params)), dict(self._own(self.state)), {}
        for inner in self._inner_layers():
            for arrays, trained in ((inner.params, inner.trainable), (inner.state, False)):
                for name in arrays:
                    key, number = f"{inner.name}.{name}", 1
                    while key in places:
                        number += 1
                        key = f"{inner.name}_{number}.{name}"
                    places[key] = inner, name
                    (params if trained else state)[key] = inner.writable(name)
        self._places = places
        self.built = False
        self.params, self.state = params, state
        self.built = True

    def _kept(self, attribute: str, arrays: Mapping[str, Array]) -> Weights:
        """As of every layer; other arrays than before are those of the layers within, too."""
        kept = super()._kept(attribute, arrays)
        for key, (layer, name) in self.__dict__.get("_places", {}).items():
            if key in kept and not layer._writable:
                (layer.params if name in layer.params else layer.state).add(name, kept[key])
        return kept

    def _own(self, arrays: Mapping[str, Array]) -> Iterator[tuple[str, Array]]:
        return ((name, self.writable(name)) for name in arrays if name not in self._places)

    @property
    def weight_places(self) -> Mapping[str, tuple[Layer, str]]:
        """Which layer within holds an array, and how it calls it."""
        return self._places

    def bind(self, params: Mapping[str, Array]) -> None:
        super().bind(params)
        within: dict[Layer, dict[str, Array]] = {}
        for key, array in params.items():
            if key in self._places:
                layer, name = self._places[key]
                within.setdefault(layer, {})[name] = array
        for layer, arrays in within.items():
            layer.bind(arrays)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if self._places:  # the arrays are those of the layers within again
            self._gather()

    def output_shape(self, input_shape: Any) -> Shape:
        shapes = list(input_shape) if self.merges else [input_shape]
        key = tuple(map(tuple, shapes))
        if key not in self._shapes:
            rows = next(n for n in itertools.count(2) if all(n not in shape for shape in key))  # no other axis's size
            zeros = [tensor(np.zeros((rows, *shape), np.float32)) for shape in shapes]
            try:
                with recording(False), within_pass(False, _first), np.errstate(all="ignore"):  # of zeros
                    made = np.shape(self._compute(_formed(self, zeros)))
            except IndexError as error:  # a picture by its number
                raise NoRows(f"{self.place()} cannot be computed for {rows} pictures: {error}") from None
            if made[:1] != (rows,):
                raise NoRows(
                    f"{self.place()} gives no row for each picture: of {rows} it made {made}; leave the axis of "
                    "the batch alone"
                )
            self._shapes[key] = made[1:]
        return self._shapes[key]

    def forward(self, x: Any, *, training: bool = False, key: Key | None = None) -> tuple[Array, Cache]:
        each = [array.view(Tensor) for array in (x if self.merges else [x])]
        for one in each:
            one.node = Node()
        pending: list[tuple[Layer, Any]] = []
        with recording(), within_pass(training, _drawn(key), pending):
            y = tensor(self._compute(_formed(self, each)))
        return np.ascontiguousarray(y, np.float32), (y.node, each, pending)

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Any, dict[str, Array]]:
        node, each, _ = cache
        weights = parameters_of(self)
        wanted = [*(one.node for one in each if need_dx), *(weight.node for weight in weights.values())]
        found = {} if node is None else gradients([(node, dy)], wanted)

        def of(node: Any, like: Any) -> Array:
            return found[node] if node in found else np.zeros(like.shape, dy.dtype)

        dx = _formed(self, [of(one.node, one) for one in each]) if need_dx else None
        return dx, {f"d{name}": of(weight.node, weight) for name, weight in weights.items()}

    def apply_state(self, cache: Cache) -> None:
        for layer, learned in cache[2]:
            layer.apply_state(learned)

    def penalties(self) -> dict[str, Penalty]:
        return self._of_parts("penalties")

    def constraints(self) -> dict[str, Constraint]:
        return self._of_parts("constraints")

    def _of_parts(self, what: str) -> dict[str, Any]:
        places = ((key, *self._places[key]) for key in self.params if key in self._places)
        return {key: found for key, layer, name in places if (found := getattr(layer, what)().get(name)) is not None}

    def _eagerly(self, x: Any, training: Any) -> Any:
        """What it gives of arrays, each step of it recorded where a tape runs."""
        with within_pass(training, drawn_at_random):
            return self._compute(_formed(self, [tensor(one) for one in (x if self.merges else [x])]))

    def __call__(self, x: Any, seed: int | None = None, training: Any = None) -> Any:
        given = x if self.merges else [x]
        arrays = all(isinstance(one, np.ndarray) for one in given)
        return self._eagerly(x, training) if arrays and self.built else super().__call__(x, seed, training)


class Function(RecordedLayer):
    """What a function gives of recorded arrays."""

    def __init__(self, function: Callable[[Any], Any], **named: Any) -> None:
        super().__init__(**named)
        self.function = function

    def _compute(self, inputs: Any) -> Any:
        return self.function(inputs)


def nested_layers(thing: Any) -> list[Layer]:
    """The layers that an object has as attributes, in lists, dictionaries and models, too; each once."""
    found: dict[int, Layer] = {}

    def look(value: Any) -> None:
        if isinstance(value, Layer):
            found.setdefault(id(value), value)
        elif isinstance(value, Stack):
            for one in nested_layers(value):
                look(one)
        elif isinstance(value, list | tuple):
            for one in value:
                look(one)
        elif isinstance(value, dict):
            for one in value.values():
                look(one)

    for name, value in list(vars(thing).items()):
        if name not in ("_places", "_symbols"):
            look(value)
    return list(found.values())


def _formed(layer: Layer, each: list[Any]) -> Any:
    return each if layer.merges else each[0]


def _first() -> int:
    return 0


def _drawn(key: Key | None) -> Callable[[], int]:
    """Seeds of a pass, so that it can be replayed."""
    rng = np.random.default_rng(key or 0)
    return lambda: int(rng.integers(2**31))
