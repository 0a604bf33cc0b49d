"""The book's pickles: a dict of arrays W1, b1, W2, b2 and so on, as pellucid.scratch and the book's own code write it.

W and b of the n-th layer that has weights, counted from 1. Layouts: convolution (FN, C, FH, FW) -> (KH, KW, C, O);
Affine (inputs, units) as ours, but behind a Flatten the inputs are counted in order (C, H, W), and are put in ours,
(H, W, C). The pickle is read by an interpreter that knows arrays and runs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pellucid.convert.source import Arrange, Source, Stored, Wanted, as_float32, from_oihw, from_rows
from pellucid.errors import CheckpointError, ConfigError, DataError
from pellucid.files import safe_pickle
from pellucid.layers import Layer
from pellucid.model import Model
from pellucid.ops.geometry import Array, Shape

PICKLE_START = b"\x80"
"""Of every pickle since protocol 2; Python 3 has never written an older one by itself."""


KINDS = ("convolution", "dense")
"""What the book has of layers with weights."""


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
        found: list[Wanted] = []
        number, head = 0, False
        flattened: Shape | None = None
        for visit in model.graph.walk():
            layer = visit.layer
            if layer.params or layer.state:
                number += 1
                for name, letter, sizes, arrange in _arrays(layer, flattened):
                    found.append(Wanted(layer, name, f"{letter}{number}", sizes, arrange, head))
                flattened = None
            if layer.role == "flatten":
                head, flattened = True, visit.input_shape
        self._head = {item.tensor for item in found if item.in_head}
        return found

    def is_spare(self, name: str, *, no_top: bool) -> bool:
        return no_top and name in self._head

    def num_classes(self) -> int | None:
        dense = [name for name, stored in self.tensors.items() if len(stored.shape) == 2]
        last = max(dense, key=lambda name: (len(name), name), default=None)  # W10 comes after W9
        return None if last is None else self.tensors[last].shape[1]

    def read(self, name: str) -> Array:
        return as_float32(self._values[name])

    def close(self) -> None:
        self._values = {}


def _arrays(layer: Layer, flattened: Shape | None) -> Sequence[tuple[str, str, Shape, Arrange]]:
    """(our name, the book's letter, the shape there, the way back) for each array of a layer.

    Errors: ConfigError for a layer the book does not have.
    """
    kernel, bias = layer.params.get("kernel"), layer.params.get("bias")
    groups = getattr(layer, "groups", 1)
    if kernel is None or bias is None or groups != 1 or layer.role not in KINDS or kernel.ndim == 3:
        raise ConfigError(f"{layer.place()}: the book's files hold plain convolutions and dense layers, with biases")
    if kernel.ndim == 4:
        return (
            ("kernel", "W", tuple(kernel.shape[axis] for axis in (3, 2, 0, 1)), from_oihw),
            ("bias", "b", bias.shape, np.asarray),
        )
    return (("kernel", "W", kernel.shape, _from_columns(flattened)), ("bias", "b", bias.shape, np.asarray))


def _from_columns(picture: Shape | None) -> Arrange:
    """Affine weights (inputs, units); a picture (H, W, C) among the inputs was flattened channels first."""
    arrange = from_rows(picture)
    return lambda weight: arrange(weight.T)
