"""A layer's arrays by name, which stay its arrays: what is assigned is written into them."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any

from pellucid.errors import ConfigError
from pellucid.ops import Array

if TYPE_CHECKING:
    from pellucid.layers.layer import Layer


class Weights(MutableMapping[str, Array]):
    """name -> array. Until its layer is built an ordinary dictionary; then its names stay, and their arrays too.

    Whoever computes holds the arrays themselves, so `weights["kernel"] = new` writes into the one that is there.
    Errors: ConfigError for a name more or less than the layer was built with; as `Layer.set_weights` for a value.
    """

    def __init__(self, layer: Layer, arrays: Mapping[str, Array]) -> None:
        self._layer = weakref.ref(layer)
        self._arrays = dict(arrays)

    def __getitem__(self, name: str) -> Array:
        return self._arrays[name]

    def __setitem__(self, name: str, value: Any) -> None:
        layer = self._layer()
        if layer is None or not layer.built:
            self._arrays[name] = value
        elif name in self._arrays:
            layer.write(name, value)
        else:
            raise self._other_names(layer, name)

    def add(self, name: str, value: Array) -> None:
        """One more, of a layer that makes its weights one by one."""
        self._arrays[name] = value

    def __delitem__(self, name: str) -> None:
        layer = self._layer()
        if layer is not None and layer.built:
            raise self._other_names(layer, name)
        del self._arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def __or__(self, other: Mapping[str, Array]) -> dict[str, Array]:
        return {**self._arrays, **other}

    def __repr__(self) -> str:
        shapes = (f"{name} {'x'.join(map(str, array.shape))}" for name, array in self._arrays.items())
        return f"<{', '.join(shapes) or 'no arrays'}>"

    def _other_names(self, layer: Layer, name: str) -> ConfigError:
        names = ", ".join(self._arrays) or "none"
        return ConfigError(f"{layer.name!r} was built with the arrays {names}: {name!r} cannot be added or taken away")
