"""Our layers in PyTorch's words, a row each: the module that has the weights, and the expression that runs it.

Maps lie channels first there, (N, C, H, W), series (N, C, W) and rows (N, C). How each array of weights lies is said in
layout.py, which the reader of such files uses too. Of one row are the module that the engine runs (network.py) and the
program that `pellucid export --to torch` writes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pellucid import layers
from pellucid._python import literal
from pellucid.engines.torch.activations import axis_of, nonlinear
from pellucid.engines.torch.words import (
    Written,
    by_length,
    called,
    even,
    halves,
    module,
    on_last,
    once,
    padded,
    reordered,
    sides,
    slices,
    unusual,
)
from pellucid.errors import ConfigError
from pellucid.layers import Layer
from pellucid.layers.adaptive import AdaptivePool2D
from pellucid.layers.graph import Graph, Visit
from pellucid.layers.random_pictures import RandomPictures
from pellucid.layers.rescaling import Affine, Cut
from pellucid.ops.geometry import NO_PADS

Row = Callable[[Any, Visit], Written]


def text(layer: Layer, visit: Visit) -> Written:
    """What stands for a layer in the module. Errors: ConfigError for a layer that has no row."""
    row = next((ROWS[kind] for kind in type(layer).__mro__ if kind in ROWS), None)
    if row is None or layer.custom:
        raise ConfigError(
            f"{layer.place()}: cannot be written for PyTorch; train it with engine='pellucid', or export another format"
        )
    made = row(layer, visit)
    return Written((*made.steps, *nonlinear(layer, visit)), made.modules)


def check(graph: Graph) -> None:
    """Errors: ConfigError for a layer that has no row."""
    for visit in graph.walk():
        text(visit.layer, visit)


def _convolution(layer: Any, visit: Visit) -> Written:
    channels, series = visit.input_shape[-1], len(visit.input_shape) == 2
    shape = (1, *visit.input_shape) if series else visit.input_shape
    pads, outputs, groups = layer.pads(shape), layer.filters_of(channels), layer.groups_of(channels)
    inside = (pads[0][0], pads[1][0]) if even(pads) else (0, 0)
    kind, deep = f"nn.Conv{1 if series else 2}d", "depthwise_kernel" in layer.params
    options = unusual(
        stride=(halves(layer.strides, series=series), 1),
        padding=(halves(inside, series=series), 0),
        dilation=(halves(layer.dilation_rate, series=series), 1),
        groups=(channels if deep else groups, 1),
        bias=(layer.use_bias and not deep, True),
    )
    size = halves(layer.kernel_size, series=series)
    made = called(kind, channels, channels * layer.depth_multiplier if deep else outputs, size, **options)
    before = () if even(pads) else padded(pads, series=series)
    if not deep:
        return Written((*before, "{self}({x})"), {"": made})
    mixing = called(kind, channels * layer.depth_multiplier, layer.filters, 1, **unusual(bias=(layer.use_bias, True)))
    modules = {"_depthwise": made, "_pointwise": mixing}
    return Written((*before, "{self}_depthwise({x})", "{self}_pointwise({x})"), modules)


def _transposed(layer: Any, visit: Visit) -> Written:
    series = len(visit.input_shape) == 2
    shape, outs = ((1, *each) if series else each for each in (visit.input_shape, visit.output_shape))
    pads = layer.options(shape)["padding"]
    spans = [(size - 1) * spread + 1 for size, spread in zip(layer.kernel_size, layer.dilation_rate, strict=True)]
    whole = [(n - 1) * s + span for n, s, span in zip(shape, layer.strides, spans, strict=False)]
    starts = [before for before, _ in pads]
    more = [
        out + 2 * start - size for out, start, size in zip(outs, starts, whole, strict=False)
    ]  # with as much cut off behind as before
    fits = all(0 <= each < max(step, 1) or each == 0 for each, step in zip(more, layer.strides, strict=True))
    if not fits:
        more = [max(out + start - size, 0) for out, start, size in zip(outs, starts, whole, strict=False)]
    options = unusual(
        stride=(halves(layer.strides, series=series), 1),
        padding=(halves((starts[0], starts[1]) if fits else (0, 0), series=series), 0),
        output_padding=(halves((more[0], more[1]), series=series), 0),
        bias=(layer.use_bias, True),
        dilation=(halves(layer.dilation_rate, series=series), 1),
    )
    kind, size = f"nn.ConvTranspose{1 if series else 2}d", halves(layer.kernel_size, series=series)
    made = called(kind, visit.input_shape[-1], layer.filters, size, **options)
    cut = () if fits else (slices(starts[1:] if series else starts, visit.output_shape),)
    return Written(("{self}({x})", *cut), {"": made})


def _dense(layer: Any, visit: Visit) -> Written:
    made = called("nn.Linear", visit.input_shape[-1], layer.units, **unusual(bias=(layer.use_bias, True)))
    return Written(on_last("{self}({x})", visit), {"": made})


def _pool(layer: Any, visit: Visit) -> Written:
    series = len(visit.input_shape) == 2
    shape = (1, *visit.input_shape) if series else visit.input_shape
    pads, counted = layer.pads(shape), layer.counted(shape)
    size, strides = (once(halves(each, series=series)) for each in (layer.pool_size, layer.strides))
    rank = 1 if series else 2
    usual = {} if strides == size else {"stride": strides}
    inside = all(2 * max(side) <= window for side, window in zip(pads, layer.pool_size, strict=True)) and even(pads)

    def pool(kind: str, **named: Any) -> str:
        more = "".join(f", {name}={literal(value)}" for name, value in {**usual, **named}.items())
        return f"F.{kind}_pool{rank}d({{x}}, {literal(size)}{more})"

    padding = {} if pads == NO_PADS else {"padding": once(halves((pads[0][0], pads[1][0]), series=series))}
    if layer.reduction == "max":
        infinite = ', value=float("-inf")'
        steps = (pool("max", **padding),) if inside else (*padded(pads, series=series, value=infinite), pool("max"))
    elif inside and counted in (pads, NO_PADS):
        own = {} if counted == pads else {"count_include_pad": False}
        steps = (pool("avg", **padding, **own),)
    else:  # the sums, by how many numbers count in each
        ones = f"F.pad(torch.ones_like({{x}}), {sides(counted, series=series)}, value=1.0)"
        rest = tuple(tuple(a - b for a, b in zip(*sides, strict=True)) for sides in zip(pads, counted, strict=True))
        ones = f"F.pad({ones}, {sides(rest, series=series)})"  # type: ignore[arg-type]
        whole = f"F.pad({{x}}, {sides(pads, series=series)})"
        steps = (f"{pool('avg').replace('{x}', whole)} / {pool('avg').replace('{x}', ones)}",)
    if layer.reduction == "sum":
        taps = layer.pool_size[0] * layer.pool_size[1]
        return Written((*steps, f"{{self}}({taps} * {{x}})"), {"": f"Scale({visit.input_shape[-1]})"})
    return Written(steps)


def _global_pool(layer: Any, visit: Visit) -> Written:
    axes = literal(once(tuple(range(2, len(visit.input_shape) + 1))))
    kept = ", keepdim=True" if layer.keepdims else ""
    return Written((f"{{x}}.{'amax' if layer.reduction == 'max' else 'mean'}({axes}{kept})",))


def _adaptive(layer: Any, visit: Visit) -> Written:
    kind = "max" if layer.reduction == "max" else "avg"
    size = layer.output_size if len(visit.input_shape) == 3 else layer.output_size[1]
    return Written((f"F.adaptive_{kind}_pool{len(visit.input_shape) - 1}d({{x}}, {literal(size)})",))


def _batch_norm(layer: Any, visit: Visit) -> Written:
    kind = "nn.BatchNorm2d" if len(visit.input_shape) == 3 else "nn.BatchNorm1d"
    options = unusual(eps=(layer.epsilon, 1e-5), momentum=(round(1 - layer.momentum, 12), 0.1))
    affine = unusual(affine=(layer.scale or layer.center, True))
    return module(called(kind, visit.input_shape[-1], **options, **affine))


def _layer_norm(layer: Any, visit: Visit) -> Written:
    shape = layer.weights_shape(visit.input_shape)
    options = unusual(eps=(layer.epsilon, 1e-5), elementwise_affine=(layer.scale or layer.center, True))
    whole = len(shape) == 3
    said = [literal((shape[2], *shape[:2]) if whole else shape), *(f"{k}={literal(v)}" for k, v in options.items())]
    step = "{self}({x})"
    return Written((step,) if whole else on_last(step, visit), {"": f"nn.LayerNorm({', '.join(said)})"})


def _unit(layer: Any, visit: Visit) -> Written:
    axes = tuple(
        1 if axis == len(visit.input_shape) else axis + 1 for axis in layer.axes_of(len(visit.input_shape) + 1)
    )
    return Written((by_length(axes),))


def _rms_norm(layer: Any, visit: Visit) -> Written:
    shape = layer.params["gamma"].shape
    whole, step = len(shape) == 3, "{self}({x})"
    made = f"nn.RMSNorm({literal((shape[2], *shape[:2]) if whole else shape)}, eps={layer.epsilon!r})"
    return Written((step,) if whole else on_last(step, visit), {"": made})


def _dot(layer: Any, visit: Visit) -> Written:
    """Both with the batch in front and their axes in our order, as one torch.einsum."""
    letters, read = iter("abcdefghij"), []
    spelled = [[next(letters) for _ in shape] for shape in visit.input_shapes]
    for place, (axis, names) in enumerate(zip(layer.axes_of(visit.input_shapes), spelled, strict=True)):
        names[axis - 1] = "k"
        last = f"{{{place}}}" if len(names) < 2 else f"{{{place}}}.movedim(1, -1)"
        read.append(by_length((axis,)).replace("{x}", last) if layer.normalize else last)
    left = "".join(name for names in spelled for name in names if name != "k")
    equation = f"n{''.join(spelled[0])},n{''.join(spelled[1])}->n{left}"
    step = f'torch.einsum("{equation}", {", ".join(read)})' + ("" if left else "[:, None]")
    return Written((step, *(["{x}.movedim(-1, 1)"] if len(visit.output_shape) > 1 else [])))


def _group_norm(layer: Any, visit: Visit) -> Written:
    channels = visit.input_shape[-1]
    options = unusual(eps=(layer.epsilon, 1e-5), affine=(layer.scale or layer.center, True))
    return module(called("nn.GroupNorm", layer.groups_of(channels), channels, **options))


def _prelu(layer: Any, visit: Visit) -> Written:
    alpha = layer.params["alpha"]
    if alpha.size not in (1, alpha.shape[-1]):
        raise ConfigError(
            f"{layer.place()}: PyTorch's PReLU has one slope, or one a channel; share the other axes: "
            f"shared_axes={tuple(range(1, alpha.ndim))}"
        )
    return module(called("nn.PReLU", alpha.size))


def _response_norm(layer: Any, visit: Visit) -> Written:
    numbers = f"{layer.size}, alpha={layer.alpha * layer.size!r}, beta={layer.beta!r}, k={layer.k!r}"
    return Written((f"F.local_response_norm({{x}}, {numbers})",))


def _border(layer: Any, visit: Visit) -> Written:
    mode = {"constant": "", "reflect": ', mode="reflect"', "edge": ', mode="replicate"'}[layer.mode]
    return Written(padded(layer.padding, series=False, value=mode))


def _cropping(layer: Any, visit: Visit) -> Written:
    return Written((slices([before for before, _ in layer.cropping], visit.output_shape),))


def _cut(layer: Any, visit: Visit) -> Written:
    whole, part, size = visit.input_shape[:2], layer.part(visit.input_shape), visit.output_shape[:2]
    steps = [slices([(n - taken) // 2 for n, taken in zip(whole, part, strict=True)], part)] if part != whole else []
    if part != size:
        mode = "nearest-exact" if layer.interpolation == "nearest" else layer.interpolation
        steps.append(f'F.interpolate({{x}}, {literal(size)}, mode="{mode}")')
    return Written(tuple(steps))


def _upsampling(layer: Any, visit: Visit) -> Written:
    size = literal(once(tuple(map(float, layer.size))))
    return Written((f'F.interpolate({{x}}, scale_factor={size}, mode="{layer.interpolation}")',))


def _of_all(expression: Callable[[list[str]], str]) -> Row:
    """A row of a layer that reads several values of one shape."""
    return lambda layer, visit: Written((expression(_read(visit)),))


def _read(visit: Visit) -> list[str]:
    return [f"{{{place}}}" for place in range(len(visit.inputs))]


def _concatenate(layer: Any, visit: Visit) -> Written:
    return Written((f"torch.cat([{', '.join(_read(visit))}], {axis_of(layer.axis, len(visit.output_shape) + 1)})",))


def _multiply(layer: Any, visit: Visit) -> Written:
    rank = len(visit.output_shape)
    rows = [
        f"{one}[{', '.join([':', ':', *['None'] * (rank - 1)])}]" if len(shape) < rank else one
        for one, shape in zip(_read(visit), visit.input_shapes, strict=True)
    ]
    return Written((" * ".join(rows),))


def flattening(visit: Visit, *, channels_last: bool) -> Written:
    """Flatten, and whether its numbers keep our order, of which somebody else than a dense layer knows."""
    kept = channels_last or len(visit.input_shape) == 2
    return Written((*(["{x}.movedim(1, -1)"] if kept else []), "{x}.flatten(1)"))


def _nothing(layer: Any, visit: Visit) -> Written:
    return Written()


def _affine(layer: Any, visit: Visit) -> Written:
    view = ", ".join(["-1", *["1"] * (len(visit.input_shape) - 1)])
    scale, offset = (
        repr(float(each.reshape(-1)[0])) if each.size == 1 else f"torch.tensor({literal(each.tolist())}).view({view})"
        for each in layer.scale_offset()
    )
    return Written((f"{{x}} * {scale} + {offset}",))


ROWS: dict[type[Layer], Row] = {
    layers.Conv2D: _convolution,
    layers.DepthwiseConv2D: _convolution,
    layers.Conv2DTranspose: _transposed,
    layers.Dense: _dense,
    layers.RBF: lambda layer, visit: module(f"Distance({visit.input_shape[-1]}, {layer.units})"),
    layers.MaxPool2D: _pool,
    layers.AvgPool2D: _pool,
    layers.Subsampling2D: _pool,
    layers.GlobalAvgPool2D: _global_pool,
    layers.GlobalMaxPool2D: _global_pool,
    AdaptivePool2D: _adaptive,
    layers.BatchNorm: _batch_norm,
    layers.LayerNorm: _layer_norm,
    layers.GroupNorm: _group_norm,
    layers.LocalResponseNorm: _response_norm,
    layers.PReLU: _prelu,
    layers.Dropout: lambda layer, visit: Written((f"F.dropout({{x}}, {layer.rate!r}, self.training)",)),
    layers.StochasticDepth: lambda layer, visit: Written(
        (f"F.dropout1d({{x}}.flatten(1)[:, None], {layer.rate!r}, self.training).reshape({{x}}.shape)",)
    ),
    layers.AlphaDropout: lambda layer, visit: Written((f"F.alpha_dropout({{x}}, {layer.rate!r}, self.training)",)),
    layers.SpatialDropout2D: lambda layer, visit: Written(
        (f"F.dropout{len(visit.input_shape) - 1}d({{x}}, {layer.rate!r}, self.training)",)
    ),
    layers.GaussianNoise: lambda layer, visit: Written(
        (f"{{x}} + self.training * {layer.stddev!r} * torch.randn_like({{x}})",)
    ),
    Affine: _affine,
    Cut: _cut,
    **dict.fromkeys(
        (
            *(layers.Activation, layers.ReLU, layers.LeakyReLU, layers.ELU, layers.Sigmoid, layers.Tanh),
            *(layers.ScaledTanh, layers.Softmax, layers.Input, layers.Identity, RandomPictures),
        ),
        _nothing,
    ),
    layers.Add: _of_all(" + ".join),
    layers.Subtract: _of_all(" - ".join),
    layers.Average: _of_all(lambda read: f"({' + '.join(read)}) / {len(read)}"),
    layers.Maximum: _of_all(lambda read: f"torch.stack([{', '.join(read)}]).amax(0)"),
    layers.Minimum: _of_all(lambda read: f"torch.stack([{', '.join(read)}]).amin(0)"),
    layers.Multiply: _multiply,
    layers.Concatenate: _concatenate,
    layers.Flatten: lambda layer, visit: flattening(visit, channels_last=False),
    layers.Reshape: lambda layer, visit: reordered(
        f"{{x}}.reshape(-1, {', '.join(map(str, visit.output_shape))})", visit
    ),
    layers.Slice: lambda layer, visit: reordered(
        f"{{x}}[:, {layer.start}:{layer.stop}].reshape(-1, {', '.join(map(str, visit.output_shape))})", visit
    ),
    layers.Permute: lambda layer, visit: reordered(f"{{x}}.permute(0, {', '.join(map(str, layer.dims))})", visit),
    layers.Padding2D: _border,
    layers.Cropping2D: _cropping,
    layers.UpSampling2D: _upsampling,
    layers.ZeroPadding1D: lambda layer, visit: Written((f"F.pad({{x}}, {layer.padding})",)),
    layers.Cropping1D: lambda layer, visit: Written((slices((layer.cropping[0],), visit.output_shape),)),
    layers.UpSampling1D: lambda layer, visit: Written((f"{{x}}.repeat_interleave({layer.size}, 2)",)),
    layers.RepeatVector: lambda layer, visit: Written((f"{{x}}[:, :, None].repeat(1, 1, {layer.n})",)),
    layers.UnitNormalization: _unit,
    layers.RMSNorm: _rms_norm,
    layers.Power: lambda layer, visit: Written((f"{{x}} ** {layer.exponent!r}",)),
    layers.Dot: _dot,
}
"""By class; a class that is not here has the row of the nearest it is made from."""
