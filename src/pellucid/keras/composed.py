"""Layers of one's own as Keras's programs write them: a `call`, of other layers, of arithmetic, of weights."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Unpack

import numpy as np

from pellucid import initializers
from pellucid._arguments import flag, several
from pellucid._locks import building
from pellucid.errors import ConfigError
from pellucid.keras.nesting import Call, name_as_keras, within
from pellucid.keras.seeds import next_seed
from pellucid.keras.tensor import Calculated, tensor, traced
from pellucid.keras.watching import with_losses
from pellucid.layers import Layer as OurLayer
from pellucid.layers.constraint import Constraint, standardize_constraint
from pellucid.layers.eager import current, drawn_at_random, within_pass
from pellucid.layers.layer import Named
from pellucid.layers.penalty import Penalty, standardize_penalty
from pellucid.layers.recorded import RecordedLayer, nested_layers
from pellucid.layers.stack import shared_out
from pellucid.layers.symbolic import call, is_symbolic
from pellucid.layers.variable import LayerWeight, penalties_of
from pellucid.ops import Shape


def called(function: Callable[..., Any], x: Any, training: Any, *more: Any, **named: Any) -> Any:
    """What a `call` of one's own gives, which is told whether it learns where it asks."""
    try:
        takes = "training" in inspect.signature(function).parameters
    except ValueError:
        takes = False
    around = current()
    learns = training if training is not None else around is not None and around.training
    return function(x, *more, **named, **({"training": bool(learns)} if takes else {}))


_ARGUMENTS = (
    "shape",
    "initializer",
    "dtype",
    "trainable",
    "autocast",
    "regularizer",
    "constraint",
    "aggregation",
    "name",
)
_BEFORE_3 = ("name", "shape", "dtype", "initializer", "regularizer", "trainable", "constraint")


