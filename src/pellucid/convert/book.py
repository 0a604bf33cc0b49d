"""The book's pickles: a dict of arrays W1, b1, W2, b2 and so on, as pellucid.scratch and the book's own code write it.

W and b of the n-th layer that has weights, counted from 1. Layouts: convolution (FN, C, FH, FW) -> (KH, KW, C, O);
Affine (inputs, units) as ours, but behind a Flatten the inputs are counted in order (C, H, W), and are put in ours,
(H, W, C). The book's dropout multiplies by 1 - ratio in use, where ours divides by it in training: for every Dropout of
the model that factor goes into the weights of the layer behind it, or, where a softmax or nothing is behind it, of the
one before it. The pickle is read by an interpreter that knows arrays and runs nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from pellucid.convert.source import Arrange, Source, Stored, Wanted, as_float32
from pellucid.engines.torch.layout import Layout, of_kernel
from pellucid.errors import CheckpointError, ConfigError, DataError
from pellucid.files import safe_pickle
from pellucid.layers import Layer
from pellucid.model import Model
from pellucid.ops.geometry import Array, Shape

PICKLE_START = b"\x80"
"""Of every pickle since protocol 2; Python 3 has never written an older one by itself."""


class BookFile(Source):
    """A pickle of a dict of arrays."""

    framework = "book"
    form = "pickle of the book's parameters"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        try:
            values = safe_pickle.load(path)
        except DataError as error:
            raise CheckpointError(str(error)) from error
        if not isinstance(values, dict):
            self.refuse(f"holds a {type(values).__name__}; expected a dict of arrays W1, b1, W2, b2 and so on")
        wrong = [str(name) for name, value in values.items() if not isinstance(value, np.ndarray)]
        if wrong:
            self.refuse(
                f"what it has under {', '.join(map(repr, wrong))} is no array; expected W1, b1, W2, b2 and so on"
            )
        self._values: dict[str, Array] = {str(name): value for name, value in values.items()}
        self.tensors = {name: Stored(value.shape, value.dtype.name) for name, value in self._values.items()}
        self._head: set[str] = set()

    def _wanted(self, model: Model) -> list[Wanted]:
        wanted, factors = super()._wanted(model), _of_dropout(model)
        scaled = [
            f"{name} of {layer.name} by {number:.6g}"
            for layer, own in factors.items()
            for name, number in own.items()
            if number != 1
        ]
        if scaled:
            self.notes.append(f"the book's dropout multiplies in use too; here its weights are: {', '.join(scaled)}")
        found = [_times(item, factors[item.layer][item.name]) for item in wanted]
        self._head = {item.tensor for item in found if item.in_head}
        return found

    def _names(self, model: Model) -> Iterator[Mapping[str, str]]:
        number = 0
        for layer in model.flat_layers:
            number += bool(layer.weights)
            yield {"kernel": f"W{number}", "bias": f"b{number}"}

    def _expect_known(self, layer: Layer) -> None:
        kernel, groups = layer.params.get("kernel"), getattr(layer, "groups", 1)
        plain = kernel is not None and kernel.ndim != 3 and "bias" in layer.params and groups == 1
        if not plain or layer.role not in ("convolution", "dense"):
            raise ConfigError(
                f"{layer.place()}: the book's files hold plain convolutions and dense layers, with biases"
            )

    def _layout(self, layer: Layer, name: str, array: Array, picture: Shape | None) -> tuple[Shape, Arrange]:
        if array.ndim == 4:
            own = of_kernel(array, None)
        elif array.ndim == 2 and picture is not None:
            own = Layout(array.shape, (*picture, array.shape[1]), (2, 0, 1, 3), array.shape)
        else:
            return super()._layout(layer, name, array, picture)
        return own.shape, own.read

    def is_spare(self, name: str, *, no_top: bool) -> bool:
        return no_top and name in self._head

    def read(self, name: str) -> Array:
        return as_float32(self._values[name])

    def close(self) -> None:
        self._values = {}


def _times(item: Wanted, factor: float) -> Wanted:
    if factor == 1:
        return item
    arrange = item.arrange
    return replace(item, arrange=lambda array: arrange(array) * np.float32(factor))


def _of_dropout(model: Model) -> dict[Layer, dict[str, float]]:
    """What kernel and bias of each layer are multiplied by.

    Errors: ConfigError for dropout in a network with branches, or where no layer beside it could take its factor.
    """
    factors = {layer: dict.fromkeys(layer.params, 1.0) for layer in model.flat_layers if layer.params}
    if model.graph.is_chain:
        before: Layer | None = None  # the last with weights, if what it gives is only scaled up to here
        pending, dropout = 1.0, ""
        for layer in [*model.flat_layers, None]:
            if layer is not None and layer.drop_rate:
                pending, dropout = pending * (1 - layer.drop_rate), layer.place()
            elif layer is not None and layer.params:
                factors[layer]["kernel"] *= pending
                before, pending = layer if _keeps_factors(layer) else None, 1.0
            elif layer is None or not _keeps_factors(layer):
                if pending != 1 and before is None:
                    raise ConfigError(f"{dropout}: the book scales here in use, and no layer beside it can take that")
                if before is not None:
                    factors[before] = {name: number * pending for name, number in factors[before].items()}
                before, pending = None, 1.0
    elif any(layer.drop_rate for layer in model.flat_layers):
        raise ConfigError(f"{model.name}: has branches and dropout; the book's networks are layers in a row")
    return factors


def _keeps_factors(layer: Layer) -> bool:
    """Whether f(c * x) = c * f(x) for c above 0, of what it does behind its weights."""
    how = layer.nonlinearity
    linear = layer.role in ("convolution", "dense", "pooling", "flatten", "rearrangement", "input")
    return linear if how is None else how.kind in ("relu", "leaky_relu")
