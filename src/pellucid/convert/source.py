"""A file of weights, indexed but not yet read: which arrays it holds, and how to read one."""

from __future__ import annotations

import abc
import hashlib
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, NoReturn, Self

import numpy as np

from pellucid.datasets.download import Progress
from pellucid.engines.torch.layout import flattened
from pellucid.errors import CheckpointError, ConfigError
from pellucid.layers import Layer
from pellucid.model import Model
from pellucid.ops.geometry import Array, Shape

HASH_CHUNK = 1 << 22


@dataclass(frozen=True)
class Stored:
    """What the index says of one array: its shape, and its kind of numbers in words."""

    shape: Shape
    dtype: str

    @property
    def is_float(self) -> bool:
        return self.dtype.startswith(("float", "bfloat"))


Arrange = Callable[[Array], Array]
"""From the file's axes to ours."""


@dataclass(frozen=True)
class Wanted:
    """One array of a layer, and the file's array that it is made from.

    shape: in the file. in_head: the layer comes after the pictures were flattened.
    """

    layer: Layer
    name: str
    tensor: str
    shape: Shape
    arrange: Arrange
    in_head: bool


class Source(abc.ABC):
    """An opened file. Its index is checked; its arrays are read one by one, by name, as float32.

    framework: whose names and layouts the arrays have, "torch", "keras" or "book". form: what the file is, in words.
    units_axis: where a dense layer's weights have its units. channels_first: maps are flattened channel by channel.
    notes: what was done to find the arrays, in words.
    by_order: the file's modules that were found by shapes and order, and our layer that each is.
    """

    framework: ClassVar[str]
    units_axis: ClassVar[int] = 1
    channels_first: ClassVar[bool] = True
    form: str

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tensors: dict[str, Stored] = {}
        self.notes: list[str] = []
        self.by_order: Mapping[str, str] = {}

    def wanted(self, model: Model, *, blue_first: bool) -> list[Wanted]:
        """For every weight of a model, the array of the file it comes from, whether the file has it or not.

        blue_first: turn the first kernel's channels round, because the file's network saw blue, green, red.
        Errors: ConfigError for a layer with weights that such files have in no form known here.
        """
        items = self._wanted(model)
        first = next((place for place, item in enumerate(items) if len(item.shape) == 4), None)
        if blue_first and first is not None and items[first].layer.params[items[first].name].shape[2] == 3:
            arrange = items[first].arrange
            items[first] = replace(items[first], arrange=lambda kernel: arrange(kernel)[:, :, ::-1])
        return items

    def _wanted(self, model: Model) -> list[Wanted]:
        """The same with channels in the file's order, in the order of the model."""
        for layer in model.flat_layers:
            if layer.weights:
                self._expect_known(layer)
        found: list[Wanted] = []
        depth = model.graph.features_depth()
        pictures, fixed = flattened(model.graph)
        for visit, names in zip(model.graph.walk(), self._names(model), strict=True):
            layer = visit.layer
            for name, array in (layer.params | layer.state).items():
                shape, arrange = self._layout(layer, name, array, pictures.get(visit.number))
                if array.ndim > 1 and fixed and visit.number > fixed[0] and self.channels_first:
                    kept = model.flat_layers[fixed[0]].place()
                    raise ConfigError(f"{kept}: what reads it does not tell whether the file counts its channels first")
                in_head = depth is not None and visit.number >= depth
                found.append(Wanted(layer, name, names[name], shape, arrange, in_head))
        return found

    @abc.abstractmethod
    def _names(self, model: Model) -> Iterator[Mapping[str, str]]:
        """For each layer of the walk, what the file calls its arrays: our name -> the file's."""

    @abc.abstractmethod
    def _expect_known(self, layer: Layer) -> None:
        """Errors: ConfigError for a layer whose weights such files have in no form known here."""

    def _layout(self, layer: Layer, name: str, array: Array, picture: Shape | None) -> tuple[Shape, Arrange]:
        """An array's shape in the file, and the way back. picture: what was flattened before it, see `flattened`."""
        return array.shape, np.asarray

    @abc.abstractmethod
    def is_spare(self, name: str, *, no_top: bool) -> bool:
        """Whether an array may be left over: it is no weight, or of a head that was not asked for."""

    def take_by_order(self, model: Model, wanted: Sequence[Wanted], *, no_top: bool) -> str:
        """Where names do not fit, find what is wanted by shapes and order, if these are clear: `tensors` has the right
        names then. Returns why they are not; "" too for files where nothing is found so."""
        return ""

    def num_classes(self) -> int | None:
        """How many classes the last dense layer tells apart; None where there is no dense layer."""
        dense = [name for name, stored in self.tensors.items() if len(stored.shape) == 2]
        last = max(dense, key=in_numbers, default=None)
        return None if last is None else self.tensors[last].shape[self.units_axis]

    def has_batch_norm(self) -> bool:
        """Whether the network has batch normalisation."""
        return False

    def finish(self, model: Model) -> None:  # noqa: B027 (most have nothing)
        """Give a model what the file has for it besides its weights."""

    @abc.abstractmethod
    def read(self, name: str) -> Array:
        """One array in C order. Errors: CheckpointError where the file does not hold what its index says."""

    @abc.abstractmethod
    def close(self) -> None:
        """Let the file go."""

    def refuse(self, what: str, cause: BaseException | None = None) -> NoReturn:
        raise CheckpointError(f"{self.path}: {what}") from cause

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def as_float32(values: Array) -> Array:
    """Numbers of any precision as float32; what is too large becomes infinite, without a warning."""
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(values, np.float32)


def in_numbers(name: str) -> list[tuple[int, str]]:
    """A key that sorts classifier.10 behind classifier.9."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


def without_prefix(tensors: Mapping[str, Stored], prefixes: tuple[str, ...]) -> tuple[dict[str, str], str]:
    """New name -> name in the file, with a prefix that all names share taken off, and that prefix.

    >>> without_prefix({"module.a": Stored((1,), "float32")}, ("module.",))
    ({'a': 'module.a'}, 'module.')
    """
    found = ""
    names = {name: name for name in tensors}
    while True:
        shared = next((p for p in prefixes if names and all(name.startswith(p) for name in names)), None)
        if shared is None:
            return names, found
        names = {name.removeprefix(shared): old for name, old in names.items()}
        found += shared


def digests(path: Path, kinds: tuple[str, ...], progress: Progress | None = None) -> dict[str, str]:
    """Hashes of a file, by name ("sha256", "md5"), in hexadecimal.

    Errors: CheckpointError if it cannot be read.
    """
    hashes = {kind: hashlib.new(kind, usedforsecurity=False) for kind in kinds}
    try:
        size, done = os.path.getsize(path), 0
        with open(path, "rb") as file:
            while chunk := file.read(HASH_CHUNK):
                for digest in hashes.values():
                    digest.update(chunk)
                done += len(chunk)
                if progress is not None:
                    progress(done, size, "bytes checked")
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror or error}") from error
    return {kind: digest.hexdigest() for kind, digest in hashes.items()}
