"""An array that remembers what it is calculated from, as long as somebody records."""

from __future__ import annotations

import itertools
import math
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from pellucid.autodiff import rules
from pellucid.errors import ConfigError, ShapeError, shown

Pull = Callable[[Any, Sequence[bool]], Sequence[Any]]
"""From the gradient of what a function gave, and which of its inputs want theirs, to the gradients of these.

Of a Tensor it gives Tensors, calculated by functions that have rules themselves: so a gradient has a gradient.
"""

_ORDER = itertools.count(1)


class _Recording(threading.local):
    """How many record in this thread."""

    depth = 0


_recording = _Recording()


class Node:
    """A value as the tape knows it: `pull` takes its gradient to the nodes it was calculated from.

    order: of calculations, in which each comes after what it reads.
    """

    def __init__(self, inputs: Sequence[Any] = (), pull: Pull | None = None) -> None:
        self.inputs, self.pull = tuple(inputs), pull
        self.order = next(_ORDER)


def is_recording(tapes: int = 1) -> bool:
    """Whether what is calculated now is remembered, by so many at least."""
    return _recording.depth >= tapes


@contextmanager
def recording(on: bool = True) -> Iterator[None]:
    """A block in which what is calculated is remembered; or, with False, is not."""
    before = _recording.depth
    _recording.depth = before + 1 if on else 0
    try:
        yield
    finally:
        _recording.depth = before


def now() -> int:
    """The place in the order of calculations at which the next one stands."""
    return next(_ORDER)


class Dimensions(tuple[int | None, ...]):
    """Sizes of axes, which programs of TensorFlow ask more of; None for one that nobody knows."""

    def as_list(self) -> list[int | None]:
        """As a list."""
        return list(self)

    @property
    def rank(self) -> int:
        """How many axes there are."""
        return len(self)

    ndims = rank

    def is_fully_defined(self) -> bool:
        """Whether each is known."""
        return None not in self

    def num_elements(self) -> int | None:
        """How many numbers there are; None where that is not known."""
        return math.prod(map(int, filter(None, self))) if None not in self else None


_sizes_of: Any = vars(np.ndarray)["shape"]


