"""What every layer is: parameters, a forward pass, and a backward pass that is a pure function of an explicit cache."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, ClassVar, TypedDict

import numpy as np

from pellucid import initializers
from pellucid._arguments import flag, within, word
from pellucid._display import Shown
from pellucid._fixed import Fixed
from pellucid._locks import building
from pellucid._modules import missing
from pellucid.errors import ConfigError, ShapeError, shown
from pellucid.layers import eager
from pellucid.layers.batched import Batched, either_way, stated_shape
from pellucid.layers.config import snake_case
from pellucid.layers.constraint import Constraint
from pellucid.layers.numbering import next_number
from pellucid.layers.older import OLDER, TOGETHER, modern
from pellucid.layers.penalty import Penalty
from pellucid.layers.store import Stored
from pellucid.layers.symbolic import call, is_symbolic
from pellucid.layers.taken import TAKEN
from pellucid.layers.traits import Traits
from pellucid.layers.variable import WeightArray, arrays_of, weight_called
from pellucid.layers.weights import Weights
from pellucid.ops import Array, Shape, float32_array, real_array
from pellucid.ops.geometry import expect_weights, whole

Cache = Any
"""Whatever a layer's backward needs of its forward; nobody else looks inside."""

Key = tuple[int, int, int]
"""(seed, step, layer index): where a pass draws its random numbers from."""


_OLDER = {*OLDER, *chain(*TOGETHER)}


class Named(TypedDict, total=False):
    """What every constructor takes by name."""

    name: str | None
    input_shape: Sequence[int] | None
    trainable: bool


