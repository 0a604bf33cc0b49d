"""Values as Keras's programs expect them: arrays with `numpy()`, and symbolic ones whose shapes count the batch."""

from __future__ import annotations

import contextlib
import inspect
import operator
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from pellucid._fixed import Taken
from pellucid.autodiff import Dimensions as Dimensions
from pellucid.autodiff import Tensor as Tensor
from pellucid.autodiff import Variable, rules
from pellucid.autodiff import tensor as as_tensor
from pellucid.errors import ConfigError, ShapeError
from pellucid.keras.nesting import Call, Calls, around, calls_of, name_as_keras, within
from pellucid.layers import Input, Layer
from pellucid.layers.batched import FREE_SIDE, OTHER_SIDE
from pellucid.layers.eager import tracing
from pellucid.layers.normalization import Norm
from pellucid.layers.recorded import RecordedLayer
from pellucid.layers.symbolic import Symbolic, Value, calls_behind, is_symbolic
from pellucid.ops import Shape


def tensor(x: Any) -> Any:
    """The array, or number, as one with `numpy()`; nothing is copied, and a network's value is left alone.

    Numbers of Python's, and lists of them, are float32, as in TensorFlow; of arrays the type stays.
    """
    if isinstance(x, SizesOf):
        from pellucid.keras.deferred import Deferred

        return Deferred(_sizes, [x.value])
    if isinstance(x, Calculated) or is_symbolic(x):
        return x
    made, first = as_tensor(x), x
    while type(first) in (list, tuple) and first:
        first = first[0]
    return made.astype(np.float32) if made.dtype == np.float64 and type(first) in (int, float) else made


def _sizes(x: Any) -> Any:
    return np.asarray(np.shape(x))


class SizesOf(Dimensions):
    """The sizes of a network's value; calculated with, those that it has once it has numbers."""

    value: Any

    @classmethod
    def of(cls, value: Any) -> SizesOf:
        """Of this value."""
        sizes = cls(value.shape)
        sizes.value = value
        return sizes


class Calculated:
    """A network's value that NumPy's functions, and Python's operators, give an `Operation` of."""

    __array_ufunc__: Any
    __array_function__: Any
    sizes: Shape
    other: Any

    def calculated(self, function: Any, arguments: Any, options: Any) -> Any:
        """What a function, such as a loss, makes of this value and others."""
        return _operation(function, arguments, options)

    @property
    def shape(self) -> Any:
        """The sizes with the batch's, which is None as all are that are not known."""
        return Dimensions((None, *(a if a == b else None for a, b in zip(self.sizes, self.other, strict=True))))

    _keras_shape = shape

    def get_shape(self) -> Any:
        """`shape` by its older name."""
        return self.shape

    def gradients(self, variables: Any) -> Any:
        """What `keras.backend.gradients` gives of it."""
        from pellucid.keras.deferred import slopes

        return slopes(self, variables)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:  # type: ignore[no-redef]
        ours = _BY_LAYERS.get(ufunc)
        if ours is not None and not options and all(map(_takes_layers, inputs)):
            return ours(*inputs)
        return _operation(ufunc if method == "__call__" else getattr(ufunc, method), inputs, options)

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:  # type: ignore[no-redef]
        return _operation(function, args, options)

    def __getitem__(self, key: Any) -> Any:
        return _operation(rules.item, (self, key), {})

    def __truediv__(self, other: Any) -> Any:
        scaled: Any = self
        return scaled * (1 / other) if isinstance(other, int | float) else _operation(np.divide, (self, other), {})

    def __neg__(self) -> Any:
        return super().__neg__() if _takes_layers(self) else _operation(np.negative, (self,), {})  # type: ignore[misc]


def _takes_layers(given: Any) -> bool:
    """Whether layers take it: a number, or a value with a row of numbers for each picture."""
    return isinstance(given, int | float) or (isinstance(given, Symbolic) and given.sizes != ())


def _method(name: str, function: Any) -> Any:
    """By a layer where one does it, of values and numbers; else as an operation."""
    behind = name.startswith("__r")

    def method(self: Any, other: Any) -> Any:
        by_layer = vars(Symbolic).get(name)
        if by_layer is not None and _takes_layers(self) and _takes_layers(other):
            with contextlib.suppress(ShapeError), within(Call()):  # of sizes that are stretched to each other
                return by_layer(self, other)
        return _operation(function, (other, self) if behind else (self, other), {})

    return method


for _word, _function in (
    ("add", np.add), ("sub", np.subtract), ("mul", np.multiply), ("pow", np.power), ("matmul", np.matmul),
    ("rtruediv", np.divide), ("floordiv", np.floor_divide), ("mod", np.remainder),
    ("gt", np.greater), ("lt", np.less), ("ge", np.greater_equal), ("le", np.less_equal),
):  # fmt: skip
    for _name in (f"__{_word}__", *([f"__r{_word}__"] if _word in ("add", "sub", "mul", "pow", "matmul") else [])):
        setattr(Calculated, _name, _method(_name, _function))
_BY_LAYERS = {np.add: operator.add, np.subtract: operator.sub, np.multiply: operator.mul}


def _operation(function: Any, arguments: Any, options: Any) -> Any:
    from pellucid.keras.operation import operation

    return operation(function, arguments, options)