class Tensor(np.ndarray[Any, np.dtype[Any]]):
    """An array that programs may call `numpy()` on, and that NumPy's functions take the gradient through, see `rules`.

    Errors: ConfigError where it is called or written into while it is recorded; for functions without known gradients.
    """

    node: Any = None
    """What a tape knows of it."""

    if not TYPE_CHECKING:  # or NumPy's views of this class would be taken for arrays of its own

        def __new__(cls) -> NoReturn:
            raise ConfigError("a Tensor is made of numbers by tf.constant or keras.ops.array")

    def through(self, function: Any, *args: Any) -> Any:
        """What a function of this and other arguments gives, recorded by its rule."""
        return apply(function, (self, *args), {})

    def numpy(self) -> Any:
        """The same numbers as a plain array; one number as such. Words are bytes, as TensorFlow's."""
        plain = self.view(np.ndarray)
        return (np.char.encode(plain, "utf-8").astype(object) if plain.dtype.kind == "U" else plain)[()]

    @property
    def shape(self) -> Any:
        """As NumPy's, and TensorFlow's."""
        return Dimensions(_sizes_of.__get__(self))

    @shape.setter
    def shape(self, sizes: Any) -> None:
        _sizes_of.__set__(self, sizes)

    def get_shape(self) -> Any:
        """`shape`, by TensorFlow's older name."""
        return self.shape

    def set_shape(self, shape: Any) -> None:
        """Nothing: the shape is known. Errors: ShapeError where it is said otherwise; None stands for any size."""
        said = tuple(None if size is None else int(size) for size in shape)
        if len(said) != self.ndim or any(size not in (None, own) for size, own in zip(said, self.shape, strict=True)):
            raise ShapeError(f"set_shape: the array has shape {self.shape}, got {shown(shape)}")

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, out: Any = None, **options: Any) -> Any:
        if not all(isinstance(each, np.ndarray) or not hasattr(each, "__array_ufunc__") for each in inputs):
            return NotImplemented  # a variable reads itself, and a network's value has a layer
        if method == "reduce" and ufunc in rules.REDUCTIONS and out is None:
            return apply(rules.REDUCTIONS[ufunc], inputs, {"axis": 0, **options})
        function = ufunc if method == "__call__" else getattr(ufunc, method)
        if out is not None:
            if is_recording() and any(node_of(each) is not None for each in (*inputs, *out)):
                raise ConfigError("a recorded array is not written into: write x = x + y, not np.add(x, y, out=x)")
            function(*map(bare, inputs), out=tuple(map(bare, out)), **options)
            return out[0] if len(out) == 1 else out
        return apply(function, inputs, options)

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        return apply(function, args, options) if all(issubclass(kind, np.ndarray) for kind in types) else NotImplemented

    def __getitem__(self, key: Any) -> Any:
        return apply(rules.item, (self, key), {})

    def __setitem__(self, key: Any, value: Any) -> None:
        if self.node is not None and is_recording():
            raise ConfigError("a recorded array is not written into; make a new one of parts: np.where, concatenate")
        super().__setitem__(key, value)

    def __iadd__(self, other: Any) -> Any:  # type: ignore[misc]
        return self + other

    def __isub__(self, other: Any) -> Any:  # type: ignore[misc]
        return self - other

    def __imul__(self, other: Any) -> Any:  # type: ignore[misc]
        return self * other

    def __itruediv__(self, other: Any) -> Any:  # type: ignore[misc]
        return self / other

    def reshape(self, *shape: Any, **options: Any) -> Any:
        """As NumPy's."""
        return apply(np.reshape, (self, shape[0] if len(shape) == 1 else shape), options)

    def transpose(self, *axes: Any) -> Any:
        """As NumPy's."""
        return apply(np.transpose, (self, axes[0] if len(axes) == 1 else axes or None), {})

    @property
    def T(self) -> Any:
        """The axes the other way round."""
        return self.transpose()

    def astype(self, dtype: Any, *args: Any, **options: Any) -> Any:
        """As NumPy's; a gradient goes through from one type of floats to another."""
        return apply(rules.cast, (self, dtype), {})

    def __hash__(self) -> int:  # type: ignore[override]
        """Of one number as that number's. Errors: TypeError for more."""
        if self.ndim:
            raise TypeError("an array of several numbers cannot be hashed")
        return hash(self.item())

    def __deepcopy__(self, memo: Any) -> Any:
        return tensor(np.array(self))


def _method(function: Any) -> Any:
    def method(self: Tensor, *args: Any, **options: Any) -> Any:
        return apply(function, (self, *args), options)

    method.__doc__ = "As NumPy's."
    return method


for _name in [
    "sum",
    "mean",
    "max",
    "min",
    "prod",
    "std",
    "var",
    "cumsum",
    "clip",
    "repeat",
    "take",
    "dot",
    "squeeze",
    "swapaxes",
    "ravel",
    "copy",
    "diagonal",
]:
    setattr(Tensor, _name, _method(getattr(np, _name)))
Tensor.flatten = _method(np.ravel)  # type: ignore[method-assign]


def tensor(x: Any) -> Tensor:
    """The array, or number, as one with `numpy()`; nothing is copied, and a recorded one stays so."""
    if isinstance(x, Tensor):
        return x
    value = getattr(x, "value", None)
    return value if isinstance(value, Tensor) else np.asarray(x).view(Tensor)


def node_of(x: Any) -> Any:
    """What a tape knows of a value; None of one that nobody watches."""
    return x.node if isinstance(x, Tensor) else None


def recorded(y: Any, inputs: Sequence[Any], pull: Pull) -> Tensor:
    """An array as calculated from these nodes."""
    return _known(y, Node(inputs, pull))