class Layer(RecordedLayer):
    """A layer of one's own: `build(self, input_shape)` makes its weights, `call(self, x)` says what it gives.

    Where `call` is other layers and arithmetic of a network's values, these stand in the network in its place; with
    weights of its own, or anything else, it is a layer, whose backward is what a tape remembers of its `call`.
    """

    hands_on = True
    _dissolved = False
    """Whether other layers stand in a network in its place."""
    _spread = False
    """Whether it is called on several values of a network, `layer(a, b)`, each an argument of its `call`."""

    def __init__(
        self, *, name: str | None = None, input_shape: Sequence[int] | None = None, trainable: bool = True
    ) -> None:
        super().__init__(name=name, input_shape=input_shape, trainable=trainable)
        self._penalties: dict[str, Penalty] = {}
        self._constraints: dict[str, Constraint] = {}
        self._begun = self._gathered = False
        self.added_losses: list[Any] = []
        self.called_losses: list[Callable[[], Any]] = []

    def build(self, input_shape: Any = None) -> None:
        """For a `build` of one's own. Shapes: with the batch axis, which is None."""

    def call(self, inputs: Any) -> Any:
        """What it gives."""
        raise NotImplementedError(f"{type(self).__name__} has no call(self, inputs)")

    def _compute(self, inputs: Any) -> Any:
        self.added_losses = []
        return called(self._own_call(), inputs, None)

    def _own_call(self) -> Callable[..., Any]:
        """Its `call`, as a function of one list where it was called on several values."""
        own: Callable[..., Any] = self.call
        if not self._spread:
            return own
        if "training" in inspect.signature(own).parameters:
            return lambda given, training: own(*given, training=training)
        return lambda given: own(*given)

    def add_weight(self, *args: Any, **named: Any) -> LayerWeight:
        """A weight of its own, by shape, initializer, dtype, trainable, regularizer, constraint and name, as in Keras.

        trainable=False for one that only `assign` changes. initializer: as of every layer, by default glorot_uniform.
        Older programs give the name first, then shape, dtype, initializer.
        Errors: ConfigError for an unknown initializer, and for a shape that is none.
        """
        order = _BEFORE_3 if args and isinstance(args[0], str) else _ARGUMENTS
        given: dict[str, Any] = {**dict(zip(order, args, strict=False)), **named}
        shape, trainable = given.get("shape", ()), flag(given.get("trainable", True), "add_weight: trainable")
        shape = (shape,) if isinstance(shape, int | np.integer) else () if shape is None else shape
        sizes = tuple(int(size) for size in several(shape, f"{type(self).__name__}: add_weight: shape"))
        taken = {*self.params, *self.state}
        word = str(given.get("name") or ("weight" if trainable else "state"))
        key = next(each for each in (word, *(f"{word}_{i}" for i in range(1, len(taken) + 2))) if each not in taken)
        around = current()
        rng = np.random.default_rng(next_seed() if around is None else around.draw())
        drawn = initializers.get(given.get("initializer") or "glorot_uniform")(sizes, rng)
        arrays = self.params if trainable else self.state
        arrays.add(key, np.asarray(drawn, np.float32, order="C"))
        if (penalty := standardize_penalty(given.get("regularizer"))) is not None:
            self._penalties[key] = penalty
        if (bound := standardize_constraint(given.get("constraint"))) is not None:
            self._constraints[key] = bound
        return LayerWeight(self, key)

    def add_loss(self, loss: Any, inputs: Any = None) -> None:
        """What its `call` adds to the loss of the batch, the mean of several; `fit` takes its steps by a tape then.

        A function without arguments is called in each step. inputs: as older programs say what the loss is calculated
        from; it changes nothing.
        """
        if callable(loss):
            self.called_losses.append(loss)
            return
        self.added_losses.append(loss if isinstance(loss, Calculated) or np.ndim(loss) == 0 else np.mean(loss))

    @property
    def adds_to_loss(self) -> bool:
        """Whether its `call`, or its `build`, did so."""
        return bool(self.added_losses or self.called_losses)

    @property
    def losses(self) -> list[Any]:
        """What its `call` last added to the loss, and the penalties of its weights."""
        return [*self.added_losses, *(loss() for loss in self.called_losses), *penalties_of(self)]

    def add_metric(self, *_: Any, **__: Any) -> None:
        """Errors: ConfigError, always."""
        raise ConfigError(
            f"{type(self).__name__}: add_metric is not here; make a keras.metrics.Mean, and call its update_state"
        )

    def penalties(self) -> dict[str, Penalty]:
        return {**super().penalties(), **self._penalties}

    def constraints(self) -> dict[str, Constraint]:
        return {**super().constraints(), **self._constraints}

    def _begin(self, shape: Any) -> None:
        """Let its `build` run, once. Shapes: without the batch axis; a list of such."""
        if not self._begun:
            self._begun = True
            several = isinstance(shape, list)
            self.build([(None, *each) for each in shape] if several else (None, *shape))

    def ensure_built(self, input_shape: Any, rng: np.random.Generator) -> None:
        if self._gathered:
            return
        with building, within_pass(False, lambda: int(rng.integers(2**31))):
            self._begin(input_shape)
            self.output_shape(input_shape)  # a pass, in which the layers within are built
            self._gathered = True
            self._gather()

    def __call__(self, x: Any, *args: Any, training: Any = None, **kwargs: Any) -> Any:
        if args and is_symbolic(x) and not isinstance(x, list | tuple) and all(map(is_symbolic, args)):
            self._spread, x, args = True, [x, *args], ()
        each = list(x) if isinstance(x, list | tuple) else [x]
        if is_symbolic(x):
            self.merges = len(each) > 1  # type: ignore[misc]
            sizes = [value.sizes for value in each]
            self._begin(sizes if self.merges else sizes[0])
            if not self.params and not self.state:
                self.added_losses = []
                try:
                    own: Any = self._own_call()
                    with within(Call(self)):
                        answer = traced(lambda one, **more: own(one, *args, **kwargs, **more), x, own)
                    self._dissolve(x, answer)
                    if not (added := [loss for loss in self.added_losses if isinstance(loss, Calculated)]):
                        return answer
                    self.added_losses = []
                    return with_losses(answer, added)
                except Exception:  # whatever it does with values that have no numbers yet, it does with arrays
                    if args or kwargs:
                        raise
            self.ensure_built(sizes if self.merges else sizes[0], np.random.default_rng(next_seed()))
            return call(self, x, training)
        arrays = [tensor(one) for one in each]
        arrays = [one if one.dtype.kind != "f" or one.dtype == np.float32 else one.astype(np.float32) for one in arrays]
        given = arrays if isinstance(x, list | tuple) else arrays[0]
        with within_pass(training, drawn_at_random):
            self._begin([one.shape[1:] for one in arrays] if isinstance(given, list) else given.shape[1:])
            self.added_losses = []
            own = self._own_call() if isinstance(given, list) else self.call
            return called(own, given, training, *args, **kwargs)

    @property
    def parts(self) -> Sequence[OurLayer]:  # type: ignore[override]
        return nested_layers(self) if self._dissolved else ()

    def _freeze(self, trained: bool) -> None:
        OurLayer.trainable.fset(self, trained)  # type: ignore[attr-defined]
        for part in self.parts:
            part.trainable = trained

    trainable = property(lambda self: self.store.trainable, _freeze)

    def set_weights(self, weights: Sequence[Any]) -> None:
        if not self.parts:
            super().set_weights(weights)
            return
        for part, given in zip(self.parts, shared_out(weights, self.parts, self.name), strict=True):
            part.set_weights(given)

    def _dissolve(self, x: Any, answer: Any) -> None:
        """Have read and given these, although other layers stand in the network in its place."""
        name_as_keras(self)
        self._dissolved = True
        self.__dict__.setdefault("input", x)
        self.__dict__.setdefault("output", answer)

    def output_shape(self, input_shape: Any) -> Shape:
        self._begin(list(input_shape) if self.merges else tuple(input_shape))
        return super().output_shape(input_shape)

    def config(self) -> dict[str, Any]:
        own = type(self).get_config is not Layer.get_config
        return {"type": type(self).__name__, **self.get_config()} if own else super().config()

    def get_config(self) -> dict[str, Any]:
        """What a `get_config` of one's own adds to."""
        return {"name": self.name, "trainable": self.trainable}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Layer:
        """The layer that `get_config` described."""
        return cls(**config)


class Lambda(Layer):
    """What a function makes of a value and of `arguments` by name; called once where it does so by layers."""

    def __init__(
        self,
        function: Callable[..., Any],
        output_shape: Any = None,
        mask: None = None,
        arguments: Mapping[str, Any] | None = None,
        **named: Unpack[Named],
    ) -> None:
        super().__init__(**named)
        self.function, self.arguments = function, dict(arguments or {})

    def call(self, inputs: Any) -> Any:
        return self.function(inputs, **self.arguments)


class CallOf(RecordedLayer):
    """A model's own `call` that is no network of layers, as the one layer of its network."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self._model = model

    def _compute(self, inputs: Any) -> Any:
        return called(self._model.call, inputs, None)

    def _inner_layers(self) -> list[OurLayer]:
        return [layer for layer in nested_layers(self._model) if layer is not self]

    def ensure_built(self, input_shape: Any, rng: np.random.Generator) -> None:
        with building, within_pass(False, lambda: int(rng.integers(2**31))):
            self.output_shape(input_shape)
            self._gather()
