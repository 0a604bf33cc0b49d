"""What a network is in Keras's layers: each of ours under its row, or as several of those that have one."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid import layers
from pellucid.errors import ConfigError
from pellucid.layers import Layer
from pellucid.layers.graph import INPUT
from pellucid.ops.geometry import NO_PADS, Array, Shape, resolve_padding

if TYPE_CHECKING:
    from pellucid.model import Model

INPUT_NAME = "pictures"
_KEEP_SIGN = ("pooling", "dropout", "noise", "flatten", "rearrangement", "upsampling", "padding", "cropping", "merge")
_POSITIVE = ("relu", "sigmoid", "softmax", "softplus", "hard_sigmoid", "exponential", "sparse", "squareplus")


@dataclass(frozen=True)
class Part:
    """One layer of the file's: ours of the same kind, its arrays, what it reads and gives. reads: names of parts.

    of: the name of the part before it that it is again, with the same weights; else its own. within: the calls of
    models within that it is of, outermost first, and `inner` its name there. states: how many of its arrays, the last,
    are never trained.
    """

    name: str
    layer: Layer
    arrays: tuple[Array, ...]
    reads: tuple[str, ...]
    shape: Shape
    trainable: bool = True
    of: str = ""
    within: tuple[int, ...] = ()
    inner: str = ""
    states: int = 0

    @property
    def is_first(self) -> bool:
        """Whether it is a layer of its own."""
        return self.of in ("", self.name)


@dataclass(frozen=True)
class Step:
    """A part before it has names. ending: behind the layer's own name. reads: numbers of steps, -1 for what the layer
    itself reads; None for the step before."""

    ending: str
    layer: Layer
    arrays: tuple[Array, ...] = ()
    reads: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Within:
    """One call of a model within. model: its number; kind and title: its class and name; heads: its inputs' names,
    where they are known; given, gives: the names of the parts that go in and come out."""

    model: int
    kind: str
    title: str
    heads: tuple[str, ...]
    given: tuple[str, ...]
    gives: tuple[str, ...]


def parts_of(model: Model) -> tuple[list[Part], list[str], list[Within]]:
    """The parts in the order they run, the names of those that answer, and the calls of models within.

    Errors: ConfigError for a layer that Keras cannot express.
    """
    parts: list[Part] = []
    (source, *_) = inputs_of(model)
    names: dict[int, str] = {INPUT: source}
    shared: dict[tuple[int, str], Part] = {}
    inputs = model.graph.parts
    positive: set[int] = set()
    masks: set[int] = set()
    nested = model.nested or {"calls": [], "within": [()] * len(model.flat_layers)}
    first = scaling_of(model)
    if first is not None:
        names[INPUT] = _free("rescaling", {layer.name for layer in model.flat_layers})
        parts.append(Part(names[INPUT], first, (), (source,), model.graph.input_shape))
    for visit in model.graph.walk():
        layer = visit.layer
        if visit.number in inputs:
            names[visit.number] = layer.name
            continue
        if isinstance(layer, layers.StepMask):  # which Keras has unseen
            masks.add(visit.number)
            continue
        if isinstance(layer, layers.StepWeights):
            names[visit.number] = names[visit.inputs[0]]
            continue
        if layer.gives_several:
            raise ConfigError(f"{layer.place()} gives several values, which is not written for Keras")
        steps = _steps(layer, visit.input_shape, positive=all(number in positive for number in visit.inputs))
        own: list[str] = []
        shapes: list[Shape] = []
        for step in steps:
            reads = step.reads if step.reads is not None else (len(own) - 1,)
            read = (
                [names[i] for i in visit.inputs if i not in masks]
                if reads == (-1,)
                else [_at(own, i, names, visit.inputs) for i in reads]
            )
            given = [shapes[i] if i >= 0 else visit.input_shape for i in reads]
            shape = visit.output_shape if step is steps[-1] else step.layer.output_of(given)
            name = layer.name if step is steps[-1] else f"{layer.name}_{step.ending}"
            inner = nested["names"][visit.number] if nested["calls"] else name
            inner = inner if step is steps[-1] else f"{inner}_{step.ending}"
            around = tuple(nested["within"][visit.number])
            part = Part(
                name, step.layer, step.arrays, tuple(read), shape, layer.trainable, "", around, inner, len(layer.state)
            )
            if step.arrays:
                before = shared.setdefault((id(layer.store), step.ending), part)
                _expect_same(before, part)
                part = replace(part, of=before.name)
            parts.append(part)
            own.append(name)
            shapes.append(shape)
        names[visit.number] = own[-1]
        if _not_negative(layer) or (layer.role in _KEEP_SIGN and positive.issuperset(visit.inputs)):
            positive.add(visit.number)
    calls = []
    for one in nested["calls"]:
        what = nested["models"][one["model"]]
        ends = (tuple(names[i] for i in one[end] if i in names) for end in ("inputs", "outputs"))
        calls.append(Within(one["model"], what["kind"], what["name"], tuple(what["inputs"]), *ends))
    return parts, [names[number] for number in model.graph.outputs], calls


def _expect_same(before: Part, part: Part) -> None:
    """Errors: ConfigError where a layer at its second place would be another one in Keras."""
    first, now = ({**each.layer.config(), "name": "", "input_shape": None} for each in (before, part))
    if first != now:
        raise ConfigError(
            f"{part.name!r} has the weights of {before.name!r}, and its padding is another one there, as Keras counts "
            "it; give both maps of the same size"
        )


def inputs_of(model: Model) -> dict[str, Shape]:
    """What goes in, by name, and its shape."""
    several = {part.name: part.target_shape for part in model.graph.parts.values()}
    return several or {
        _free(model.input_name or INPUT_NAME, {layer.name for layer in model.flat_layers}): model.graph.input_shape
    }


def _not_negative(layer: Layer) -> bool:
    """Whether its activation lets no number below 0 through."""
    kind = layer.nonlinearity
    return kind is not None and kind.kind.startswith(_POSITIVE) and not kind.slope


def _at(own: Sequence[str], number: int, names: dict[int, str], inputs: Sequence[int]) -> str:
    return own[number] if number >= 0 else names[inputs[0]]


def _free(name: str, taken: set[str]) -> str:
    number = 0
    while (found := f"{name}_{number}" if number else name) in taken:
        number += 1
    return found


def scaling_of(model: Model) -> layers.Rescaling | None:
    """The layer that scales whole numbers as `predict` does; None for a network that takes floats as they are."""
    if model.trained_on.get("range") or len(model.graph.input_shape) != 3:
        return None
    scale, offset = model.preprocessing.scale_offset(model.graph.input_shape[-1])
    if (scale == 1).all() and not offset.any():
        return None
    return layers.Rescaling(_one_or_all(scale), _one_or_all(offset))


def _one_or_all(numbers: Array) -> float | list[float]:
    values = [float(number) for number in numbers]
    return values[0] if len(set(values)) == 1 else values


# One layer


def _steps(layer: Any, shape: Shape, *, positive: bool) -> list[Step]:
    """A layer as layers that Keras has. positive: whether no number that it reads is below 0."""
    if layer.custom:
        raise ConfigError(
            f"{layer.place()} is a layer of your own, which Keras has not; leave it out, or write it there"
        )
    if isinstance(layer, layers.Slice):
        return _slice(layer, shape)
    if type(layer) in _SEVERAL:
        return _SEVERAL[type(layer)](layer)
    arrays = tuple(np.array(array) for array in layer.weights)
    if isinstance(layer, layers.TableConv2D):
        layer, arrays = _all_connected(layer)
    if isinstance(layer, layers.Padding2D) and layer.mode == "constant":
        return [Step("", layers.ZeroPadding2D(layer.padding))]
    if isinstance(layer, layers.Conv2DTranspose) and not isinstance(layer.padding, str):
        more = layer.output_padding or (0, 0)
        whole = _changed(layer, padding="valid", output_padding=more[1] if len(shape) == 2 else more)
        crop = layers.Cropping1D(layer.padding[1]) if len(shape) == 2 else layers.Cropping2D(layer.padding)
        cut = [] if layer.padding == NO_PADS else [Step("cropping", crop)]
        return [Step("whole" if cut else "", whole, arrays), *cut]
    if layer.window() is None:
        return [Step("", layer, arrays, (-1,) if layer.merges else None)]
    return _windowed(layer, shape, arrays, positive=positive)


def _windowed(layer: Any, shape: Shape, arrays: tuple[Array, ...], *, positive: bool) -> list[Step]:
    """Convolution or pooling: Keras pads by "valid" and "same" alone. Zeros beside that are a layer before it; what
    counts as nothing, as around a maximum, stays its own padding."""
    pooling, in_row = layer.role == "pooling", len(shape) == 2
    maps = (1, *shape) if in_row else shape
    pads = layer.pads(maps)
    counted = layer.counted(maps) if pooling else NO_PADS
    zeros = counted if pooling and not (layer.reduction == "max" and positive) else pads
    left: Any
    options = {name: False for name in ("ceil_mode", "count_include_pad") if hasattr(layer, name)}
    if pads == resolve_padding("same", (maps[0], maps[1]), *layer.window()) and counted == NO_PADS:
        zeros, left = NO_PADS, NO_PADS if pads == NO_PADS else "same"
    else:
        left = tuple((a - c, b - d) for (a, b), (c, d) in zip(pads, zeros, strict=True))
    padding = "valid" if left == NO_PADS else left[1] if in_row and left != "same" else left
    border = layers.ZeroPadding1D(zeros[1]) if in_row else layers.ZeroPadding2D(zeros)
    before = [] if zeros == NO_PADS else [Step("padding", border)]
    return [*before, Step("", _changed(layer, padding=padding, **options), arrays)]


def _changed(layer: Layer, **options: Any) -> Any:
    """The layer with other arguments, without weights."""
    return layers.from_config({**layer.config(), **options})


def _all_connected(layer: Any) -> tuple[layers.Conv2D, tuple[Array, ...]]:
    """A convolution with a table as one without: zeros where there is no connection, which may change in training."""
    channels = 1 + int(layer.inputs.max())
    kernel = np.zeros((*layer.kernel_size, channels, layer.filters), np.float32)
    for number in range(layer.filters):
        kernel[:, :, list(layer.table[number]), number] = layer.filter_kernel(number)
    config = {name: value for name, value in layer.config().items() if name != "table"}
    plain = layers.from_config({**config, "type": "Conv2D", "filters": layer.filters})
    assert isinstance(plain, layers.Conv2D)
    return plain, (kernel, *(np.array(array) for array in layer.weights[1:]))


def _scaled_tanh(layer: Any) -> list[Step]:
    behind = Step("", layers.Rescaling(layer.amplitude))
    return [Step("slope", layers.Rescaling(layer.slope)), Step("tanh", layers.Tanh()), behind]


def _slice(layer: Any, shape: Shape) -> list[Step]:
    ends = layer.start, shape[0] - layer.stop
    column, cut = Step("column", layers.Reshape((-1, 1))), Step("cut", layers.Cropping1D(ends))
    return [column, *([cut] if any(ends) else []), Step("", layers.Reshape(layer.target_shape))]


def _subsampling(layer: Any) -> list[Step]:
    """The mean of a window, and its size times the map's coefficient as a depthwise kernel of 1x1."""
    kernel = np.array(layer.params["kernel"]) * np.float32(math.prod(layer.pool_size))
    mean = Step("mean", layers.AvgPool2D(layer.pool_size, layer.strides))
    return [mean, Step("", layers.DepthwiseConv2D(1), (kernel[None, None, :, None], np.array(layer.params["bias"])))]


def _rbf(layer: Any) -> list[Step]:
    """-|x - w|^2 = -(x * x) @ 1 + x @ 2w - |w|^2."""
    kernel = np.array(layer.params["kernel"])
    norms = -np.square(kernel).sum(axis=0)
    return [
        Step("squares", layers.Multiply(), (), (-1, -1)),
        Step("length", layers.Dense(layer.units, use_bias=False), (np.full_like(kernel, -1),)),
        Step("product", layers.Dense(layer.units), (2 * kernel, norms), (-1,)),
        Step("", layers.Add(), (), (1, 2)),
    ]


_SEVERAL: Mapping[type[Layer], Callable[[Any], list[Step]]] = {
    layers.ScaledTanh: _scaled_tanh,
    layers.Subsampling2D: _subsampling,
    layers.RBF: _rbf,
    layers.RandomCrop: lambda layer: [Step("", layers.CenterCrop(layer.height, layer.width))],
}
"""Layers of ours that Keras has not, as several that it has; its RandomCrop leaves pictures whole in use."""
