"""Calculations that are written before there are numbers, as programs of Keras 2 do: `K.gradients`, `K.function`.

What a network's values give row by row is a layer, see operation.py; anything else of them, such as a loss, is a
`Deferred`: a function and what it is given, run once its values have numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from pellucid.autodiff import Node, Tensor, gradients, recording, tensor
from pellucid.errors import ConfigError, shown
from pellucid.keras.tensor import Calculated, Dimensions
from pellucid.layers.eager import drawn_at_random, within_pass
from pellucid.layers.symbolic import Symbolic, Value


class Deferred(Calculated):
    """What a function will give for arguments of which some are a network's values, placeholders, or such again."""

    def __init__(self, function: Any, arguments: Sequence[Any], options: Mapping[str, Any] | None = None) -> None:
        self.function, self.arguments, self.options = function, list(arguments), dict(options or {})
        self.reads = list(_values([self.arguments, list(self.options.values())]))
        self.order: int = max((getattr(each, "order_of_gradient", 0) for each in self.reads), default=0)
        self._samples: dict[int, Any] = {}

    @property
    def order_of_gradient(self) -> int:
        """How many gradients are within each other in it."""
        return self.order

    def compute(self, run: Run) -> Any:
        """What it comes to where what it reads is known."""
        options = {name: run.put_in(value) for name, value in self.options.items()}
        found = self.function(*map(run.put_in, self.arguments), **options)
        return found if isinstance(found, tuple) else tensor(found)

    def sample(self, count: int) -> Any:
        """Zeros of the shape that it has for so many pictures."""
        if count not in self._samples:
            with recording(False), np.errstate(all="ignore"):
                self._samples[count] = _Samples(count).of(self)
        return self._samples[count]

    @property
    def shape(self) -> Any:
        """The sizes of its axes, None for those that the number of pictures says."""
        return Dimensions(a if a == b else None for a, b in zip(*(self.sample(n).shape for n in (2, 3)), strict=True))

    @property
    def dtype(self) -> Any:
        """Of its numbers."""
        return self.sample(2).dtype

    def leaves(self) -> list[Any]:
        """The values of a network that it is calculated from, each once."""
        found: dict[int, Any] = {}
        todo: list[Any] = [self]
        while todo:
            one = todo.pop()
            if isinstance(one, Deferred):
                todo.extend(one.reads)
            else:
                found.setdefault(id(one), one)
        return list(found.values())

    def __getattr__(self, name: str) -> Any:
        if name not in _METHODS:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self)
        return lambda *args, **options: Deferred(_by_method, [self, name, *args], options)

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise ConfigError(f"{self!r}; leave the axis of the batch alone, or give it to add_loss or K.function")

    def __repr__(self) -> str:
        what = getattr(self.function, "__name__", "value")
        return f"<{what} has no numbers yet, and no row for each picture, as layers give: K.function calculates it>"


_METHODS = ("astype", "reshape", "sum", "mean", "max", "min", "transpose", "swapaxes", "squeeze", "std", "var")
"""Of arrays, that a program calls on what it calculates."""


def _by_method(x: Any, name: str, *args: Any, **options: Any) -> Any:
    return getattr(x, name)(*args, **options)


class Placeholder(Deferred):
    """What K.function is given numbers for. Shapes: with the batch axis; None for sizes that are not known."""

    def __init__(self, sizes: Sequence[int | None]) -> None:
        super().__init__(self, [])
        self._sizes = tuple(sizes)

    def compute(self, run: Run) -> Any:
        raise ConfigError(f"a placeholder {self._sizes} has no numbers: name it among the inputs of K.function")

    def sample(self, count: int) -> Any:
        return np.zeros([count if size is None else size for size in self._sizes], np.float32)

    def __repr__(self) -> str:
        return f"<placeholder {self._sizes}>"


class Gradients(Deferred):
    """The gradients of the sum of a loss for each of the others, as a tuple. Errors: ConfigError where one has none."""

    def __init__(self, loss: Any, wanted: Sequence[Any]) -> None:
        super().__init__(Gradients, [loss, *wanted])
        self.order += 1

    def compute(self, run: Run) -> Any:
        loss, *wanted = map(run.put_in, self.arguments)
        start = np.ones(loss.shape, loss.dtype)
        found = {}
        if loss.node is not None:
            again = run.order > self.order
            found = gradients([(loss.node, tensor(start) if again else start)], [each.node for each in wanted])
        missing = [given for given, each in zip(self.arguments[1:], wanted, strict=True) if each.node not in found]
        if missing:
            raise ConfigError(f"K.gradients: the loss does not come from {shown(missing)}")
        return tuple(tensor(found[each.node]) for each in wanted)

    def sample(self, count: int) -> Any:
        return tuple(np.zeros(each.shape) for each in map(_Samples(count).put_in, self.arguments[1:]))


