"""Keras's weights: their names in .h5 (attributes list the layers) and in .weights.h5 (Keras 3), and their layouts.

Layouts are ours: kernels (KH, KW, C/G, O), dense (inputs, units), pictures flattened in order (H, W, C). Keras's VGG
was trained on blue, green, red: where pictures are to be red, green, blue the first kernel's channels are turned round.
Theano's convolutions turned their kernels by 180 degrees, and so are these where the file says "theano".
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from pellucid.convert.keras_layers import BY_OURS, inner_of
from pellucid.convert.keras_values import class_path
from pellucid.convert.source import Arrange, Source, Stored, in_numbers
from pellucid.errors import ConfigError
from pellucid.layers import DepthwiseConv2D, Layer, Normalization
from pellucid.model import Model
from pellucid.ops.geometry import Array, Shape

UNKNOWN_TURN = "Theano turned such kernels in ways that its files do not say; save it with another backend of Keras"

_VGG_HEAD = {"fc6": "fc1", "fc7": "fc2", "fc8": "predictions"}


class KerasWeights(Source):
    """Arrays by Keras's names.

    style: "legacy", by the names of layers, or "keras3", by their class and number. layers: the arrays of each layer
    with weights, in order. config, training: the texts (JSON) that describe the model and what it was compiled with,
    where the file has them. version: of Keras, 1 to 3; backend: what computed, where that is said. own: what a file of
    Pellucid's says besides.
    """

    framework = "keras"
    channels_first = False
    style = "legacy"
    config: str | None = None
    training: str | None = None
    version = 1
    backend: str | None = None
    own: Any = None
    one_group: ClassVar[bool] = False
    """Whether the names of layers stand alone, and those of models around them not in front."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.layers: dict[str, tuple[str, ...]] = {}
        self._normalizations: list[tuple[Normalization, tuple[str, ...]]] = []

    def take_index(self, index: Mapping[str, Any]) -> None:
        """Layers, arrays and texts as hdf5_reader.py gives them. Errors: CheckpointError for anything else."""
        try:
            for layer in index["layers"]:
                for array in layer["arrays"]:
                    shape = tuple(int(size) for size in array["shape"])
                    self.tensors[str(array["path"])] = Stored(shape, str(array["dtype"]))
                self.layers[str(layer["name"])] = tuple(str(array["path"]) for array in layer["arrays"])
            self.style = str(index["style"])
            self.config, self.training = index.get("model_config"), index.get("training_config")
            self.backend = index.get("backend")
            self.version = version_of(index.get("keras_version"))
        except (KeyError, TypeError, ValueError) as error:
            self.refuse(f"its reader gave an index that makes no sense ({error})", error)

    def is_spare(self, name: str, *, no_top: bool) -> bool:
        if any(name in arrays for _, arrays in self._normalizations):
            return True
        own = next((arrays for arrays in self.layers.values() if name in arrays), None)
        return no_top and own is not None and len(self.tensors[own[0]].shape) == 2

    def num_classes(self) -> int | None:
        # Keras 3 lists layers by the alphabet, so conv2d_10 before conv2d_2
        names = sorted(self.layers, key=in_numbers) if self.style == "keras3" else list(self.layers)
        kernels = [self.tensors[self.layers[name][0]].shape for name in names]
        return next((shape[-1] for shape in reversed(kernels) if len(shape) == 2), None)

    def has_batch_norm(self) -> bool:
        return any("moving_mean" in name or "batch_normalization" in name for name in self.tensors)

    def _names(self, model: Model) -> Iterator[Mapping[str, str]]:
        """Layers are found by the names that Keras gives its VGG; in .weights.h5 by their kind and number; and else by
        their order."""
        self._take_normalizations(model)
        twins = iter(_twins([layer for layer in model.flat_layers if layer.weights], self))
        for layer in model.flat_layers:
            twin, arrays = next(twins) if layer.weights else ("", ())
            names = [*layer.params, *layer.state]
            missing = [f"{twin}/{name}" for name in names[len(arrays) :]]
            yield dict(zip(names, (*arrays, *missing), strict=False))

    def _take_normalizations(self, model: Model) -> None:
        """Set those layers' arrays aside: mean, variance and count, which Keras counts among the weights."""
        own = [layer for layer in model.flat_layers if isinstance(layer, Normalization)]
        found = [name for name in self.layers if re.fullmatch(r"normalization(_\d+)?", name.rpartition("/")[2])]
        if len(own) == len(found) and all(len(self.layers[name]) == 3 for name in found):
            self._normalizations = [(layer, self.layers.pop(name)) for layer, name in zip(own, found, strict=True)]

    def finish(self, model: Model) -> None:
        for layer, (mean, variance, _) in self._normalizations:
            layer.take(self.read(mean).ravel(), self.read(variance).ravel())

    def _expect_known(self, layer: Layer) -> None:
        if type(layer) not in BY_OURS:
            raise ConfigError(f"{layer.place()}: weights of a {type(layer).__name__} cannot be read from Keras's files")
        if self.backend == "theano" and isinstance(layer, DepthwiseConv2D):
            raise ConfigError(f"{layer.place()}: {UNKNOWN_TURN}")

    def _layout(self, layer: Layer, name: str, array: Array, picture: Shape | None) -> tuple[Shape, Arrange]:
        turned = self.backend == "theano" and name == "kernel" and array.ndim > 2
        return array.shape, turned_round if turned else np.asarray


def _twins(own: list[Layer], source: KerasWeights) -> list[tuple[str, tuple[str, ...]]]:
    """The file's layer for each of ours: its name and its arrays, none where it is missing."""
    if source.style == "keras3":
        counts: Counter[str] = Counter()
        names = []
        for layer in own:
            kind = class_path(BY_OURS[type(layer)].keras)
            names.append(f"{kind}_{counts[kind]}" if counts[kind] else kind)
            counts[kind] += 1
    else:
        names = [_vgg_name(layer.name) for layer in own]
        if not any(name in source.layers and name != layer.name for name, layer in zip(names, own, strict=True)):
            in_file = list(source.layers)
            names = [*in_file[: len(own)], *(layer.name for layer in own[len(in_file) :])]
    if source.style == "keras3":
        return [(name, arrays_at(source, name, inner_of(layer))) for name, layer in zip(names, own, strict=True)]
    return [(name, source.layers.get(name, ())) for name in names]


def arrays_at(source: KerasWeights, path: str, inner: list[tuple[str, int]]) -> tuple[str, ...]:
    """The arrays of a layer in .weights.h5, with those of layers within it."""
    return tuple(name for below, _ in inner for name in source.layers.get(f"{path}/{below}".rstrip("/"), ()))


def _vgg_name(name: str) -> str:
    """Keras's name for a layer of VGG.

    >>> _vgg_name("conv3_1"), _vgg_name("fc8")
    ('block3_conv1', 'predictions')
    """
    return _VGG_HEAD.get(name) or re.sub(r"^conv(\d+)_(\d+)$", r"block\1_conv\2", name)


def turned_round(kernel: Array) -> Array:
    """A kernel (..., C, O) turned by 180 degrees, from a convolution to a correlation and back."""
    return kernel[(slice(None, None, -1),) * (kernel.ndim - 2)]


def version_of(text: object) -> int:
    """Keras's first number: 3 of "3.15.1"; 1 where nothing is said, as its first files.

    >>> version_of("2.15.0"), version_of(None), version_of("tfjs-layers 1.0")
    (2, 1, 2)
    """
    if not isinstance(text, str):
        return 1
    found = re.match(r"[123](?=\.)", text)
    return int(found[0]) if found else 2
