"""A layer's weights as variables: live, with `assign`, and known to every tape."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pellucid.autodiff import Tensor, Variable
from pellucid.ops import Array

if TYPE_CHECKING:
    from pellucid.layers.layer import Layer


class LayerWeight(Variable):
    """One array of a layer, wherever that lies at the moment: a model moves it when it lays its own out."""

    def __init__(self, layer: Layer, name: str, around: Layer | None = None) -> None:
        self._layer, self.name, self._around = layer, name, layer if around is None else around

    @property
    def key(self) -> Any:
        return id(self._layer.store), self.name

    @property
    def owner(self) -> Any:
        return self._layer

    @property
    def array(self) -> Array:
        return self._layer.writable(self.name)

    @property
    def path(self) -> str:
        return f"{self._layer.name}/{self.name}"

    @property
    def trainable(self) -> bool:  # type: ignore[override]
        """Whether it is trained: a layer around its own may be frozen, too."""
        return self._layer.trainable and self._around.trainable and self.name in self._layer.params

    def changing(self) -> None:
        for layer in {id(one): one for one in (self._layer, self._around)}.values():
            layer.changing()

    def changed(self) -> None:
        self._layer.changed(self.name)

    def bounded(self) -> None:
        bound = self._layer.constraints().get(self.name)
        if bound is not None:
            self.array[...] = bound(self.array)


class WeightArray(Tensor):
    """A live, read-only array of a layer's, which is what its variable is, too: `name`, `numpy()`, `assign`."""

    variable: LayerWeight | None = None
    """None of what is calculated from it, or a part of it."""

    @classmethod
    def of(cls, weight: LayerWeight) -> WeightArray:
        """What the variable holds."""
        made = weight.array.view(cls)
        made.flags.writeable = False
        made.variable, made.node = weight, weight.node if weight.trainable else None
        return made

    def numpy(self) -> Any:
        """A copy of its numbers, as a plain array."""
        return super().numpy() if self.variable is None else self.variable.numpy()

    def __getattr__(self, name: str) -> Any:
        if self.variable is None or name.startswith("_"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(self.variable, name)


def _weights(layer: Layer, names: Iterable[str]) -> Iterator[LayerWeight]:
    """The weights that a layer calls so; those of layers within it are theirs."""
    places: Mapping[str, Any] = getattr(layer, "weight_places", {})
    found = (places.get(name, (layer, name)) for name in names)
    return (LayerWeight(holder, own, layer) for holder, own in found)


def weights_of(layer: Layer) -> list[LayerWeight]:
    """All, parameters first."""
    if layer.parts:
        return [weight for part in layer.parts for weight in weights_of(part)]
    return list(_weights(layer, (*layer.params, *layer.state)))


def arrays_of(layer: Layer) -> list[WeightArray]:
    """What a layer keeps, parameters first; of layers within it, too."""
    return [WeightArray.of(weight) for weight in _weights(layer, (*layer.params, *layer.state))]


def parameters_of(layer: Layer) -> dict[str, LayerWeight]:
    """Its parameters, by what itself calls them: a layer within has names of its own."""
    return dict(zip(layer.params, _weights(layer, layer.params), strict=True))


VIEWS: Mapping[str, Callable[[Any], bool]] = {
    "variables": lambda weight: True,
    "trainable_variables": lambda weight: weight.trainable,
    "trainable_weights": lambda weight: weight.trainable,
    "non_trainable_variables": lambda weight: not weight.trainable,
    "non_trainable_weights": lambda weight: not weight.trainable,
}
"""What Keras calls lists of weights, and which are in them."""


def penalties_of(layer: Layer) -> list[Any]:
    """What its weights' penalties add to the loss while it is trained, as calculations that a tape follows."""
    weights = parameters_of(layer)
    return [
        penalty.l1 * abs(weights[name]).sum() + penalty.l2 * (weights[name] * weights[name]).sum()
        for name, penalty in (layer.penalties() if layer.trainable else {}).items()
        if name in weights
    ]


def weight_called(layer: Layer, name: str) -> Any:
    """The weight of this name, or of Keras's for it, or the list of weights that Keras calls so; else None."""
    if name == "losses":
        return penalties_of(layer)
    if name in VIEWS:
        return [weight for weight in weights_of(layer) if VIEWS[name](weight)]
    store = vars(layer.__dict__.get("_store", layer))
    for arrays in (store.get("_params", {}), store.get("_state", {})):
        for own in (name, name.removeprefix("moving_")):
            if own in arrays:
                return LayerWeight(layer, own)
    return None
