"""A network that a foreign file describes: its layers called on values, then the weights that the file has for them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pellucid.datasets.transforms import Preprocessing
from pellucid.errors import CheckpointError, PellucidError
from pellucid.layers import Input, Layer
from pellucid.layers.graph import INPUT
from pellucid.layers.store import each_once
from pellucid.layers.symbolic import Symbolic, calls_behind
from pellucid.model import Model, Sequential
from pellucid.model.blank import FAULTS, Blank, drawing
from pellucid.model.file import MAX_GROWTH, SPARE_WEIGHTS
from pellucid.ops.geometry import Array, Shape

MAX_LISTED = 4
UNSAID = "pixels from 0 to 255 go in as they are; if it learned from others, import it with --scaling plain (by 255)"
"""What is said where neither the file nor anybody else says how pictures are scaled."""


@dataclass(frozen=True)
class Read:
    """A network with its weights; what its file is, in words; how pictures are scaled for it, and what was done."""

    model: Model
    form: str
    scaling: str
    notes: tuple[str, ...] = ()


def take_pixels(model: Model) -> list[str]:
    """Give a model pixels as they are, stretched to its size, as Keras's own readers of pictures do; and what is to be
    said of it: no such file tells what was done to pictures before, unless a layer does it."""
    if len(model.graph.input_shape) != 3:
        model.preprocessing = Preprocessing(scale=1.0)
        return []
    height, width, channels = model.graph.input_shape
    known = channels if channels in (1, 3) else None
    model.preprocessing = Preprocessing(scale=1.0, size=(height, width), resize="stretch", channels=known)
    if any(node.layer.role == "rescaling" and INPUT in node.inputs for node in model.graph.nodes):
        return []
    return [UNSAID]


@dataclass(frozen=True)
class Held:
    """An array of a file: its name there, its shape as our layer has it, and how it is read in our layout."""

    name: str
    shape: Shape
    read: Callable[[], Array]


@dataclass
class Draft:
    """Layers called on values, and the arrays that the file has for each, in the order of `[*params, *state]`."""

    path: Path
    inputs: Input
    outputs: list[Symbolic]
    arrays: dict[Layer, list[Held]] = field(default_factory=dict)
    in_row: bool = False
    """Whether it is to be a Sequential."""

    def network(self, name: str) -> Model:
        """The network with its weights.

        Errors: CheckpointError where layers do not fit together, and for arrays that are missing, left over or of
        another shape; memory is taken for little more numbers than the file has.
        """
        numbers = sum(math.prod(held.shape) for arrays in self.arrays.values() for held in arrays)

        def refuse(shape: Shape) -> CheckpointError:
            return CheckpointError(f"a layer has weights of shape {shape}, the file has {numbers} numbers in all")

        try:
            blank = Blank(MAX_GROWTH * numbers + SPARE_WEIGHTS, refuse)  # what is missing is listed
            model = self.made(name, blank)
        except FAULTS as error:
            raise self.fault(str(error) or type(error).__name__) from error
        self._fill(model.flat_layers)
        return model

    def made(self, name: str, blank: Blank | None, seed: int = 0) -> Model:
        """The network with weights drawn anew, from `blank` where there is one. Errors: as its layers."""
        layers = [value.layer for value in calls_behind(self.outputs, self.inputs, name)]
        with nullcontext() if blank is None else drawing(layers, blank):
            if self.in_row:
                model: Model = Sequential([self.inputs, *layers], name, seed=seed)
            else:
                model = Model(self.inputs, self.outputs, name, seed=seed)
            model.build()
        first = {id(layer.store): layer for layer in layers}
        for layer in model.flat_layers:  # one that is called again was made while all drew from `blank`
            same = vars(first.get(id(layer.store), layer))
            vars(layer).update({name: value for name, value in same.items() if name.endswith("_initializer")})
        return model

    def numbers(self, model: Model) -> dict[Symbolic, int]:
        """The values by the numbers of the layers that give them in a model that was made of them."""
        found: dict[Symbolic, int] = {self.inputs: INPUT}
        stands = iter(enumerate(model.flat_layers))
        for value in calls_behind(self.outputs, self.inputs, model.name):
            found[value] = next(number for number, layer in stands if layer.store is value.layer.store)
        return found

    def _fill(self, made: Sequence[Layer]) -> None:
        faults = []
        for layer in each_once(made):
            own = {**layer.params, **layer.state}
            given = self.arrays.get(layer, [])
            faults += [f"{layer.name}/{name} {own[name].shape} is missing" for name in list(own)[len(given) :]]
            faults += [f"{held.name} is left over" for held in given[len(own) :]]
            for (name, array), held in zip(own.items(), given, strict=False):
                if array.shape != held.shape:
                    faults.append(f"{held.name} has shape {held.shape}, {layer.name}/{name} is {array.shape}")
        if faults:
            more = f" and {len(faults) - MAX_LISTED} more" if len(faults) > MAX_LISTED else ""
            raise self.fault(f"weights do not fit its layers: {'; '.join(faults[:MAX_LISTED])}{more}")
        for layer in made:
            if self.arrays.get(layer):
                try:
                    layer.set_weights([held.read() for held in self.arrays[layer]])
                except PellucidError as error:
                    raise self.fault(str(error)) from error
            variance = layer.state.get("variance")
            if variance is not None and (variance < 0).any():
                raise self.fault(f"{layer.name}/variance holds negative numbers; it was changed")

    def broken(self) -> list[str]:
        """The layers whose weights hold NaN or infinity."""
        return [layer.name for layer in self.arrays if not all(np.isfinite(array).all() for array in layer.weights)]

    def fault(self, what: str) -> CheckpointError:
        """The error for this file."""
        return CheckpointError(f"{self.path}: {what:.2000}")