def batch_of(x: Any) -> Any:
    """An array that a tape may follow."""
    given = x.read() if isinstance(x, Variable) else x
    return given if isinstance(given, Tensor) else tensor(np.asarray(given, np.float32))


class KerasTensor(Calculated, Value):
    """What a layer gives that was called on a `InputLayer`. Shapes: shape with the batch axis, which is None."""

    other: Shape
    """Its sizes where axes that are not known are OTHER_SIDE long."""
    calls: Calls
    """In whose calls it came about."""

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


def _of_numbers(dtype: Any) -> bool | str:
    """Whole numbers come as floats, which hold all below 2^24 as they are."""
    return "string" not in str(dtype) or "words become numbers before the network: dataset.map(vectorize_layer)"


class InputLayer(Calculated, Input):
    """`pellucid.Input` as Keras has it; axes of which the size is None take any that fits the layers.

    Shapes: shape with the batch axis, which is None.
    Errors: ConfigError for sizes below 1.
    """

    taken: ClassVar[Mapping[str, Taken]] = {**Input.taken, "dtype": _of_numbers}

    def __init__(
        self, shape: Sequence[int | None], *, name: str | None = None, trainable: bool = True, stands_for: Any = None
    ) -> None:
        self.stands_for = stands_for
        """What is calculated where nobody gives it numbers."""
        self.free = tuple(size is None for size in shape) if isinstance(shape, list | tuple) else ()
        known = [size or FREE_SIDE for size in shape] if any(self.free) else shape
        super().__init__(known, name=name, trainable=trainable)  # type: ignore[arg-type]
        name_as_keras(self)

    @property
    def other(self) -> Shape:
        """Its sizes where axes that are not known are OTHER_SIDE long."""
        sizes = (OTHER_SIDE if free else size for size, free in zip(self.sizes, self.free, strict=False))
        return tuple(sizes) if any(self.free) else self.sizes

    def given_by(self, layer: Layer, inputs: tuple[Symbolic, ...]) -> Value:
        return keras_value(layer, inputs)

    @property
    def output(self) -> InputLayer:
        """The value that goes in."""
        return self

    input = output

    def __call__(self, x: Any, seed: int | None = None, training: Any = None) -> Any:
        """The value itself: programs call all layers of a model in turn."""
        return x if is_symbolic(x) else super().__call__(x, seed, training)

    def get_config(self) -> dict[str, Any]:
        """As Keras has it. Shapes: batch_shape with the batch axis."""
        return {"batch_shape": tuple(self.shape), "dtype": self.dtype, "sparse": False, "name": self.name}


def input_of(shape: Sequence[int | None], given: Any = None) -> Any:
    """The input of a network: a value of another, or one of its own, which may stand for what is calculated."""
    if isinstance(given, Symbolic):
        return given
    return InputLayer(shape) if given is None else InputLayer(given.shape[1:], stands_for=given)


def keras_value(layer: Layer, inputs: tuple[Symbolic, ...]) -> KerasTensor:
    """What a layer gives for these; the same value again where it was called on the same before, and draws nothing."""
    repeats = not isinstance(layer, RecordedLayer) and (layer.steady or isinstance(layer, Norm))
    given: dict[Any, KerasTensor] = vars(inputs[0]).setdefault("_given", {}) if repeats else {}
    key = (layer, *map(id, inputs), *(id(call.owner) for call in around()))
    if key not in given:
        given[key] = _new_value(layer, inputs)
    return given[key]


def _new_value(layer: Layer, inputs: tuple[Symbolic, ...]) -> KerasTensor:
    name_as_keras(layer)
    value = KerasTensor(layer.output_of([value.sizes for value in inputs]), layer, inputs)
    first = vars(layer).get("_first")
    if not around() and (first is None or first() is None):
        vars(layer)["_first"] = weakref.ref(value)
    stands_behind = getattr(getattr(inputs[0], "layer", None), "behind", None) is layer
    value.calls = calls_of(inputs[0]) if stands_behind else (*around(), *((Call(layer),) if layer.behind else ()))
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


def traced(function: Callable[..., Any], x: Any, asked: Any = None) -> Any:
    """What a `call` gives for symbolic values: run once, so that its layers stand in the network as it called them.

    asked: whose signature says whether it takes `training`, where that is another function's.
    Errors: ConfigError where it does in training what no layer undoes in use.
    """
    try:
        takes = "training" in inspect.signature(asked or function).parameters
    except ValueError:
        takes = False
    with tracing():
        if not takes:
            return of_layers(function(x))
        learning = Learning()
        y = of_layers(function(x, training=learning))
        if learning.asked and _steady_layers(y) != _steady_layers(function(x, training=False)):
            raise ConfigError("`if training:` chooses other layers than in use")
        return y


def of_layers(y: Any) -> Any:
    """The same. Errors: ConfigError for what is not calculated row by row."""
    later = [one for one in (y if isinstance(y, list | tuple) else [y]) if isinstance(one, Calculated)]
    if not all(isinstance(one, Symbolic) for one in later):
        raise ConfigError(f"got {later}, which no layer gives")
    return y


def _steady_layers(y: Any) -> list[Layer]:
    """The layers behind a value, in order, less those that do nothing in use."""
    answers = list(y) if isinstance(y, list | tuple) else [y]
    source = answers[0]
    while isinstance(source, Value):
        source = source.inputs[0]
    calls = calls_behind(answers, source, "call")
    return [value.layer for value in calls if value.layer.steady or value.layer.params]
