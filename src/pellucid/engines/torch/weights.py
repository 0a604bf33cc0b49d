"""The weights of a module in one vector on its device, gradients and moments beside it; to and from the layers.

The vectors have the trainable parameters of the module in the order of ours, each as the module has it, so that an
optimizer's formula runs over all of them at once. Kernels of convolutions lie with the channels last.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from pellucid.engines.torch.network import Network, tensor_of
from pellucid.engines.torch.state import Entry
from pellucid.layers.parameters import ALIGNMENT, FlatParameters, Segment
from pellucid.ops.geometry import Array


@dataclass(frozen=True)
class Place:
    """Where a trainable parameter lies: at `start` of the vectors. segment: where in ours."""

    entry: Entry
    segment: Segment
    start: int

    def view(self, vector: Tensor) -> Tensor:
        """The part of a vector, in the module's shape."""
        shape = self.entry.layout.shape
        numbers = vector[self.start : self.start + int(np.prod(shape))]
        if len(shape) != 4:
            return numbers.view(shape)
        outputs, inputs, height, width = shape
        return numbers.view(outputs, height, width, inputs).permute(0, 3, 1, 2)


class Weights:
    """The module's parameters as views of `vector`, and of `gradients`.

    slots: the optimizer's moments of the model, which are copied, too.
    """

    def __init__(self, network: Network, parameters: FlatParameters, slots: Mapping[str, Array]) -> None:
        self.parameters, self._slots, self._network = parameters, slots, network
        held = network.state_dict(keep_vars=True)
        like = next(tensor for tensor in held.values() if tensor.is_floating_point())
        found = {(entry.layer.name, entry.name): entry for entry in network.entries}
        self.places: list[Place] = []
        start = 0
        for segment in parameters.segments:
            if segment.trainable and (segment.layer, segment.name) in found:
                place = Place(found[segment.layer, segment.name], segment, start)
                self.places.append(place)
                start += -(-int(np.prod(place.entry.layout.shape)) // ALIGNMENT) * ALIGNMENT
        self.vector, self.gradients = like.new_zeros(start), like.new_zeros(start)
        self.moments = {name: like.new_zeros(start) for name in slots}
        trained = set()
        self._trained: list[tuple[nn.Parameter, Tensor]] = []
        self._between: list[tuple[Tensor, Tensor]] = []
        """Weights of tables, and where the module has numbers that the layer has not."""
        for place in self.places:
            parameter = held[place.entry.key]
            parameter.data, parameter.grad = place.view(self.vector), place.view(self.gradients)
            self._trained.append((parameter, parameter.grad))
            trained.add(place.entry.key)
            self._find_between(place.entry, parameter)
        self._others = [(entry, held[entry.key]) for entry in network.entries if entry.key not in trained]

    def _find_between(self, entry: Entry, parameter: nn.Parameter) -> None:
        known = entry.layout.write(np.ones(entry.array.shape, np.float32))
        if known.size > entry.array.size:
            outside = tensor_of(known).to(parameter.device) == 0
            self._between.append((parameter.data, outside))
            parameter.register_hook(lambda gradient: gradient.masked_fill(outside, 0))

    def keep_zeros(self) -> None:
        """Between the kernels of a table, where no gradient goes, an optimizer may divide 0 by 0."""
        for weights, outside in self._between:
            weights.masked_fill_(outside, 0)

    def collect(self, back: Callable[[], object]) -> None:
        """The gradients of one way back. PyTorch would add them to zeros, which takes longer than to copy them."""
        for parameter, _ in self._trained:
            parameter.grad = None
        back()
        with torch.no_grad():
            for parameter, view in self._trained:
                view.zero_() if parameter.grad is None else view.copy_(parameter.grad)
                parameter.grad = view

    def take(self) -> None:
        """Copy what the layers and the optimizer hold."""
        with torch.no_grad():
            for place in self.places:
                self._write(place, self.vector, self.parameters.view(place.segment))
                for name, vector in self.moments.items():
                    self._write(place, vector, self.parameters.slot(self._slots[name], place.segment))
            for entry, tensor in self._others:  # running statistics, and what is not trained
                tensor.data.copy_(tensor_of(entry.layout.write(entry.array)))

    def give(self) -> None:
        """Copy it back, with the last gradients."""
        vector, gradients = self.vector.cpu(), self.gradients.cpu()
        moments = {name: moment.cpu() for name, moment in self.moments.items()}
        for place in self.places:
            _read(place, vector, self.parameters.view(place.segment))
            _read(place, gradients, self.parameters.gradient(place.segment))
            for name, moment in moments.items():
                _read(place, moment, self.parameters.slot(self._slots[name], place.segment))
        for entry, tensor in self._others:
            if entry.name in entry.layer.state:
                entry.layer.state[entry.name][...] = entry.layout.read(tensor.cpu().numpy())
                entry.layer.version += 1

    def _write(self, place: Place, vector: Tensor, array: Array) -> None:
        place.view(vector).copy_(tensor_of(place.entry.layout.write(array)))


def _read(place: Place, vector: Tensor, target: Array) -> None:
    target[...] = place.entry.layout.read(place.view(vector).contiguous().numpy())
