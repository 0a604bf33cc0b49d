"""A network of ours as a module of PyTorch's: the rows of the table, run."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pellucid.engines.torch import modules
from pellucid.engines.torch.batch_norm import BatchNorm
from pellucid.engines.torch.expression import Function, always, function_of
from pellucid.engines.torch.layout import flattened
from pellucid.engines.torch.state import Entry, attributes, entries
from pellucid.engines.torch.table import flattening, text
from pellucid.layers import Layer
from pellucid.layers.graph import Graph, Visit
from pellucid.layers.layer import Key
from pellucid.ops.geometry import Array


class _Drawn(torch.autograd.Function):
    """A layer that changes pictures at random, by its own forward and backward on the host: the draws are the same."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, layer: Layer, key: Key) -> Tensor:
        pictures = np.ascontiguousarray(x.detach().movedim(1, -1).float().cpu().numpy())
        y, ctx.cache = layer.forward(pictures, training=True, key=key)
        ctx.layer = layer
        return first(torch.from_numpy(y)).to(x.device, x.dtype)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor, None, None]:
        given = np.ascontiguousarray(dy.movedim(1, -1).float().cpu().numpy())
        return first(torch.from_numpy(ctx.layer.backward_input(given, ctx.cache))).to(dy.device, dy.dtype), None, None


class _Modules:
    """torch.nn with those of its modules that follow another rule while training. The others have no weights yet, which
    would be drawn in vain."""

    BatchNorm1d = BatchNorm2d = BatchNorm

    def __getattr__(self, name: str) -> Any:
        kind = getattr(nn, name)
        return partial(kind, device="meta") if "device" in inspect.signature(kind).parameters else kind


NAMES: Mapping[str, Any] = {
    **{"torch": torch, "F": F, "nn": _Modules(), "float": float},
    **{name: kind for name, kind in vars(modules).items() if getattr(kind, "__module__", "") == modules.__name__},
}
"""What the table's expressions call."""


OVERWRITING = ("F.relu({x}", "F.hardtanh({x}")
"""Steps that can write their result over what they read."""
MAKING = (nn.modules.conv._ConvNd, nn.Linear, BatchNorm)
"""Modules whose results are new tensors, which they need no more on the way back."""


