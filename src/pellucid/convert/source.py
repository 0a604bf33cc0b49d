"""A file of weights, indexed but not yet read: which arrays it holds, and how to read one."""

from __future__ import annotations

import abc
import hashlib
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import NoReturn, Self

import numpy as np

from pellucid.errors import CheckpointError
from pellucid.layers import Layer
from pellucid.model import Model
from pellucid.ops.geometry import Array, Shape

Progress = Callable[[int, int, str], None]
"""Called with (done, total, what) while a long file is read."""

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
    notes: what was done to find the arrays, in words.
    """

    framework: str
    form: str

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tensors: dict[str, Stored] = {}
        self.notes: list[str] = []

    def wanted(self, model: Model, *, blue_first: bool) -> list[Wanted]:
        """For every weight of a model, the array of the file it comes from, whether the file has it or not.

        blue_first: turn the first kernel's channels round, because the file's network saw blue, green, red.
        Errors: ConfigError for a layer with weights that such files have in no form known here.
        """
        items = self._wanted(model)
        first = next((place for place, item in enumerate(items) if len(item.shape) == 4), None)
        if blue_first and first is not None and items[first].layer.params["kernel"].shape[2] == 3:
            arrange = items[first].arrange
            items[first] = replace(items[first], arrange=lambda kernel: arrange(kernel)[:, :, ::-1])
        return items

    @abc.abstractmethod
    def _wanted(self, model: Model) -> list[Wanted]:
        """The same with channels in the file's order, in the order of the model."""

    @abc.abstractmethod
    def is_spare(self, name: str, *, no_top: bool) -> bool:
        """Whether an array may be left over: it is no weight, or of a head that was not asked for."""

    @abc.abstractmethod
    def num_classes(self) -> int | None:
        """How many classes the last dense layer tells apart; None where there is no dense layer."""

    def has_batch_norm(self) -> bool:
        """Whether the network has batch normalisation."""
        return False

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

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def as_float32(values: Array) -> Array:
    """Numbers of any precision as float32; what is too large becomes infinite, without a warning."""
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(values, np.float32)


def from_oihw(kernel: Array) -> Array:
    """Filters (O, C, KH, KW) as kernels (KH, KW, C, O)."""
    return kernel.transpose(2, 3, 1, 0)


def from_rows(picture: Shape | None) -> Arrange:
    """Dense weights (units, inputs) as (inputs, units); a picture (H, W, C) among them was flattened channels first."""
    if picture is None or len(picture) != 3:
        return np.transpose
    height, width, channels = picture

    def arrange(weight: Array) -> Array:
        channels_last = from_oihw(weight.reshape(-1, channels, height, width))
        return channels_last.reshape(math.prod(picture), -1)

    return arrange


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
