"""Layers around another layer: at each step of a series, or along it in both directions."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Unpack

import numpy as np

from pellucid._arguments import made, within
from pellucid.errors import ConfigError, ShapeError, expect_known, shown
from pellucid.layers.layer import Cache, Key, Layer, Named
from pellucid.layers.recorded import RecordedLayer
from pellucid.layers.recurrent import Recurrent, for_each, states_and_mask
from pellucid.layers.several import called_with_mask, joined, pack, unpack
from pellucid.ops import Array, Shape


def layer_of(given: Any, where: str) -> Layer:
    """A layer, or the one that its config describes. Errors: ConfigError for anything else."""
    if isinstance(given, Mapping):
        from pellucid.layers import LAYERS

        arguments = dict(given)
        kind = expect_known("layer", arguments.pop("type", None), LAYERS)
        return made(LAYERS[kind], arguments, kind)
    if not isinstance(given, Layer):
        raise ConfigError(f"{where}: expected a layer, got {shown(given)}")
    return given


class Wrapper(RecordedLayer):
    """What layers around others share: the weights of those are theirs, under "layer.name"."""

    def _inner(self) -> Sequence[Layer]:
        raise NotImplementedError

    def _inner_layers(self) -> list[Layer]:
        return list(self._inner())

    def _compute(self, inputs: Any) -> Any:
        raise NotImplementedError

    def calculate(self, x: Any, weights: Mapping[str, Any], *, training: bool, key: Key | None) -> Any:
        return None

    def _build_inner(self, shape: Any, rng: np.random.Generator) -> None:
        for inner in self._inner():
            inner.ensure_built(shape, rng)
        self._gather()

    def _prefixed(self, inner: Layer, grads: Mapping[str, Array]) -> dict[str, Array]:
        return {f"d{key}": grads[f"d{name}"] for key, (layer, name) in self._places.items() if layer is inner
                and f"d{name}" in grads and key in self.params}  # fmt: skip

    def __call__(self, x: Any, seed: int | None = None, training: Any = None) -> Any:
        return Layer.__call__(self, x, seed, training)

    def apply_state(self, cache: Cache) -> None:
        """Nothing, where the layers within keep nothing of a batch."""

    @property
    def drop_rate(self) -> float:
        return max(inner.drop_rate for inner in self._inner())


class TimeDistributed(Wrapper):
    """A layer at each step of a series, by itself: y[n,t] = layer(x[n,t]).

    Shapes: x (N,T,...) -> (N,T,...), behind T what the layer makes of (N,...).
    Errors: ConfigError for anything but a layer, and for one that keeps running means.
    """

    caption = ("each step",)
    supports_masking = True

    def __init__(self, layer: Any, **named: Unpack[Named]) -> None:
        super().__init__(**named)
        self.layer = layer_of(layer, "TimeDistributed: layer")

    def _inner(self) -> Sequence[Layer]:
        return [self.layer]

    def config(self) -> dict[str, Any]:
        own = {"type": "TimeDistributed", "layer": self.layer.config(), "name": self.name}
        return {**own, "input_shape": self.input_shape, "trainable": self.trainable}

    def output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) < 2:
            raise ShapeError(f"{self.place()} needs a series (N, T, ...), got (N, {input_shape[0]}){self.source()}")
        return input_shape[0], *self.layer.output_of([tuple(input_shape[1:])])

    def build(self, input_shape: Shape, rng: np.random.Generator) -> None:
        shape = tuple(input_shape[1:])
        self._build_inner([shape] if self.layer.merges else shape, rng)
        self.output_shape(input_shape)
        self.built = True

    def forward(self, x: Array, *, training: bool = False, key: Key | None = None) -> tuple[Array, Cache]:
        rows = x.reshape(-1, *x.shape[2:])
        given: Any = [rows] if self.layer.merges else rows
        y, cache = self.layer.forward(given, training=training, key=key)
        return np.ascontiguousarray(y).reshape(*x.shape[:2], *y.shape[1:]), (x.shape, cache)

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Array | None, dict[str, Array]]:
        shape, kept = cache
        rows = np.ascontiguousarray(dy).reshape(-1, *dy.shape[2:])
        dx, grads = self.layer.backward(rows, kept, need_dx=need_dx)
        dx = dx[0] if self.layer.merges and dx is not None else dx
        return (None if dx is None else dx.reshape(shape)), self._prefixed(self.layer, grads)

    def calculate(self, x: Any, weights: Mapping[str, Any], *, training: bool, key: Key | None) -> Any:
        rows: Any = x.reshape(-1, *x.shape[2:])
        own = {name: weights[place] for place, (_, name) in self._places.items() if place in weights}
        given = [rows] if self.layer.merges else rows
        y = self.layer.calculate(given, {**self.layer.params, **own}, training=training, key=key)
        return None if y is None else y.reshape(*x.shape[:2], *y.shape[1:])

    def apply_state(self, cache: Cache) -> None:
        self.layer.apply_state(cache[1])

    def macs(self, input_shape: Shape) -> int:
        inner = tuple(input_shape[1:])
        return int(input_shape[0]) * self.layer.macs([inner] if self.layer.merges else inner)  # type: ignore[arg-type]

    def detail(self) -> str:
        return f"{type(self.layer).__name__} {self.layer.detail()}".strip()


MODES: Mapping[str, tuple[Callable[[Array, Array], Array], Callable[[Array, Array, Array], tuple[Array, Array]]]] = {
    "concat": (
        lambda a, b: np.concatenate([a, b], axis=-1),
        lambda d, a, b: (d[..., : a.shape[-1]], d[..., a.shape[-1] :]),
    ),
    "sum": (lambda a, b: a + b, lambda d, a, b: (d, d)),
    "mul": (lambda a, b: a * b, lambda d, a, b: (d * b, d * a)),
    "ave": (lambda a, b: (a + b) / 2, lambda d, a, b: (d / 2, d / 2)),
}
"""How two answers become one, and the gradients of both."""


class Bidirectional(Wrapper):
    """A recurrent layer along a series, another one of its kind against it, and their answers as one.

    merge_mode: "concat", "sum", "mul", "ave", or None for both answers. backward_layer: the second one, by default a
    copy of the first with weights of its own.
    Shapes: x (N,T,C) -> (N,2U), or (N,T,2U) where all steps are given; else as Recurrent, states of both.
    Errors: ConfigError for layers that are not recurrent, or do not go opposite ways.
    """

    merges: ClassVar[bool] = True
    reads_mask: ClassVar[bool] = True
    role = "recurrent"
    caption = ("both ways",)

    def __init__(
        self,
        layer: Any,
        merge_mode: str | None = "concat",
        weights: None = None,
        backward_layer: Any = None,
        **named: Unpack[Named],
    ) -> None:
        super().__init__(**named)
        self.merge_mode = None if merge_mode is None else expect_known("merge_mode", merge_mode, MODES)
        given = layer_of(layer, "Bidirectional: layer")
        if not isinstance(given, Recurrent):
            raise ConfigError(f"Bidirectional: layer must be LSTM, GRU or SimpleRNN, got {shown(given)}")
        self.forward_layer = self._named(given, "forward", given.go_backwards)
        where = "Bidirectional: backward_layer"
        back = given if backward_layer is None else within(where, lambda one: layer_of(one, where), backward_layer)
        if not isinstance(back, Recurrent) or (backward_layer is not None and back.go_backwards == given.go_backwards):
            raise ConfigError("Bidirectional: backward_layer must be recurrent, with the other go_backwards")
        if (back.return_sequences, back.return_state) != (given.return_sequences, given.return_state):
            raise ConfigError("Bidirectional: both layers must give the same, return_sequences and return_state")
        self.backward_layer = self._named(back, "backward", not given.go_backwards)

    @staticmethod
    def _named(layer: Recurrent, word: str, backwards: bool) -> Recurrent:
        name = layer.name if layer.name.startswith(f"{word}_") else f"{word}_{layer.name}"
        twin = layer_of({**copy.deepcopy(layer.config()), "name": name, "go_backwards": backwards}, "Bidirectional")
        assert isinstance(twin, Recurrent)
        return twin

    def _inner(self) -> Sequence[Recurrent]:
        return [self.forward_layer, self.backward_layer]

    @property
    def supports_masking(self) -> bool:  # type: ignore[override]
        return self.forward_layer.supports_masking and self.merge_mode is not None

    @property
    def gives_several(self) -> bool:  # type: ignore[override]
        return self.forward_layer.return_state or self.merge_mode is None

    def config(self) -> dict[str, Any]:
        inner = {"layer": self.forward_layer.config(), "backward_layer": self.backward_layer.config()}
        own = {"type": "Bidirectional", **inner, "merge_mode": self.merge_mode, "name": self.name}
        return {**own, "input_shape": self.input_shape, "trainable": self.trainable}

    def _each_way(self, shapes: Sequence[Shape]) -> tuple[list[Shape], list[Shape]]:
        """What each direction reads."""
        states = [shape for shape in shapes[1:] if len(shape) == 1]
        half = len(states) // 2
        return [shapes[0], *states[:half]], [shapes[0], *states[half:]]

    def _results(self, shape: Shape) -> list[Shape]:
        first, second = (inner.result_shape(shape) for inner in self._inner())
        if self.merge_mode is None:
            return [first, second]
        if self.merge_mode != "concat" and first != second:
            raise ShapeError(f"{self.place()}: merge_mode {self.merge_mode!r} needs as many units in both directions")
        wide = first[-1] + second[-1] if self.merge_mode == "concat" else first[-1]
        return [(*first[:-1], wide)]

    def _all(self, shape: Shape) -> list[Shape]:
        return [*self._results(shape), *(state for inner in self._inner() for state in inner.states_shapes())]

    def output_shape(self, input_shape: Any) -> Shape:
        for inner, own in zip(self._inner(), self._each_way([tuple(shape) for shape in input_shape]), strict=True):
            inner.output_shape(own)
        return joined(self._all(tuple(input_shape[0])))

    def parts_of(self, shapes: Sequence[Shape]) -> list[Shape] | None:
        """As of `Recurrent`."""
        parts = self._all(tuple(shapes[0]))
        return parts if len(parts) > 1 else None

    def build(self, input_shape: Any, rng: np.random.Generator) -> None:
        self.output_shape(input_shape)
        self._build_inner([tuple(input_shape[0])], rng)
        self.built = True

    def forward(self, x: Any, *, training: bool = False, key: Key | None = None) -> tuple[Array, Cache]:
        states, mask = states_and_mask(x)
        half = len(states) // 2
        keys = (key, None if key is None else (key[0], key[1], key[2] + 2**18))
        runs = [
            inner.run(x[0], own, mask, training, own_key, zeros=inner.return_sequences)
            for inner, own, own_key in zip(self._inner(), (states[:half], states[half:]), keys, strict=True)
        ]
        answers = [self._in_order(inner, run[0]) for inner, run in zip(self._inner(), runs, strict=True)]
        results = answers if self.merge_mode is None else [MODES[self.merge_mode][0](*answers)]
        parts = [*results, *(state for run in runs if self.forward_layer.return_state for state in run[1])]
        return pack(parts), ([part.shape for part in parts], [each.shape for each in x], answers, [r[2] for r in runs])

    @staticmethod
    def _in_order(inner: Recurrent, y: Array) -> Array:
        """Answers of all steps in the order of the series, or back."""
        return y[:, ::-1] if inner.go_backwards and inner.return_sequences else y

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Any, dict[str, Array]]:
        shapes, given, answers, kept = cache
        parts = unpack(dy, shapes)
        if self.merge_mode is None:
            d_answers, d_states = parts[:2], parts[2:]
        else:
            d_answers, d_states = list(MODES[self.merge_mode][1](parts[0], *answers)), parts[1:]
        half, total, begun = len(d_states) // 2, None, []
        grads: dict[str, Array] = {}
        for inner, d, own, run in zip(self._inner(), d_answers, (d_states[:half], d_states[half:]), kept, strict=True):
            dx, first, found = inner.run_backward(np.ascontiguousarray(self._in_order(inner, d)), own, run)
            total = dx if total is None else total + dx
            begun += first
            grads |= self._prefixed(inner, found)
        assert total is not None
        return (for_each(given, total, begun) if need_dx else None), grads

    def __call__(
        self, x: Any, seed: int | None = None, training: Any = None, mask: Any = None, initial_state: Any = None
    ) -> Any:
        """As of `Recurrent`; states of both directions, the forward ones first."""
        return called_with_mask(
            self, [*(x if isinstance(x, list | tuple) else [x]), *(initial_state or [])], seed, training, mask
        )

    def macs(self, input_shape: Any) -> int:
        return sum(inner.macs(input_shape) for inner in self._inner())

    def detail(self) -> str:
        return f"{type(self.forward_layer).__name__} {self.forward_layer.detail()}".strip()
