"""PyTorch's names and layouts: a state dict of a published network, or of any network built the same way.

Of published networks with branches torch_names.py knows the names. torchvision keeps VGG and AlexNet as two
`torch.nn.Sequential`, `features` up to the flattening and `classifier` behind it, and a Sequential numbers its modules.
So walking our layers and counting as PyTorch counts (an activation is a module of its own, and so is dropout) gives
every name. A state dict of one single Sequential, whose names are numbers alone, is read in the same way. In any other
network with branches a layer is found by its name, in which _ stands for the dots of PyTorch's: layer1_0_conv1 is
layer1.0.conv1.

A SeparableConv2D is two modules, behind one another or NAME.depthwise and NAME.pointwise; PReLU has a slope for each
channel, or one. How each array lies is said in engines/torch/layout.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from pellucid.convert.order import Unclear, pair
from pellucid.convert.source import Arrange, Source, Stored, Wanted, as_float32, without_prefix
from pellucid.convert.torch_names import family, module_path
from pellucid.engines.torch.layout import NAMES, layout
from pellucid.errors import ConfigError
from pellucid.layers import Layer, TableConv2D
from pellucid.model import Model
from pellucid.ops.geometry import Array, Shape

PREFIXES = ("module.", "_orig_mod.", "model.", "net.")
"""What DataParallel, torch.compile and wrapping modules put before every name."""

_OLD_DENSE = re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12])(?=\.)")
"""torchvision's DenseNet before PyTorch 1.0, whose names its published files still have: norm.1 for norm1."""


class TorchSource(Source):
    """A state dict, wherever it was kept."""

    framework = "torch"
    units_axis = 0
    ordered: ClassVar[bool] = True
    """Whether the arrays stand in the order in which the network's modules were defined."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._in_file: dict[str, str] = {}
        self._spare: set[str] = set()
        self._neutral: dict[str, float] = {}

    def _index(self, stored: Mapping[str, Stored]) -> None:
        """Fill `tensors`, without the prefix that wrappers put before every name."""
        names, prefix = without_prefix(stored, PREFIXES)
        names = {_OLD_DENSE.sub(r"\1\2", name): old for name, old in names.items()}
        if prefix:
            self.notes.append(f"the prefix {prefix!r} was taken off every name")
        self.tensors = {name: stored[old] for name, old in names.items()}
        self._in_file = names

    def take_by_order(self, model: Model, wanted: Sequence[Wanted], *, no_top: bool) -> str:
        own = {name: stored.shape for name, stored in self.tensors.items() if not self.is_spare(name, no_top=False)}
        try:
            paths = pair(model.graph, wanted, own, ordered=self.ordered, no_top=no_top)
        except Unclear as reason:
            return str(reason)

        def moved(name: str) -> str:
            path, dot, part = name.rpartition(".")
            return f"{paths.get(path, path)}{dot}{part}"

        layers = {item.tensor.rpartition(".")[0]: item.layer.name for item in wanted}
        self.by_order = {theirs: layers[ours] for theirs, ours in paths.items()}
        self._spare = {name for name in own if name.rpartition(".")[0] not in paths} if no_top else set()
        self.tensors = {moved(name): stored for name, stored in self.tensors.items()}
        self._in_file = {moved(name): old for name, old in self._in_file.items()}
        return ""

    def is_spare(self, name: str, *, no_top: bool) -> bool:
        # batch normalisation counts its batches; GoogLeNet's classifiers at half depth only helped its training
        spare = name.endswith("num_batches_tracked") or name.startswith(("aux1.", "aux2."))
        neutral = self._neutral.get(name)  # a scale or an offset that a norm here has not
        spare = spare or (neutral is not None and bool((self.read(name) == neutral).all()))
        return spare or (no_top and (name.startswith("classifier.") or name in self._spare))

    def num_classes(self) -> int | None:
        dense = [stored.shape for stored in self.tensors.values() if len(stored.shape) == 2]
        if self.ordered and dense:
            return dense[-1][0]
        averaged = self.tensors.get("classifier.1.weight")  # SqueezeNet's, a map for each class
        return super().num_classes() or (None if averaged is None else averaged.shape[0])

    def has_batch_norm(self) -> bool:
        return any(name.endswith("running_mean") for name in self.tensors)

    def _names(self, model: Model) -> Iterator[Mapping[str, str]]:
        for layer, (path, mixing) in zip(model.flat_layers, self._paths(model), strict=True):
            if layer.role == "batch norm":
                parts = (("gamma", f"{path}.weight", 1.0), ("beta", f"{path}.bias", 0.0))
                self._neutral |= {name: value for part, name, value in parts if part not in layer.params}
            own = {ours: f"{path}.{theirs}" for ours, theirs in NAMES.items()}
            yield (
                own
                | ({"bias": f"{mixing}.bias"} if mixing else {})
                | {"depthwise_kernel": f"{path}.weight", "pointwise_kernel": f"{mixing}.weight"}
            )

    def _paths(self, model: Model) -> Iterator[tuple[str, str]]:
        """The path of the module that each layer is; of the two that a SeparableConv2D is, both."""
        rules, called = family(model.name), {layer: _own_names(layer) for layer in model.flat_layers}
        here = {path.replace(".", "_"): path for path in (name.rpartition(".")[0] for name in self.tensors)}
        known = [name in here for layer, names in called.items() if layer.weights for name in names]
        as_ours = 2 * sum(known) > len(known) or all(known)  # most: what is missing is named so, too
        if as_ours or rules or not model.graph.is_chain:
            for names in called.values():
                found = [(None if as_ours else module_path(name, rules)) or here.get(name, name) for name in names]
                yield found[0], found[-1] if len(found) > 1 else ""
            return
        single = all(re.match(r"\d+\.", name) for name in self.tensors)  # one Sequential, not features and classifier
        part, number = "" if single else "features.", 0
        for visit in model.graph.walk():
            layer = visit.layer
            mixing = f"{part}{number + 1}" if _is_pair(layer) else ""
            yield f"{part}{number}", mixing
            number += bool(mixing)
            if visit.ends_maps:
                part, number = (part, number + 1) if single else ("classifier.", 0)
            else:
                number += 2 if layer.params and layer.nonlinearity is not None else 1

    def _expect_known(self, layer: Layer) -> None:
        roles = {
            4: ("convolution", "transposed convolution"),
            3: ("convolution", "transposed convolution"),
            2: ("dense", "distance"),
            1: ("batch norm", "layer norm", "group norm", "pooling"),
        }
        first = next(iter((layer.params | layer.state).values()))
        known = (
            layer.role in roles.get(first.ndim, ())
            or layer.role == "layer norm"
            or isinstance(layer, TableConv2D)
            or _slopes_by_channel(layer)
        )
        if not known:
            kind = type(layer).__name__
            raise ConfigError(f"{layer.place()}: weights of a {kind} cannot be read from PyTorch's files")

    def _layout(self, layer: Layer, name: str, array: Array, picture: Shape | None) -> tuple[Shape, Arrange]:
        own = layout(layer, name, array, picture)
        return own.shape, own.read


def _own_names(layer: Layer) -> list[str]:
    """What the modules that a layer is are called where they have its name."""
    return [f"{layer.name}_{part}" for part in ("depthwise", "pointwise")] if _is_pair(layer) else [layer.name]


def _is_pair(layer: Layer) -> bool:
    """Whether it is two modules of PyTorch's, a depthwise and a 1x1 convolution."""
    return "pointwise_kernel" in layer.params