class Layer(Stored, Traits, Batched, Fixed, Shown):
    """One step of a network. A layer of your own needs `build`, `output_shape`, `forward`, `backward`, and no more;
    what it is for those who draw, judge or convert a network is in `Traits`.

    Parameters live in `params`, numbers that are not trained (running means) in `state`; of a pass nothing is kept, so
    one layer serves many threads. Shapes given to `build` and `output_shape` are without the batch axis.
    `version` counts changes of the weights, for whoever keeps a packed copy.
    A model sets `position` and `fed_by` (the names of the layers it reads), which make errors say where they happened,
    and `owner`, which keeps a second model from taking the layer.

    Errors: ConfigError for arguments, at construction; ShapeError for inputs that do not fit.
    """

    assignable = frozenset(
        {"trainable", "built", "version", "times_written", "position", "fed_by", "owner", "auto_named"}
    )
    checks: ClassVar[Mapping[str, Callable[[Any, Any], Any]]] = {
        "trainable": lambda layer, value: flag(value, f"{layer.name}: trainable")
    }
    taken = TAKEN
    instead: ClassVar[dict[str, str]] = {
        "weights": "is read; write with set_weights([...])",
        "kernel": 'is params["kernel"]',
        "bias": 'is params["bias"]',
    }

    position: int | None
    fed_by: tuple[str, ...]
    _base_name: str | None = None
    parts: Sequence[Layer] = ()
    """The layers that stand in a network in its place, and hold its weights, where that is so."""
    behind: Layer | None = None
    """What was given as its activation and is no name: in a network a layer of its own behind this one."""

    def __init__(
        self, *, name: str | None = None, input_shape: Sequence[int] | None = None, trainable: bool = True
    ) -> None:
        kind = type(self).__name__
        self.auto_named = name is None
        self._name = snake_case(kind) if name is None else word(name, f"{kind}: name")
        self._number = next_number(kind) if name is None else None
        self.input_shape, self.stated_shape = stated_shape(input_shape, f"{kind}: input_shape")
        self.trainable = flag(trainable, f"{kind}: trainable")
        self._writable = {}
        self.built = False
        self.owner = None
        self.params = {}
        self.state = {}
        self.version = self.times_written = 0
        self.position = None
        self.fed_by = ()

    @classmethod
    def _by_todays_names(cls, args: tuple[Any, ...], given: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        if given.keys().isdisjoint(_OLDER):
            return args, given
        return args, within(cls.__name__, partial(modern, {*inspect.signature(cls).parameters, "input_shape"}), given)

    @property
    def exact_convolution(self) -> bool:
        """Whether the model it belongs to wants convolutions computed directly."""
        return bool(getattr(None if self.owner is None else self.owner(), "exact_convolution", False))

    @property
    def name(self) -> str:
        """Its name, which no other layer of its model has."""
        return self._name

    @name.setter
    def name(self, name: str) -> None:
        name = word(name, f"{type(self).__name__}: name")
        owner = None if self.owner is None else self.owner()
        if owner is not None and any(other is not self and other.name == name for other in owner.flat_layers):
            raise ConfigError(f"{owner.name} has a layer {name!r} already; give this one another name")
        self._name, self.auto_named = name, False

    @property
    def params(self) -> Weights:
        """The parameters, by name. What is assigned is written into them, see `Weights`."""
        return self._params

    @params.setter
    def params(self, arrays: Mapping[str, Array]) -> None:
        self._params = self._kept("_params", arrays)

    @property
    def state(self) -> Weights:
        """Numbers that are not trained, by name, likewise."""
        return self._state

    @state.setter
    def state(self, arrays: Mapping[str, Array]) -> None:
        self._state = self._kept("_state", arrays)

    def _kept(self, attribute: str, arrays: Mapping[str, Array]) -> Weights:
        """The arrays where a layer stands alone; in a model what is given is written into those there are."""
        if not isinstance(arrays, Mapping):
            raise ConfigError(f"{self.name!r}: its arrays must be a dictionary, got {shown(arrays)}")
        if not self.built or (self.owner is None and not self._writable):
            return Weights(self, arrays)
        own: Weights = getattr(self, attribute)
        if set(arrays) != set(own):
            raise ConfigError(f"{self.place()} has the arrays {', '.join(own) or 'none'}, got {', '.join(arrays)}")
        own.update(arrays)
        return own

    # What a layer of one's own overrides

    @either_way
    def build(self, input_shape: Shape, rng: np.random.Generator) -> None:
        """Make `params` and `state` for this input. Shapes: without the batch axis.

        build(input_shape) alone is Keras's: with the batch axis, which may be None.
        """
        self.output_shape(input_shape)
        self.built = True

    merges: ClassVar[bool] = False
    """Whether it reads several values: then shapes, x and dx are lists of one each."""

    def output_of(self, shapes: Sequence[Shape]) -> Shape:
        """The shape it gives where the values it reads have these shapes. Errors: as `output_shape`."""
        return self.output_shape(list(shapes) if self.merges else shapes[0])  # type: ignore[arg-type]

    def output_shape(self, input_shape: Shape) -> Shape:
        """The shape that comes out. Shapes: without the batch axis. Errors: ShapeError where the input does not fit."""
        return tuple(input_shape)

    def forward(self, x: Array, *, training: bool = False, key: Key | None = None) -> tuple[Array, Cache]:
        """The output, and what `backward` needs. Never writes to x."""
        raise NotImplementedError(f"{type(self).__name__} has no forward")

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Array | None, dict[str, Array]]:
        """The gradient of x (None unless asked for) and, under "d" + name, of each parameter."""
        raise NotImplementedError(f"{type(self).__name__} has no backward")

    def backward_input(self, dy: Array, cache: Cache) -> Array | None:
        """The gradient of x alone, for who looks and does not train; quicker where the parameters' takes long."""
        return self.backward(dy, cache, need_dx=True)[0]

    def __init_subclass__(cls) -> None:
        # a backward written anew is asked for both, or the gradient of x would still be the one of the class above
        if "backward" in cls.__dict__ and "backward_input" not in cls.__dict__:
            cls.backward_input = Layer.backward_input  # type: ignore[method-assign]
        if "build" in cls.__dict__:
            cls.build = either_way(cls.__dict__["build"])  # type: ignore[method-assign]

    def always(self, training: bool) -> None:
        """Work so for ever in a network, whether that learns or is used.

        Errors: ConfigError for a layer that would have to draw in use.
        """
        if training and not self.steady:
            raise ConfigError(
                f"{self.place()} is called with training=True, so in use too; a network here draws while it learns "
                "alone: leave training out"
            )

    def apply_state(self, cache: Cache) -> None:
        """Take a training pass into `state`; called once a step by the trainer."""

    def detail(self) -> str:
        """The arguments that matter, for tables and errors: "5x5, valid"."""
        return ""

    def penalties(self) -> dict[str, Penalty]:
        """The weight penalty of each parameter that has one."""
        return {}

    def constraints(self) -> dict[str, Constraint]:
        """What each parameter that is bounded is brought back to after a step."""
        return {}

    def macs(self, input_shape: Shape) -> int:
        """Multiply-accumulates for one picture; layers without a kernel count none."""
        return 0

    # What all layers share

    def __call__(self, x: Any, seed: int | None = None, training: Any = None) -> Any:
        """Run a batch of any real numbers through, as in use unless training=True, when what a layer draws is drawn
        from seed, by default 0; builds the layer first if need be. While a tape runs, what it does is recorded.

        On an `Input`, or on what a layer gave for one, it gives such a value again: so graphs are made, see
        `pellucid.Model`. A layer that merges is called on a list.
        Shapes: x (N, ...) -> float32 (N, ...).
        Errors: DataError for anything but real numbers; ShapeError where the batch does not fit.
        """
        if is_symbolic(x):
            value = call(self, x, training)
            return value if self.behind is None else call(self.behind, value, training)
        y = self.alone(x, seed, training)
        return y if self.behind is None else self.behind(y, seed, training)

    def alone(self, x: Any, seed: int | None = None, training: Any = None) -> Any:
        """The same of arrays, without what stands behind it."""
        if self.takes_one and np.ndim(x) == 3:
            return self(np.asarray(x)[None], seed, training)[0]
        batches = [self._batch(each) for each in (x if self.merges else [x])]
        shapes = [batch.shape[1:] for batch in batches]
        if seed is not None:
            seed = whole(seed, f"{self.place()}: seed", 2**32 - 1, least=0)
        self.ensure_built(shapes if self.merges else shapes[0], eager.generator(self, seed))
        return eager.run(self, x, batches if self.merges else batches[0], seed, training)

    def _batch(self, x: Any) -> Array:
        batch = float32_array(x, f"{self.place()}: its input")
        if batch.ndim < 2:
            raise ShapeError(f"{self.place()} needs a batch (N, ...), got shape {batch.shape}; add a first axis")
        return np.ascontiguousarray(batch)

    def ensure_built(self, input_shape: Any, rng: np.random.Generator) -> None:
        """Build unless that was done. Shapes: as `build`."""
        if self.built:
            return
        with building:
            if not self.built:
                self.build(input_shape if self.merges else tuple(int(size) for size in input_shape), rng)
                self.built = True

    def draw(self, argument: str, shape: Shape, rng: np.random.Generator) -> Array:
        """A new array of weights, by the initializer that is this argument, e.g. "kernel_initializer".

        Errors: ConfigError where it would be too large, or the initializer gives another shape; DataError for what is
        no array of real numbers.
        """
        expect_weights(shape, self.place())

        def draw(initializer: initializers.Initializer) -> Array:
            drawn = float32_array(initializer(shape, rng), "what it returns")
            if drawn.shape != tuple(shape):
                raise ConfigError(f"what it returns must have shape {tuple(shape)}, got {drawn.shape}")
            return np.ascontiguousarray(drawn)

        return within(f"{self.place()}: {argument}", draw, getattr(self, argument))

    @property
    def weights(self) -> list[WeightArray]:
        """Parameters, then state, as live read-only arrays, with `name` and `numpy()`; empty before it is built."""
        return arrays_of(self)

    def get_weights(self) -> list[Array]:
        """Copies of `weights`."""
        return [np.array(array) for array in self.arrays()]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Write new values into the weights, in the order of `weights`; float64 and nested lists are converted.

        Errors: ShapeError for a wrong number of arrays or a wrong shape, DataError for no numbers, before anything is
        written.
        """
        with building:
            for name, value in self.check_weights(weights).items():
                self.write(name, value)
            self.version += 1

    def write(self, name: str, value: Any) -> None:
        """Write a new value into the array of this name. Errors: as `set_weights`."""
        with building:
            self.writable(name)[...] = self._converted(name, value)
            self.changed(name)

    def writable(self, name: str) -> Array:
        """The array of this name itself; whoever writes into it calls `changed`."""
        return self.state[name] if name in self.state else self._writable.get(name, self.params[name])

    def changed(self, name: str) -> None:
        """Say that the array of this name has changed."""
        self.version += 1
        self.times_written += name in self.params

    def check_weights(self, weights: Sequence[Any]) -> dict[str, Array]:
        """What `set_weights` would write, by name. Errors: as there."""
        self.arrays()
        names = [*self.params, *self.state]
        if not self.built:
            raise ShapeError(f"{self.place()} has no weights yet; call it on a batch, or build it, first")
        if len(weights) != len(names):
            got = f"one array {weights.shape}" if isinstance(weights, np.ndarray) else str(len(weights))
            raise ShapeError(f"{self.place()} needs a list of arrays, [{', '.join(names)}], got {got}")
        return {name: self._converted(name, given) for name, given in zip(names, weights, strict=True)}

    def _converted(self, name: str, given: Any) -> Array:
        target = self.params[name] if name in self.params else self.state[name]
        convert = float32_array if target.dtype == np.float32 else real_array
        value = convert(given, f"{self.place()}: {name}").astype(target.dtype, copy=False)
        if value.shape != target.shape:
            raise ShapeError(f"{self.place()}: {name} must have shape {target.shape}, got {value.shape}")
        return value

    def bind(self, params: Mapping[str, Array]) -> None:
        """Live from now on in these writable arrays (views of a model's flat buffer), values copied in.

        Errors: ShapeError where names or shapes differ from the layer's own.
        """
        own = {name: array.shape for name, array in self.params.items()}
        given = {name: array.shape for name, array in params.items()}
        if own != given:
            raise ShapeError(f"{self.place()} has parameters {own}, cannot live in {given}")
        for name, array in params.items():
            array[...] = self.params[name]
        self._writable = dict(params)
        self._params = Weights(self, {name: _read_only(params[name]) for name in self.params})
        self.version += 1

    def count_params(self) -> int:
        """How many numbers `weights` holds."""
        return sum(array.size for array in self.arrays())

    def take_name(self, taken: Collection[str], model: str) -> None:
        """A name no other layer of the model has: its own, or its type's with a number behind it.

        Errors: ConfigError where its own is taken.
        """
        if self.auto_named:
            base, number = self._base_name or snake_case(type(self).__name__), 0
            while (name := base if number == 0 else f"{base}_{number}") in taken:
                number += 1
            self._name = name
        elif self.name in taken:
            raise ConfigError(f"{model} has a layer {self.name!r} already; give this one another name")

    def place(self) -> str:
        """How errors call this layer: layer 3 'conv2' (Conv2D 5x5, valid); it is model.layers[3]."""
        number = "" if self.position is None else f"layer {self.position} "
        return f"{number}{self.name!r} ({f'{type(self).__name__} {self.detail()}'.strip()})"

    def source(self) -> str:
        """Where the input came from, for errors: " from 'pool1'", or nothing."""
        return f" from {' and '.join(map(repr, self.fed_by))}" if self.fed_by else ""

    def check_rank(self, input_shape: Shape, axes: str, fix: str) -> None:
        """Errors: ShapeError unless the input has these axes, e.g. "H, W, C"."""
        if len(input_shape) != axes.count(",") + 1:
            got = ", ".join(map(str, input_shape))
            raise ShapeError(f"{self.place()} needs input (N, {axes}), got (N, {got}){self.source()}; {fix}")

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """A weight under its own name, `layer.kernel`, or Keras's, `layer.moving_mean`; where it stands in a model
            of Keras's, what it reads and gives there: `input`, `output`."""
            if (found := weight_called(self, name)) is not None:
                return found
            if name in ("input", "output") and (value := self._first_value()) is not None:
                return value if name == "output" else value.inputs[0] if len(value.inputs) == 1 else list(value.inputs)
            raise missing(f"{type(self).__name__!r} object", name, self)

    def _first_value(self) -> Any:
        """What it gave where it was first called in a network of Keras's, else in that which it belongs to."""
        first = self.__dict__.get("_first")
        if first is not None and (value := first()) is not None:
            return value
        owner = None if "_store" not in self.__dict__ else self.owner
        value_of = getattr(None if owner is None else owner(), "value_of", None)
        return None if value_of is None else value_of(self)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._params, self._state = Weights(self, self._params), Weights(self, self._state)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r} {self.detail()}".rstrip() + ">"


def _read_only(array: Array) -> Array:
    view = array.view()
    view.flags.writeable = False
    return view
