"""Rules about the layers, and about what they give for a few pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pellucid._numbers import percent
from pellucid.layers import Layer
from pellucid.ops.geometry import Array
from pellucid.plan.lowering import strip_head
from pellucid.train.doctor.chart import Chart, Finding
from pellucid.train.doctor.looks import Output, kind_of, last_activation

MIN_BATCH = 8
"""Pictures that batch norm takes its mean and variance from. Wu and He 2018, figure 1: the error of ResNet-50 is flat
down to 16, a point higher at 8, and 11 points higher at 2."""

DEAD = 0.8
"""Share of a layer's units (of a convolution: maps) that are 0 for every probe. After training, simple-convnet on MNIST
has up to a quarter in its dense layer and cifar-net on CIFAR-10 a fifth: units that wait for a rarer picture."""

SATURATED_AT_START = 0.5
"""Share of values beyond SATURATED before the first step. With weights of the usual size there are none."""

STUCK_UNITS = 0.8
"""Share of units that are beyond SATURATED on the same side for every probe, later. Those that switch from side to side
tell something, and are not counted: in LeNet on MNIST a quarter of all values are out there, and no unit stays."""

DROPOUT_NOISE = 0.2
"""Of what dropout adds, as a share of the signal: rate / (1 - rate) / numbers, summed over the layers. Perceptrons on
digits learn well up to 0.15, slowly from 0.2 on, and nothing from 0.5 on; 0.9 of 512 units is 0.02."""

SQUASHED = ("softmax", "sigmoid", "tanh")


def small_batch(chart: Chart) -> Finding | None:
    """Batch norm's mean and variance of a few pictures are mostly noise."""
    norm = next((layer for layer in chart.model.flat_layers if layer.role == "batch norm" and layer.trainable), None)
    size = min(chart.batch_size, len(chart.examples))
    return (
        None if norm is None or size >= MIN_BATCH else Finding("small-batch", {"layer": norm.name, "size": str(size)})
    )


def scores_squashed(chart: Chart) -> Finding | None:
    """A softmax or sigmoid before the one that the loss contains, or before a second one.

    Then all scores lie between 0 and 1, and of ten classes none gets a probability above 0.23.
    """
    joint = chart.model.loss.joint_activation
    body = strip_head(chart.model.graph, joint).layers
    squashing = _last_activations(body)
    if joint is not None and last_activation(body) == "relu":
        last = next(layer for layer in reversed(body) if kind_of(layer) == "relu")
        return Finding("scores-squashed", {"layer": last.name, "kind": "relu", "joint": joint})
    if joint is None:
        softmaxes = [layer for layer, kind in squashing if kind == "softmax"]
        twice = {"layer": softmaxes[-1].name, "kind": "softmax"} if len(softmaxes) > 1 else None
        return Finding("scores-squashed.twice", twice) if twice else None
    if not squashing:
        return None
    layer, kind = squashing[0]
    if kind == joint:
        return Finding("scores-squashed.twice", {"layer": layer.name, "kind": kind})
    return Finding("scores-squashed", {"layer": layer.name, "kind": kind, "joint": joint})


def dropout_high(chart: Chart) -> Finding | None:
    """What is left of so many numbers is mostly noise, and made larger by as much as is dropped."""
    noise: dict[tuple[str, float, int], float] = {}
    for visit in chart.model.graph.walk():
        layer, rate, count = visit.layer, visit.layer.drop_rate, math.prod(visit.input_shape)
        if rate > 0:
            noise[layer.name, rate, count] = rate / (1 - rate) / count
    if sum(noise.values()) < DROPOUT_NOISE:
        return None
    name, rate, count = max(noise, key=lambda key: noise[key])
    return Finding("dropout-high", {"layer": name, "share": percent(rate, 1, "%"), "count": f"{count:,}"})


def equal_weights(chart: Chart) -> Finding | None:
    """A hidden layer whose units all begin with the same weights gets the same gradients in all of them, for ever.

    The last layer may begin with zeros: its units have different targets.
    """
    weighted = [layer for layer in chart.model.flat_layers if _kernel(layer) is not None]
    for layer in weighted[:-1]:
        kernel = _kernel(layer)
        if kernel is None or not layer.trainable or getattr(layer, "groups", 1) != 1 or kernel.shape[-1] < 2:
            continue
        columns = kernel.reshape(-1, kernel.shape[-1])
        if bool((columns == columns[:, :1]).all()):
            zero = not columns.any()
            return Finding("equal-weights.zero" if zero else "equal-weights", {"layer": layer.name})
    return None


def dead_relu(chart: Chart) -> Finding | None:
    """Units that are 0 for every picture have gradient 0, and stay as they are."""
    for output in chart.outputs:
        if output.dead is not None and output.dead >= DEAD:
            return _share("dead-relu", output.dead, output)
    return None


def saturated(chart: Chart) -> Finding | None:
    """Sigmoids and tanhs on their flat ends pass next to no gradient back. Those of the last layer are the answers."""
    last = max((i for i, output in enumerate(chart.outputs) if output.layer.params), default=0)
    for output in chart.outputs[:last]:
        if chart.at_start:
            if output.saturated is not None and output.saturated >= SATURATED_AT_START:
                return _share("saturated.start", output.saturated, output)
        elif output.stuck is not None and output.stuck >= STUCK_UNITS:
            return _share("saturated", output.stuck, output)
    return None


def wide_range(chart: Chart) -> Finding | None:
    """Numbers so far beyond the others that Winograd's algorithm would spoil those beside them."""
    most = max(chart.outputs, key=lambda output: output.recomputed, default=None)
    if most is None or not most.recomputed or chart.model.exact_convolution:
        return None
    return Finding("wide-range", {"layer": most.layer.name, "again": str(most.recomputed), "count": str(most.count)})


def has_sigmoids(layers: Sequence[Layer]) -> bool:
    """Whether a layer before the last weighted one is a sigmoid or tanh: such networks start slowly."""
    last = max((i for i, layer in enumerate(layers) if layer.params), default=0)
    return any(kind_of(layer) in ("sigmoid", "tanh") for layer in layers[:last])


def _share(sentence: str, share: float, output: Output) -> Finding:
    return Finding(sentence, {"share": percent(share, 0, "%"), "layer": output.layer.name, "count": str(output.count)})


def _last_activations(layers: Sequence[Layer]) -> list[tuple[Layer, str]]:
    """The squashing activations behind the last weights, the last first; layers that only reshape are passed over."""
    found = []
    for layer in reversed(layers):
        kind = kind_of(layer)
        if kind in SQUASHED:
            found.append((layer, kind))
        elif layer.role == "activation" or kind is not None:
            break
        if layer.params:
            break
    return found


def _kernel(layer: Layer) -> Array | None:
    kernel = layer.params.get("kernel")
    return kernel if kernel is not None and kernel.ndim > 1 else None
