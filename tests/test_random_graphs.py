"""Random graphs: what the plan computes beside the layers one by one, and beside PyTorch in float64.

PELLUCID_RANDOM_GRAPHS=1000 tries so many of each instead of a few.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pellucid
from pellucid import Input, Model, layers
from pellucid.layers import Layer
from pellucid.ops.geometry import Array

COUNT = int(os.environ.get("PELLUCID_RANDOM_GRAPHS", 25))
# The same graphs in each run: in others a sum might lie so near to 0 that float32 and float64 disagree on its ReLU.
SETTINGS = settings(
    max_examples=COUNT,
    deadline=None,
    derandomize="PELLUCID_RANDOM_GRAPHS" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
SHAPE, BATCH, CLASSES = (8, 6, 4), 5, 3
MERGES = ("add", "multiply", "concatenate")
# What follows one another; some of it runs together where nobody else reads what lies between.
RUNS = (
    *((kind,) for kind in ("conv", "relu", "leaky", "tanh", "linear", "max", "average", "halve", "norm", "flatten")),
    *((kind,) for kind in (*MERGES, "depthwise", "separable", "silu")),
    *(("depthwise", *behind) for behind in (("norm", "relu"), ("norm", "add", "tanh"), ("relu", "halve"))),
    *(("separable", *behind) for behind in (("norm", "relu"), ("norm", "add", "tanh"), ("leaky",))),
    *(("conv", *behind) for behind in (("norm",), ("norm", "relu"), ("norm", "leaky", "halve"), ("relu", "halve"))),
    *(("conv", *behind) for behind in (("add",), ("norm", "add", "relu"), ("add", "silu"), ("norm", "add", "halve"))),
)


@dataclass(frozen=True)
class Plan:
    """Rows of a graph: what each does, to which values (0 is the input, the others count from 1), and with what."""

    rows: tuple[tuple[str, tuple[int, ...], dict[str, Any]], ...]
    outputs: tuple[int, ...]
    seed: int


@st.composite
def plans(draw: st.DrawFn, *, dropout: bool = False) -> Plan:
    """Values read several times, merged, overwritten where possible, and answered amid the graph."""
    shapes: list[tuple[int, ...]] = [SHAPE]
    rows: list[tuple[str, tuple[int, ...], dict[str, Any]]] = []
    runs = draw(st.lists(st.sampled_from([*RUNS, *([("dropout",)] if dropout else [])]), min_size=2, max_size=7))
    for kind, first in ((kind, place == 0) for run in runs for place, kind in enumerate(run)):
        one = draw(st.integers(max(0, len(shapes) - 3), len(shapes) - 1)) if first else len(shapes) - 1
        reads, options = [one], {}
        same = shapes[one][:-1] if kind == "concatenate" else shapes[one]
        if kind in MERGES:
            like = [i for i, shape in enumerate(shapes) if (shape[:-1] if kind == "concatenate" else shape) == same]
            reads.append(draw(st.sampled_from(like)))
        if len(shapes[one]) == 1 and kind not in ("relu", "tanh", "silu", "linear", *MERGES):
            kind, options = "dense", {"units": draw(st.sampled_from([4, 9]))}
        elif kind in ("conv", "depthwise", "separable"):
            options = {
                **({} if kind == "depthwise" else {"filters": draw(st.sampled_from([4, 4, 9]))}),
                **({} if kind == "conv" else {"depth_multiplier": draw(st.sampled_from([1, 1, 2]))}),
                "kernel_size": draw(st.sampled_from([1, 3])),
                "activation": draw(st.sampled_from([None, None, "relu", "tanh", "silu"])),
                "use_bias": draw(st.booleans()),
            }
        elif kind == "halve" and min(shapes[one][:2]) < 2:
            kind = "relu"
        made, _ = _row(kind, options)
        rows.append((kind, tuple(reads), options))
        shapes.append(made.output_of([shapes[i] for i in reads]))
        if len(shapes[-1]) == 3 and shapes[-1][2] > 20:  # of products and concatenations without end
            rows.pop(), shapes.pop()
    outputs = draw(st.lists(st.integers(1, len(shapes) - 1), max_size=2)) if rows else []
    return Plan(tuple(rows), tuple(outputs), draw(st.integers(0, 99)))


def _row(kind: str, options: dict[str, Any]) -> tuple[Layer, Any]:
    """A layer, and the same in PyTorch: of its values, each (N, C, H, W) or (N, units), and of its weights by name."""
    torch = pytest.importorskip("torch")
    f = torch.nn.functional

    def convolved(w: Any, training: bool, x: Any) -> Any:
        size = options["kernel_size"]
        kernel = w.get("kernel", w.get("depthwise_kernel"))
        groups = x.shape[1] if "depth_multiplier" in options else 1
        if "depth_multiplier" in options:
            kernel = kernel.reshape(size, size, 1, -1)
        own = None if "pointwise_kernel" in w else w.get("bias")
        y = f.conv2d(x, kernel.permute(3, 2, 0, 1), own, padding=size // 2, groups=groups)
        if "pointwise_kernel" in w:
            y = f.conv2d(y, w["pointwise_kernel"].permute(3, 2, 0, 1), w.get("bias"))
        return {"relu": f.relu, "tanh": torch.tanh, "silu": f.silu, None: lambda z: z}[options["activation"]](y)

    def normed(w: Any, training: bool, x: Any) -> Any:
        axes = (0, 2, 3) if x.ndim == 4 else (0,)
        if training:
            mean, variance = x.mean(axes), x.var(axes, unbiased=False)
            for name, batch in (("mean", mean), ("variance", variance)):
                w[name].mul_(0.9).add_(0.1 * batch.detach())
        else:
            mean, variance = w["mean"], w["variance"]
        column = [1, -1, 1, 1][: x.ndim]
        scaled = (x - mean.view(column)) / torch.sqrt(variance.view(column) + 1e-3)
        return scaled * w["gamma"].view(column) + w["beta"].view(column)

    table: dict[str, tuple[Any, Any]] = {
        "conv": (lambda: layers.Conv2D(padding="same", bias_initializer="random_normal", **options), convolved),
        "depthwise": (lambda: layers.DepthwiseConv2D(padding="same", bias_initializer="ones", **options), convolved),
        "separable": (lambda: layers.SeparableConv2D(padding="same", bias_initializer="ones", **options), convolved),
        "dense": (lambda: layers.Dense(**options), lambda w, training, x: x @ w["kernel"] + w["bias"]),
        "relu": (layers.ReLU, lambda w, training, x: f.relu(x)),
        "leaky": (lambda: layers.LeakyReLU(0.1), lambda w, training, x: f.leaky_relu(x, 0.1)),
        "tanh": (layers.Tanh, lambda w, training, x: torch.tanh(x)),
        "silu": (lambda: layers.Activation("silu"), lambda w, training, x: f.silu(x)),
        "linear": (lambda: layers.Activation("linear"), lambda w, training, x: x),
        "max": (
            lambda: layers.MaxPool2D(3, 1, padding="same"),
            lambda w, training, x: f.max_pool2d(x, 3, 1, padding=1),
        ),
        "average": (
            lambda: layers.AvgPool2D(3, 1, padding="same"),
            lambda w, training, x: f.avg_pool2d(x, 3, 1, padding=1, count_include_pad=False),
        ),
        "halve": (layers.MaxPool2D, lambda w, training, x: f.max_pool2d(x, 2)),
        "norm": (lambda: layers.BatchNorm(momentum=0.9), normed),
        "flatten": (layers.Flatten, lambda w, training, x: x.permute(0, 2, 3, 1).flatten(1)),
        "mean": (layers.GlobalAvgPool2D, lambda w, training, x: x.mean((2, 3))),
        "add": (layers.Add, lambda w, training, x, y: x + y),
        "multiply": (layers.Multiply, lambda w, training, x, y: x * y),
        "concatenate": (layers.Concatenate, lambda w, training, *x: torch.cat(x, 1)),
        "dropout": (lambda: layers.Dropout(0.5), None),
    }
    make, twin = table[kind]
    return make(), twin


class Network:
    """A graph made of a plan, by our layers and by PyTorch's functions; a dense layer reads all that nobody else does.

    several: it answers by the plan's other outputs, too.
    """

    def __init__(self, plan: Plan, *, several: bool = False) -> None:
        rows = list(plan.rows)
        inputs = Input(SHAPE)
        values: list[Any] = [inputs]
        self.twins: list[tuple[Layer, Any, tuple[int, ...]]] = []

        def add(kind: str, reads: tuple[int, ...], options: dict[str, Any]) -> int:
            layer, twin = _row(kind, options)
            self.twins.append((layer, twin, reads))
            values.append(layer([values[i] for i in reads] if layer.merges else values[reads[0]]))
            return len(values) - 1

        for kind, reads, options in rows:
            add(kind, reads, options)
        read = {i for _, reads, _ in rows for i in reads}
        loose = [i for i in range(1, len(values)) if i not in read] or [0]
        flat = [i if len(values[i].shape) == 1 else add("mean" if i % 2 else "flatten", (i,), {}) for i in loose]
        end = add("concatenate", tuple(flat), {}) if len(flat) > 1 else flat[0]
        end = add("dense", (end,), {"units": CLASSES})
        self.answers = [end, *plan.outputs] if several else [end]
        self.model = Model(inputs, [values[i] for i in self.answers], seed=plan.seed)
        rng = np.random.default_rng(plan.seed)
        for layer in self.model.layers:
            if isinstance(layer, layers.BatchNorm):  # as after some training
                layer.set_weights([np.exp(rng.normal(0, 0.3, a.size)) for a in layer.get_weights()])

    def weights(self) -> dict[str, Any]:
        """All of ours as PyTorch's, in float64."""
        import torch

        return {
            f"{layer.name}/{name}": torch.tensor(
                np.array(array), dtype=torch.float64, requires_grad=name in layer.params
            )
            for layer in self.model.layers
            for name, array in (layer.params | layer.state).items()
        }

    def in_torch(self, weights: dict[str, Any], x: Any, *, training: bool) -> list[Any]:
        """The answers as PyTorch computes them, each (N, H, W, C) or (N, units)."""
        values = [x.permute(0, 3, 1, 2)]
        for layer, twin, reads in self.twins:
            own = {key.split("/")[1]: value for key, value in weights.items() if key.split("/")[0] == layer.name}
            values.append(twin(own, training, *(values[i] for i in reads)))
        answers = (values[i] for i in self.answers)
        return [y.permute(0, 2, 3, 1) if y.ndim == 4 else y for y in answers]


