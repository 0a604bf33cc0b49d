"""Sequential as Keras has it: models may stand among its layers, and the input's shape may come with the pictures."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import pellucid.model.model as ours
from pellucid._arguments import several
from pellucid.datasets.transforms import Preprocessing
from pellucid.errors import ConfigError, shown
from pellucid.keras.composed import Layer as Composed
from pellucid.keras.model import Model
from pellucid.keras.nesting import auto_name
from pellucid.keras.seeds import next_seed
from pellucid.keras.tensor import InputLayer
from pellucid.layers import Layer
from pellucid.layers.numbering import next_number
from pellucid.layers.stack import Row
from pellucid.layers.symbolic import Symbolic, calls_behind
from pellucid.model.network import Network


class Sequential(Model, ours.Sequential):  # type: ignore[misc]  # Keras calls the path of `save` otherwise
    """Layers in a row, as Keras has it: models may stand among them."""

    def __init__(self, layers: Sequence[Any] | None = None, trainable: bool = True, name: str | None = None) -> None:
        Network.__init__(self, name or auto_name(type(self).__name__), seed=next_seed(), exact_convolution=False)
        self.preprocessing = Preprocessing(scale=1.0)
        self._waiting: list[Any] = []
        for layer in () if layers is None else several(layers, f"{type(self).__name__}: layers"):
            self._add(layer)
        self._count()
        if not trainable:
            self.trainable = False

    def _changes_pictures(self) -> bool:
        own = [*self.flat_layers, *self._waiting]
        return bool(own) and all(getattr(layer, "takes_one", False) for layer in own)

    @property
    def waits_for_pictures(self) -> bool:
        return bool(self.flat_layers or self._waiting)

    @property
    def layers(self) -> Any:
        """As of every model, those that wait for the input's shape, too."""
        return Row([*super().layers, *self._waiting])

    @property
    def reads(self) -> Any:
        """As of every model, where models in it are no rows of layers."""
        return None if self.graph.is_chain else Model.reads.fget(self)  # type: ignore[attr-defined]

    def _count(self) -> None:
        """Keras makes a functional model of its own of a row each time it is built, and numbers that."""
        if self.flat_layers and self._input_shape is not None:
            next_number("Functional")

    def add(self, layer: Any) -> None:
        """Put a layer, or a model, at the end; at once where the input's shape is known."""
        self._add(layer)
        self._count()

    def _add(self, layer: Any) -> None:
        first = self._input_shape is None and not self.flat_layers and not self._waiting
        stated = (
            None
            if isinstance(layer, ours.Model | Symbolic)
            else getattr(layer, "stated_shape", None) or layer.input_shape
        )
        if first and stated is not None:
            self.attach(InputLayer(stated), ())
        if isinstance(layer, Layer) and not isinstance(layer, Composed) and not self._waiting:
            ours.Sequential.add(self, layer)
            return
        if not isinstance(layer, Layer | ours.Model):
            raise ConfigError(f"{self.name}: only layers and models can be added, got {shown(layer)}")
        if first and isinstance(layer, ours.Model) and layer._input_shape is not None:
            shape = layer.input.shape[1:] if isinstance(layer, Model) else layer._input_shape
            self.attach(InputLayer(list(shape)), ())
        if self._input_shape is None:
            self._waiting.append(layer)
        else:
            self._inline(layer)

    def _inline(self, layer: Any) -> None:
        """Put at the end what a model, or a layer made of layers, gives for the value that stands there."""
        shape = self.graph.output_shape if self.flat_layers else self._input_shape
        source = InputLayer(shape or (), name="before")
        answer = layer(source)
        numbers: dict[Symbolic, int] = {source: len(self.flat_layers) - 1}
        for value in [] if answer is source else calls_behind([answer], source, self.name):
            self._place(value, tuple(numbers[read] for read in value.inputs))
            numbers[value] = len(self.flat_layers) - 1

    def build(self, input_shape: Sequence[int | None] | None = None) -> None:
        """As ours; one that has its weights keeps the input's shape, with a warning, where another is given."""
        if input_shape is not None and self.built and not self._waiting:
            sizes = tuple(input_shape)[1 if input_shape[0] is None else 0 :]
            if sizes != self.input_shape[-len(sizes) :] and None not in sizes:
                said = f"{self.name} is built for {self.input_shape}, build({input_shape}) changes nothing"
                warnings.warn(said, stacklevel=2)
                return
        super().build(input_shape)

    def _build(self, input_shape: Sequence[int | None] | None) -> None:
        if self._waiting and input_shape is not None:
            given = list(input_shape)
            if self.flat_layers:
                ours.Sequential._build(self, input_shape)
            else:
                self.attach(InputLayer(given[1:] if given and given[0] is None else given), ())
            waiting, self._waiting = self._waiting, []
            for layer in waiting:
                self._inline(layer)
            self._count()
        else:
            first = self._input_shape is None
            ours.Sequential._build(self, input_shape)
            if first:
                self._symbols = [InputLayer(self._input_shape or ())], []
                self._count()

    def pop(self) -> Layer:
        """Take the last layer off and return it."""
        layer = self.detach()
        self._count()
        return layer
