"""PyTorch's names and layouts: a state dict of torchvision's VGG or AlexNet, or of any network built the same way.

torchvision keeps such a network as two `torch.nn.Sequential`, `features` up to the flattening and `classifier` behind
it, and a Sequential numbers its modules. So walking our layers and counting as PyTorch counts (an activation is a
module of its own, and so is dropout) gives every name. A state dict of one single Sequential, whose names are numbers
alone, is read in the same way.

Layouts: convolution (O, C/G, KH, KW) -> (KH, KW, C/G, O); dense (units, inputs) -> (inputs, units), and behind a
Flatten its inputs, which PyTorch counts in order (C, H, W), are put in our order (H, W, C).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from pellucid.convert.source import Arrange, Source, Stored, Wanted, from_oihw, from_rows, without_prefix
from pellucid.errors import ConfigError
from pellucid.layers import Layer
from pellucid.model import Model
from pellucid.ops.geometry import Shape

PREFIXES = ("module.", "_orig_mod.", "model.", "net.")
"""What DataParallel, torch.compile and wrapping modules put before every name."""

_BATCH_NORM = {"gamma": "weight", "beta": "bias", "mean": "running_mean", "variance": "running_var"}


class TorchSource(Source):
    """A state dict, wherever it was kept."""

    framework = "torch"

    def _index(self, stored: Mapping[str, Stored]) -> dict[str, str]:
        """Fill `tensors`, without the prefix that wrappers put before every name: new name -> name in the file."""
        names, prefix = without_prefix(stored, PREFIXES)
        if prefix:
            self.notes.append(f"the prefix {prefix!r} was taken off every name")
        self.tensors = {name: stored[old] for name, old in names.items()}
        return names

    def is_spare(self, name: str, *, no_top: bool) -> bool:
        # batch normalisation counts its batches
        return name.endswith("num_batches_tracked") or (no_top and name.startswith("classifier."))

    def num_classes(self) -> int | None:
        dense = [name for name, stored in self.tensors.items() if len(stored.shape) == 2]
        last = max(dense, key=_natural, default=None)
        return None if last is None else self.tensors[last].shape[0]

    def has_batch_norm(self) -> bool:
        return any(name.endswith("running_mean") for name in self.tensors)

    def _wanted(self, model: Model) -> list[Wanted]:
        single = all(re.match(r"\d+\.", name) for name in self.tensors)  # one Sequential, not features and classifier
        found: list[Wanted] = []
        part, number, head = "" if single else "features.", 0, False
        flattened: Shape | None = None
        for visit in model.graph.walk():
            layer = visit.layer
            for name, tensor, sizes, arrange in _arrays(layer, flattened):
                found.append(Wanted(layer, name, f"{part}{number}.{tensor}", sizes, arrange, head))
            if visit.ends_maps:
                head = True
                flattened = visit.input_shape if layer.role == "flatten" else None
                part, number = (part, number + 1) if single else ("classifier.", 0)
            else:
                number += 2 if layer.params and layer.nonlinearity is not None else 1
            if layer.role == "dense":
                flattened = None
        return found


def _natural(name: str) -> list[tuple[int, str]]:
    """A key that sorts classifier.10 behind classifier.9."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


def _arrays(layer: Layer, flattened: Shape | None) -> list[tuple[str, str, Shape, Arrange]]:
    """(our name, PyTorch's, the shape there, the way back) for each array of a layer."""
    arrays = layer.params | layer.state
    if not arrays:
        return []
    if layer.role == "batch norm":
        return [(name, _BATCH_NORM[name], array.shape, np.asarray) for name, array in arrays.items()]
    kernel = arrays.get("kernel")
    if kernel is None or layer.role not in ("convolution", "dense") or kernel.ndim not in (2, 4):
        raise ConfigError(f"{layer.place()}: weights of a {type(layer).__name__} cannot be read from PyTorch's files")
    found: list[tuple[str, str, Shape, Arrange]]
    if kernel.ndim == 4:
        found = [("kernel", "weight", tuple(kernel.shape[axis] for axis in (3, 2, 0, 1)), from_oihw)]
    else:
        found = [("kernel", "weight", kernel.shape[::-1], from_rows(flattened))]
    if "bias" in arrays:
        found.append(("bias", "bias", arrays["bias"].shape, np.asarray))
    return found