RNG = np.random.default_rng(3)
X = RNG.standard_normal((BATCH, *SHAPE), np.float32)
Y = np.arange(BATCH) % CLASSES


def assert_near(got: Any, wanted: Any, share: float, what: str = "") -> None:
    """Each number within a share of the largest, or of 0.01 where all are small."""
    got, wanted = np.asarray(got), np.asarray(wanted)
    np.testing.assert_allclose(got, wanted, rtol=share, atol=share * max(np.abs(wanted).max(), 1e-2), err_msg=what)


def by_layers(model: Model, x: Array, targets: Array) -> tuple[dict[str, Array], Array]:
    """Every gradient of the mean loss, and that of the pictures, each layer by its own code as in a training step."""
    caches: dict[int, Any] = {}
    gradients: dict[str, Array] = {}

    def forward(number: int, layer: Layer, read: Any) -> Array:
        y, caches[number] = layer.forward(read, training=True, key=(model.seed, 0, number))
        return y

    def backward(number: int, layer: Layer, dy: Array) -> Any:
        dx, made = layer.backward(dy, caches[number])
        gradients.update({f"{layer.name}/{name.removeprefix('d')}": value for name, value in made.items()})
        return dx

    dy = model.loss.value_and_gradient(targets.astype(np.int32), model.graph.run(x, forward), None)[1]
    dx = model.graph.back(dy, backward)
    assert dx is not None
    return gradients, dx


