"""What a layer keeps, apart from its name and its place: layers that stand for one another have it in common."""

from __future__ import annotations

import copy
import weakref
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeVar, cast

from pellucid.layers import eager

if TYPE_CHECKING:
    from pellucid.layers.layer import Layer
    from pellucid.layers.weights import Weights
    from pellucid.ops import Array

Kind = TypeVar("Kind", bound="Layer")


class Store:
    """A layer's arrays, and what concerns them. Whoever has the same one has the same weights."""

    readers: weakref.WeakSet[eager.Reader] | None = None
    """Passes that tapes remember."""

    def apart(self) -> Store:
        """The same arrays for a layer of no model, which may be given others."""
        other = Store()
        other.__dict__.update(vars(self), owner=None, _writable={}, readers=None)
        return other

    def __getstate__(self) -> dict[str, Any]:
        """What a copy, or a pickle, has of it: arrays of its own, whoever owns these, and no model."""
        arrays = {
            name: {key: array.copy() for key, array in vars(self)[name].items()} for name in ("_params", "_state")
        }
        return {**vars(self), **arrays, "_writable": {}, "owner": None, "readers": None}


def _kept(name: str) -> Any:
    """An attribute of a layer that lies in its store."""

    def put(layer: Layer, value: Any) -> None:
        layer.__dict__.setdefault("_store", Store()).__dict__[name] = value

    return property(attrgetter(f"_store.{name}"), put)


class Stored:
    """What layers have that keep theirs in a store."""

    if TYPE_CHECKING:
        store: Store
        owner: weakref.ref[Any] | None
        trainable: bool
        built: bool
        version: int
        times_written: int
        _params: Weights
        _state: Weights
        _writable: dict[str, Array]
    else:
        store = property(attrgetter("_store"))
        owner, trainable, built, version, times_written = map(
            _kept, ("owner", "trainable", "built", "version", "times_written")
        )
        _params, _state, _writable = map(_kept, ("_params", "_state", "_writable"))

    def arrays(self) -> tuple[Array, ...]:
        """All weights in order; a layer that was called on values without numbers is built for their shapes first."""
        if not self.built and (shapes := self.__dict__.get("called_on")):
            layer = cast("Layer", self)
            layer.ensure_built(list(shapes) if layer.merges else shapes[0], eager.generator(layer, None))
        if layer_parts := cast("Layer", self).parts:
            return tuple(array for part in layer_parts for array in part.arrays())
        return *self._params.values(), *self._state.values()

    def changing(self) -> None:
        """Say that weights are about to change: whatever tapes remember keeps those that it read."""
        for reader in self.store.readers or ():
            if reader.arrays is None and reader.written == self.times_written:
                reader.arrays = {name: array.copy() for name, array in self._params.items()}

    @contextmanager
    def holding(self, arrays: Mapping[str, Array]) -> Iterator[None]:
        """A block in which parameters have these values: in place, layers within it have the same arrays."""
        there = {name: cast("Layer", self).writable(name) for name in arrays}
        now = {name: array.copy() for name, array in there.items()}
        try:
            self._fill(there, arrays)
            yield
        finally:
            self._fill(there, now)

    def _fill(self, there: Mapping[str, Array], values: Mapping[str, Array]) -> None:
        for name, array in there.items():
            array[...] = values[name]
        self.version += len(there)

    def __copy__(self) -> Any:
        """A layer of no model, with arrays of its own."""
        other: Any = object.__new__(type(self))
        other.__setstate__({**self.__getstate__(), "_store": copy.copy(self.store)})
        return other

    def __getstate__(self) -> dict[str, Any]:
        """What a copy, or a pickle, has of it: not what it gave in a network."""
        return {name: value for name, value in vars(self).items() if name != "_first"}


def again(layer: Kind) -> Kind:
    """The same layer for another place in a network: all in common but its name and its place."""
    other = object.__new__(type(layer))
    other.__dict__.update(layer.__dict__, position=None, fed_by=(), auto_named=True, _base_name=layer.name)
    return other


def each_once(layers: Iterable[Layer]) -> list[Layer]:
    """Of layers that have their weights in common the first alone."""
    found: dict[int, Layer] = {}
    for layer in layers:
        found.setdefault(id(layer.store), layer)
    return list(found.values())