def _known(y: Any, node: Any) -> Tensor:
    made = np.asarray(y).view(Tensor)
    made.node = node
    return made


def calculated(y: Any, inputs: Sequence[Any], pull: Callable[[Any, Sequence[bool], Any], Sequence[Any]]) -> Tensor:
    """The same where `pull` reads y, too, which it is given third: recorded where the gradient is."""
    own: Any = None

    def back(d: Any, needed: Sequence[bool]) -> Sequence[Any]:
        return pull(d, needed, _known(y, own()) if isinstance(d, Tensor) else y)

    made = recorded(y, inputs, back)
    own = weakref.ref(made.node)  # or y would hold itself
    return made


def bare(x: Any) -> Any:
    """Without what is remembered, in lists, too."""
    if isinstance(x, Tensor):
        return x.view(np.ndarray)
    if type(x) in (list, tuple):
        return type(x)(map(bare, x))
    return x


def _wrapped(y: Any) -> Any:
    if isinstance(y, np.ndarray | np.generic):
        return np.asarray(y).view(Tensor)
    return type(y)(map(_wrapped, y)) if type(y) in (list, tuple) else y


def apply(function: Any, args: Sequence[Any], options: dict[str, Any]) -> Any:
    """What a function of arrays gives, recorded where something that it is given is watched.

    Errors: ConfigError for a function whose gradient nobody knows.
    """
    watched = is_recording() and (_any_node(args) or _any_node(list(options.values())))
    if watched and function in rules.COMPOSED:
        return function.__wrapped__(*args, **options)
    plain = [bare(each) for each in args]
    given = {name: bare(value) for name, value in options.items()}
    y = function(*plain, **given)
    if not watched or rules.is_flat(function, y):
        return _wrapped(y)
    name = getattr(function, "__name__", str(function))
    rule = rules.RULES.get(function)
    if rule is None or np.iscomplexobj(y):
        raise ConfigError(
            f"{name}: its gradient is not known; calculate with the functions of docs/keras.md, or on x.numpy(), "
            "through which no gradient goes"
        )
    arrays = rule.arrays(args)
    nodes = [node_of(each) for each in arrays]
    if _any_node(list(options.values())) or _count(args) != sum(node is not None for node in nodes):
        raise ConfigError(f"{name}: give the arrays that a gradient goes through by position")
    try:
        pulls = rule.pulls(y, plain, given)
    except TypeError as error:
        raise ConfigError(f"{name}: its gradient is not known with these arguments: {error}") from None
    kept = [(i, node, each.shape, each.dtype) for i, (node, each) in enumerate(zip(nodes, arrays, strict=True)) if node]

    def pull(d: Any, needed: Sequence[bool], own: Any) -> list[Any]:
        wanted = [i if need else None for (i, *_), need in zip(kept, needed, strict=True)]
        back = rule.pulls(own, args, options) if isinstance(d, Tensor) else pulls
        found = back(d, [i for i in wanted if i is not None])
        return [None if i is None else fitting(found[i], *kept[place][2:]) for place, i in enumerate(wanted)]

    return calculated(y, [node for _, node, _, _ in kept], pull)


def fitting(d: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """A gradient as that of an array of this shape, which may have been stretched to more."""
    d = np.asanyarray(d)
    if d.shape != shape:
        ahead = d.ndim - len(shape)
        axes = (*range(ahead), *(i + ahead for i, size in enumerate(shape) if size == 1 and d.shape[i + ahead] != 1))
        d = np.broadcast_to(d, np.broadcast_shapes(d.shape, shape)) if ahead < 0 else d
        d = d.sum(axis=axes).reshape(shape) if axes else np.broadcast_to(d, shape)
    return d if d.dtype == dtype else d.astype(dtype)


def _any_node(given: Sequence[Any]) -> bool:
    return _count(given) > 0


def _count(given: Sequence[Any]) -> int:
    return sum(node_of(each) is not None if not isinstance(each, list | tuple) else _count(each) for each in given)