def trained(model: Model, rate: float, steps: int = 1) -> dict[str, Array]:
    """All weights after so many steps of plain SGD by the plan, less what they were."""
    model.compile(pellucid.optimizers.SGD(rate), "sparse_categorical_crossentropy")
    before = {f"{layer.name}/{name}": np.array(a) for layer in model.layers for name, a in layer.params.items()}
    model.fit(X, Y, BATCH, steps, verbose=0, shuffle=False, doctor=False)
    after = {f"{layer.name}/{name}": np.array(a) for layer in model.layers for name, a in layer.params.items()}
    return {key: after[key] - before[key] for key in after}


@SETTINGS
@given(plans(dropout=True))
def test_plans_agree_with_the_layers(plan: Plan) -> None:
    network = Network(plan, several=True)
    model = network.model
    wanted = model.graph.run(X, lambda number, layer, read: layer.forward(read)[0])
    answers = model.predict(X)
    for got, value in zip(*((y if isinstance(y, list) else [y]) for y in (answers, wanted)), strict=True):
        assert_near(got, value, 1e-4)
    model = Network(plan).model
    model.compile("sgd", "sparse_categorical_crossentropy")
    gradients, _ = by_layers(model, X, Y)
    taken = trained(model, 1.0)
    assert set(taken) == set(gradients)
    for key, gradient in gradients.items():
        assert_near(-taken[key], gradient, 3e-3, key)