class Network(nn.Module):
    """The layers of a graph as modules, under their names; weights are the layers', copied.

    Shapes: (N, C, H, W) in any memory format, series (N, C, W), rows (N, C) -> what the graph answers, likewise; a list
    of such for several outputs.
    in_place: what nobody else reads is overwritten, which saves memory and the time to get it.
    Errors: ConfigError, naming it, for a layer that PyTorch has nothing like.
    """

    def __init__(self, graph: Graph, *, in_place: bool = False) -> None:
        super().__init__()
        self._graph, self._in_place = graph, in_place
        self.draws: tuple[int, int] = (0, 0)
        """(seed, step), by which layers that change pictures draw."""
        self._names = attributes(graph.layers)
        _, fixed = flattened(graph)
        self._steps: dict[int, list[Function]] = {}
        self._own: dict[int, dict[str, nn.Module]] = {}
        readers, fresh = graph.readers(), set[int]()
        """Values that a module has made, and only one layer reads."""
        for visit in graph.walk():
            new = self._add(visit, kept_order=visit.number in fixed, new=fresh.issuperset(visit.inputs))
            if new and len(readers[visit.number]) == 1 and visit.number not in graph.outputs:
                fresh.add(visit.number)
        self._entries = tuple(entries(graph))
        weights = {entry.key: tensor_of(entry.layout.write(entry.array)).clone() for entry in self._entries}
        self.load_state_dict(weights, assign=True, strict=False)
        held = self.state_dict(keep_vars=True)
        for entry in self._entries:
            target = held[entry.key]
            if entry.name not in {**entry.layer.params, **entry.layer.state} or not entry.layer.trainable:
                target.requires_grad_(False)
        self._norms: list[BatchNorm] = []
        for visit in graph.walk():
            for part in self._own[visit.number].values():
                if isinstance(part, BatchNorm) and part not in self._norms:
                    part.frozen = not visit.layer.trainable
                    self._norms.append(part)

    def _add(self, visit: Visit, *, kept_order: bool, new: bool) -> bool:
        """new: what the layer reads may be overwritten. Whether so may what it gives."""
        layer = visit.layer
        written = text(layer, visit)
        if kept_order:
            written = flattening(visit, channels_last=True)
        own: dict[str, nn.Module] = {}
        for part, made in written.modules.items():
            name = f"{self._names[layer]}{part}"
            if name not in self._modules:
                self.add_module(name, function_of(made, NAMES)({}))
            own[f"own{part}"] = self.get_submodule(name)
        steps = [] if layer.role in ("dropout", "noise") and layer.steady else written.steps
        fixed = {**NAMES, **own}
        self._own[visit.number] = own
        self._steps[visit.number] = functions = []
        for step in steps:
            if new and self._in_place and step.startswith(OVERWRITING):
                step = f"{step[:-1]}, inplace=True)"
            functions.append(function_of(_named(step, len(visit.inputs)), fixed, self._kept))
            new = step.startswith("{self}") and all(isinstance(part, MAKING) for part in own.values())
        return new

    def _kept(self, value: Any) -> Function:
        """A constant: a tensor goes where the module goes."""
        if not isinstance(value, Tensor):
            return always(value)
        name = f"_constant{sum(1 for _ in self.buffers())}"
        self.register_buffer(name, value, persistent=False)
        return lambda values: getattr(self, name)

    def forward(self, x: Tensor) -> Any:
        for norm in self._norms:
            norm._passed = None
        return self._graph.run(x, self._run)

    def _run(self, number: int, layer: Layer, read: Any) -> Any:
        if layer.role == "augmentation" and self.training and not layer.steady:
            place = number if layer.position is None else layer.position
            return _Drawn.apply(read, layer, (*self.draws, place))
        given = read if layer.merges else [read]
        values = {"self": self, "x": given[0], **{f"x{place}": one for place, one in enumerate(given)}}
        for step in self._steps[number]:
            values["x"] = step(values)
        return values["x"]

    def defer_state(self) -> None:
        """From now on running numbers change when `apply_state` is called."""
        for norm in self._norms:
            norm.deferred = True

    def apply_state(self) -> None:
        """Take the last pass into the running numbers of batch norms."""
        for norm in self._norms:
            norm.apply_state()

    @property
    def passed(self) -> list[Tensor]:
        """What the running numbers are after the last pass, of each batch norm that changes them its two."""
        return [tensor for norm in self._norms for tensor in norm._passed or ()]

    @passed.setter
    def passed(self, tensors: Sequence[Tensor]) -> None:
        changing = [norm for norm in self._norms if norm._passed is not None]
        for norm, mean, variance in zip(changing, tensors[::2], tensors[1::2], strict=True):
            norm._passed = mean, variance

    @property
    def entries(self) -> Sequence[Entry]:
        """The arrays of the layers, by their keys in the state dict."""
        return self._entries

    @property
    def draws_at_random(self) -> bool:
        """Whether a training pass depends on PyTorch's generator."""
        return any(layer.role in ("dropout", "noise") and not layer.steady for layer in self._graph.layers)

    @property
    def draws_on_host(self) -> bool:
        """Whether a layer changes pictures by draws of ours."""
        return any(layer.role == "augmentation" and not layer.steady for layer in self._graph.layers)


def _named(step: str, count: int) -> str:
    """A step with names for what stands in braces."""
    for place in range(count):
        step = step.replace(f"{{{place}}}", f"x{place}")
    return step.replace("{x}", "x").replace("{self}", "own")


def tensor_of(array: Array) -> Tensor:
    """A tensor of these numbers, in the array's memory where that may be written."""
    return torch.from_numpy(np.require(array, np.float32, ["C", "W"]))


def first(pictures: Tensor) -> Tensor:
    """Channels first, in the memory as they are: a view."""
    return pictures.movedim(-1, 1) if pictures.ndim > 2 else pictures