class Run:
    """What values come to, each once, where some are given numbers."""

    def __init__(self, given: Sequence[tuple[Any, Any]] = (), training: bool = False, order: int = 0) -> None:
        self._found: dict[int, Any] = {}
        self._training, self.order = training, order
        for value, numbers in given:
            array = numbers if isinstance(numbers, Tensor) else tensor(np.asarray(numbers, np.float32))
            if array.node is None:
                array = array.view(Tensor)
                array.node = Node()
            self._found[id(value)] = array

    def of(self, wanted: Any) -> Any:
        """What a value comes to."""
        todo = [wanted]
        while todo:  # without recursion: networks are deeper than Python's stack
            one = todo[-1]
            known = id(one) in self._found
            missing = [] if known else [each for each in self.read_by(one) if id(each) not in self._found]
            if missing:
                todo.extend(missing)
            elif not known:
                self._found[id(one)] = self.value(one)
            else:
                todo.pop()
        return self._found[id(wanted)]

    def read_by(self, one: Any) -> Sequence[Any]:
        """What must be known first."""
        if isinstance(one, Deferred):
            return one.reads
        if isinstance(one, Value):
            return one.inputs
        source = getattr(one, "stands_for", None)
        if source is None:
            raise ConfigError(f"{one!r} has no numbers: name it among the inputs of K.function")
        return [source] if isinstance(source, Calculated | Symbolic) else []

    def value(self, one: Any) -> Any:
        """What one comes to where what it reads is known."""
        if isinstance(one, Deferred):
            return one.compute(self)
        read = [self._found[id(each)] for each in self.read_by(one)]
        if not isinstance(one, Value):
            return read[0] if read else tensor(one.stands_for)
        return tensor(one.layer(read if one.layer.merges else read[0], training=self._training))

    def put_in(self, given: Any) -> Any:
        """An argument with numbers in place of values."""
        if isinstance(given, Calculated | Symbolic):
            return self.of(given)
        return type(given)(map(self.put_in, given)) if type(given) in (list, tuple) else given


class _Samples(Run):
    """Zeros of the shapes that values have for so many pictures."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self._count = count

    def read_by(self, one: Any) -> Sequence[Any]:
        return [] if not isinstance(one, Deferred) or self._count in one._samples else one.reads

    def value(self, one: Any) -> Any:
        if isinstance(one, Deferred):
            known = one._samples.get(self._count)
            own = type(one).sample is not Deferred.sample
            found = one.sample(self._count) if own else one.compute(self) if known is None else known
            one._samples[self._count] = found = _zeros(found)
            return found
        below = one
        while isinstance(below, Value):
            below = below.inputs[0]
        source = getattr(below, "stands_for", None)
        rows = self._count if source is None else np.shape(_Samples(self._count).put_in(source))[0]
        return np.zeros((rows, *one.sizes), np.float32)


def _zeros(like: Any) -> Any:
    if isinstance(like, tuple):
        return tuple(map(_zeros, like))
    known = like.dtype.kind != "f"  # sizes and places are calculated with
    return np.asarray(like) if known else np.broadcast_to(np.zeros((), like.dtype), like.shape)


def _values(given: Any) -> Iterator[Any]:
    if isinstance(given, Calculated | Symbolic):
        yield given
    elif type(given) in (list, tuple):
        for each in given:
            yield from _values(each)


def evaluated(wanted: Sequence[Any], given: Sequence[tuple[Any, Any]] = (), training: bool = False) -> list[Any]:
    """What values come to, as arrays; what is neither deferred nor a network's as it is."""
    order = max((getattr(each, "order_of_gradient", 0) for each in wanted), default=0)
    with recording(order > 0), within_pass(training, drawn_at_random):
        run = Run(given, training, order)
        found = [run.put_in(each) for each in wanted]
    return [np.asarray(each) for each in found]


def slopes(loss: Any, variables: Any) -> list[Any]:
    """The gradient of a loss for each of some values, placeholders or variables; None is not among them.

    Errors: ConfigError where the loss does not come from one.
    """
    wanted = list(variables) if isinstance(variables, list | tuple) else [variables]
    if isinstance(loss, list | tuple):
        loss = sum(loss[1:], loss[0])
    if any(isinstance(each, Calculated | Symbolic) for each in (loss, *wanted)):
        joint = Gradients(loss, wanted)
        return [Deferred(_nth, [joint, number]) for number in range(len(wanted))]
    found = gradients([(loss.node, np.ones(loss.shape, loss.dtype))], [each.node for each in wanted])
    return [tensor(found[each.node]) if each.node in found else None for each in wanted]


def _nth(found: Any, number: int) -> Any:
    return found[number]