def _slopes_by_channel(layer: Layer) -> bool:
    """Whether it is a PReLU whose slopes are one, or one a channel."""
    alpha = layer.params.get("alpha")
    return alpha is not None and layer.role == "activation" and alpha.size in (1, alpha.shape[-1])


class SafetensorsFile(TorchSource):
    """A state dict as .safetensors, as the safetensors library writes it; the library checks its header."""

    form = "state dict in safetensors"
    ordered = False  # the library sorts what it writes

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        import safetensors

        opened: Any = safetensors.safe_open  # which has no types

        try:
            self._file: Any = opened(path, framework="np")
            metadata: Mapping[str, str] = self._file.metadata() or {}
            slices = {name: self._file.get_slice(name) for name in self._file.keys()}  # noqa: SIM118  # no dict
            stored = {name: Stored(tuple(s.get_shape()), _spoken(s.get_dtype())) for name, s in slices.items()}
        except (safetensors.SafetensorError, OSError) as error:
            self.refuse(f"is no whole safetensors file ({error}); use another copy of the file", error)
        if "pellucid" in metadata:
            self.refuse("is a Pellucid model file already; use it as it is")
        self._index(stored)

    def read(self, name: str) -> Array:
        if self.tensors[name].dtype == "bfloat16":
            self.refuse(f"{name!r} holds bfloat16, which NumPy does not know; save it as float32")
        return as_float32(self._file.get_tensor(self._in_file[name]))

    def close(self) -> None:
        del self._file


def _spoken(code: str) -> str:
    """NumPy's word for safetensors' code: F32 is float32."""
    for letter, word in (("BF", "bfloat"), ("F", "float"), ("I", "int"), ("U", "uint")):
        if code.startswith(letter):
            return word + code.removeprefix(letter)
    return code.lower()
