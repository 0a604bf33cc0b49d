"""Arrays that are trained: each has a name, a live value, and a place on every tape."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from pellucid.autodiff.tensor import Tensor, bare, is_recording
from pellucid.errors import ShapeError
from pellucid.ops.geometry import Array


class Leaf:
    """The place of a variable on every tape: two are one if they have the same key."""

    inputs, pull, order = (), None, 0

    def __init__(self, key: Any, owner: Any) -> None:
        self.key, self._owner = key, owner  # which lives as long, so that no other takes its key

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Leaf) and other.key == self.key

    def __hash__(self) -> int:
        return hash(self.key)


class Variable(NDArrayOperatorsMixin):
    """Numbers that a program changes by `assign`, and takes gradients for; NumPy's functions read it as an array.

    Errors: ShapeError for a value of another shape.
    """

    def __init__(
        self, initial_value: Any, trainable: bool = True, validate_shape: bool = True, name: str | None = None,
        dtype: Any = None, shape: Any = None, **_: Any,
    ) -> None:  # fmt: skip
        given = initial_value() if callable(initial_value) else initial_value
        value = np.array(given, dtype)
        self._array = value.astype(np.float32) if dtype is None and value.dtype == np.float64 else value
        self.name, self.trainable = name or "variable", trainable

    @classmethod
    def over(cls, array: Array, name: str) -> Variable:
        """One whose numbers are those of this array, live, and are not trained."""
        made = cls(0.0, trainable=False, name=name)
        made._array = array
        return made

    @property
    def key(self) -> Any:
        """What tells it from all others while it lives."""
        return id(self)

    @property
    def array(self) -> Array:
        """Its numbers themselves, which an optimizer writes into."""
        return self._array

    @property
    def owner(self) -> Any:
        """What must live for the key to be its own."""
        return self

    @property
    def path(self) -> str:
        """What an optimizer knows it by."""
        return self.name

    def changing(self) -> None:
        """Say that its numbers are about to change."""

    def changed(self) -> None:
        """Say that its numbers have changed."""

    def bounded(self) -> None:
        """Bring its numbers back to what they may be."""

    @property
    def node(self) -> Leaf:
        """Its place on a tape."""
        return Leaf(self.key, self.owner)

    def read(self) -> Tensor:
        """Its numbers as they are now, recorded."""
        made = (self.array.copy() if is_recording() else self.array).view(Tensor)
        if is_recording() and self.trainable and made.dtype.kind == "f":
            made.node = self.node
        return made

    @property
    def value(self) -> Any:
        """The same, as Keras 3 has it."""
        return self.read()

    def read_value(self) -> Tensor:
        """The same, as TensorFlow has it."""
        return self.read()

    def numpy(self) -> Any:
        """A copy of its numbers."""
        return np.array(self.array)[()]

    def assign(self, value: Any, *_: Any, **__: Any) -> Any:
        """Take this value."""
        given = np.asarray(value)
        if given.shape != self.array.shape and given.ndim:
            raise ShapeError(f"{self.path}: assign needs shape {self.array.shape}, got {given.shape}")
        self.changing()
        self.array[...] = given
        self.changed()
        return self

    def assign_add(self, delta: Any, *_: Any, **__: Any) -> Any:
        """Add this."""
        return self.assign(self.array + np.asarray(delta))

    def assign_sub(self, delta: Any, *_: Any, **__: Any) -> Any:
        """Take this off."""
        return self.assign(self.array - np.asarray(delta))

    def ref(self) -> Any:
        """What may be a key of a dictionary."""
        return self.key

    def __array__(self, dtype: Any = None, copy: Any = None) -> Array:
        return np.array(self.array, dtype) if copy else np.asarray(self.array, dtype)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        later = next((each.calculated for each in inputs if hasattr(each, "calculated")), None)
        if later is not None:  # beside what has no numbers yet it stays a variable
            return later(ufunc, inputs, {})
        return getattr(ufunc, method)(*map(_read, inputs), **options)

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        return function(*map(_read, args), **{name: _read(value) for name, value in options.items()})

    def __getitem__(self, key: Any) -> Any:
        part = self.read()[key]
        if isinstance(part, np.ndarray):
            part.__dict__["assign"] = lambda value: self._assign_part(key, value)
        return part

    def _assign_part(self, key: Any, value: Any) -> Variable:
        """Give a part of its numbers a value, as `x[key].assign(value)` does."""
        self.changing()
        self.array[key] = np.asarray(value)
        self.changed()
        return self

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.read(), name)

    @property
    def shape(self) -> Any:
        """Of its array."""
        return self.array.shape

    @property
    def dtype(self) -> Any:
        """Of its array."""
        return self.array.dtype

    def __len__(self) -> int:
        return len(self.array)

    def __iter__(self) -> Any:
        return iter(self.read())

    def __float__(self) -> float:
        return float(self.array)

    def __int__(self) -> int:
        return int(self.array)

    def __bool__(self) -> bool:
        return bool(self.array)

    def __index__(self) -> int:
        return self.array.__index__()

    def __hash__(self) -> int:
        return hash(self.key)

    def __format__(self, spec: str) -> str:
        return format(self.array, spec)

    def __repr__(self) -> str:
        return f"<Variable {self.path!r} {self.array.shape}, {np.array2string(bare(self.array), threshold=8)}>"


def _read(x: Any) -> Any:
    if isinstance(x, Variable):
        return x.read()
    return type(x)(map(_read, x)) if type(x) in (list, tuple) else x