@SETTINGS
@given(plans())
def test_plans_agree_with_pytorch(plan: Plan) -> None:
    """Answers as in use and gradients, of the pictures too; then three steps of SGD, and answers after them."""
    torch = pytest.importorskip("torch")
    network, others = Network(plan), Network(plan, several=True)
    model, weights, pictures = network.model, network.weights(), torch.tensor(X, dtype=torch.float64)
    answers = others.model.predict(X)
    for got, value in zip(
        answers if isinstance(answers, list) else [answers],
        others.in_torch(others.weights(), pictures, training=False),
        strict=True,
    ):
        assert_near(got, value.detach(), 1e-4)
    model.compile("sgd", "sparse_categorical_crossentropy")
    gradients, dx = by_layers(model, X, Y)
    trainable = {key: weight for key, weight in weights.items() if weight.requires_grad}
    pictures.requires_grad_(True)

    def loss() -> Any:
        return torch.nn.functional.cross_entropy(network.in_torch(weights, pictures, training=True)[0], torch.tensor(Y))

    running = {key: weight.clone() for key, weight in weights.items() if not weight.requires_grad}
    found = torch.autograd.grad(loss(), [*trainable.values(), pictures])
    weights.update(running)
    assert_near(dx, found[-1], 3e-3, "dx")
    for key, gradient in zip(trainable, found, strict=False):
        assert_near(gradients[key], gradient, 3e-3, key)
    rate = 0.1 / max(1.0, *(float(gradient.abs().max()) for gradient in found))
    for _ in range(3):
        for weight, gradient in zip(
            trainable.values(), torch.autograd.grad(loss(), list(trainable.values())), strict=True
        ):
            weight.data -= rate * gradient
    taken = trained(model, rate, 3)
    start = Network(plan).weights()
    for key, weight in trainable.items():
        assert_near(taken[key], (weight - start[key]).detach(), 1e-2, key)
    assert_near(model.predict(X), network.in_torch(weights, pictures, training=False)[0].detach(), 1e-3)
