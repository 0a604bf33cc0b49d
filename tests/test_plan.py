"""Plans against the layers' own forward and backward, run one by one: merged and unmerged must agree."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from small_model import training_plan

from pellucid import layers as L
from pellucid import optimizers, zoo
from pellucid.errors import ConfigError
from pellucid.model import Sequential
from pellucid.plan import COUNT, HITS, LOSS, EvaluationPlan, EvaluationTask, Feed, InferencePlan
from pellucid.plan.lowering import strip_head

NETWORKS = {
    "simple_convnet": lambda: zoo.simple_convnet((12, 10, 1), weight_init_std="he"),
    "cifar_net": lambda: zoo.cifar_net((12, 16, 3), n_filter=5),
    "photo_net": lambda: zoo.photo_net((16, 20, 3), 4, filters=(5, 6, 7)),
    "lrn_and_averages": lambda: Sequential(
        [
            L.Input((14, 13, 2)),
            L.Conv2D(6, (3, 2), strides=(2, 1), padding="same", activation="gelu"),
            L.LocalResponseNorm(3, alpha=0.1),
            L.AvgPool2D(3, strides=2, padding="same"),
            L.Conv2D(4, 3, padding=1, groups=2, dilation_rate=2),
            L.LeakyReLU(),
            L.MaxPool2D(2, strides=1),
            L.GlobalAvgPool2D(),
            L.Dense(5, activation="sigmoid"),
            L.Dense(3, activation="softmax"),
        ]
    ),
    "activation_overwrites_norm": lambda: Sequential(
        [
            L.Input((8, 8, 3)),
            L.Conv2D(4, 3),
            L.BatchNorm(scale=False),
            L.ReLU(),
            L.Dropout(0.3),
            L.Flatten(),
            L.Dropout(0.2),
            L.Dense(6),
            L.Tanh(),
            L.Dropout(0.5),
            L.Dense(4),
        ]
    ),
    "norms_and_maps_that_grow": lambda: Sequential(
        [
            L.Input((6, 5, 3)),
            L.Conv2D(6, 3, padding="same"),
            L.GroupNorm(2),
            L.ReLU(),
            L.Conv2DTranspose(4, 2, 2),
            L.LayerNorm(center=False),
            L.ELU(),
            L.Conv2DTranspose(3, (3, 2), (1, 2), "same", activation="tanh"),
            L.GroupNorm(-1, scale=False),
            L.Conv2DTranspose(5, 3, use_bias=False),
            L.LayerNorm((1, 2, 3)),
            L.Flatten(),
            L.Dense(3),
        ]
    ),
    "starts_with_activation": lambda: Sequential(
        [L.Input((5, 4, 2)), L.Activation("tanh"), L.Flatten(), L.Dropout(0.4), L.Dense(3), L.Softmax()]
    ),
    "lenet5_published": lambda: zoo.lenet5_published((31, 29, 2), 5),
    "lenets_layers_otherwise": lambda: Sequential(
        [
            L.Input((11, 12, 3)),
            L.TableConv2D(((0, 2), (1,), (0, 1, 2)), (3, 2), (1, 2), "same", activation="tanh", use_bias=False),
            L.Subsampling2D((3, 2), (2, 1), bias_initializer="ones"),
            L.ScaledTanh(0.7, 1.5),
            L.TableConv2D(((0, 1), (2, 0)), 2, dilation_rate=2),
            L.Flatten(),
            L.ScaledTanh(),
            L.RBF(4, "random_normal"),
        ]
    ),
    "moves_numbers": lambda: Sequential(
        [
            L.Input((9, 8, 3)),
            L.Padding2D(((2, 1), (0, 3)), "reflect"),
            L.Conv2D(6, 3, activation="tanh"),
            L.MaxPool2D(3, 2, ceil_mode=True),
            L.Dense(5, activation="relu"),
            L.SpatialDropout2D(0.4),
            L.StochasticDepth(0.3),
            L.UpSampling2D((2, 3), "bilinear"),
            L.Padding2D((1, 2), "edge"),
            L.GaussianNoise(0.3),
            L.Conv2D(4, 3),
            L.ReLU(),
            L.AvgPool2D(3, 2, 1, ceil_mode=True, count_include_pad=True),
            L.Cropping2D(((1, 0), (0, 2))),
            L.UpSampling2D(2),
            L.Dense(4, activation="softmax"),
            L.Permute((3, 1, 2)),
            L.Softmax(1),
            L.Reshape((-1, 6)),
            L.Softmax(),
            L.Dense(7, activation="tanh"),
            L.GlobalAvgPool1D(),
            L.Dense(3),
        ]
    ),
    "depthwise": lambda: Sequential(
        [
            L.Input((11, 12, 3)),
            L.DepthwiseConv2D(3, 2, padding=1, depth_multiplier=6, activation="relu"),
            L.SeparableConv2D(17, (3, 5), padding="same", depth_multiplier=2, activation="tanh"),
            L.DepthwiseConv2D(5, 2, padding="same", use_bias=False),
            L.BatchNorm(),
            L.ReLU(),
            L.SeparableConv2D(4, 2, use_bias=False),
            L.Flatten(),
            L.Dense(4),
        ]
    ),
    "ones_of_its_own": lambda: Sequential(
        [L.Input((9, 2)), L.Conv1D(4, 3, activation="relu"), L.Flatten(), L.Dense(3)]
    ),
}


def pooled(activation: str, *, joined: bool, pool: type[L.Layer] = L.MaxPool2D) -> Sequential:
    """Two pooled convolutions, the activation their argument or a layer; overlapping windows, groups, no bias."""
    layers: list[L.Layer] = [L.Input((15, 14, 2))]
    for number, filters in enumerate((6, 9)):
        conv = L.Conv2D(filters, (3, 2), padding="same", groups=1 + number * 2, use_bias=number == 0,
                        activation=activation if joined else None)  # fmt: skip
        layers += [conv, *([] if joined else [L.Activation(activation)]), pool((3, 2), strides=2, padding="same")]
    return Sequential([*layers, L.Flatten(), L.Dense(4)])


for kind in ("relu", "tanh", "leaky_relu", "linear", "relu6", "softplus", "silu"):
    for joined in (True, False):
        how = "argument" if joined else "layer"
        NETWORKS[f"pooled_{kind}_{how}"] = partial(pooled, kind, joined=joined)
        NETWORKS[f"averaged_{kind}_{how}"] = partial(pooled, kind, joined=joined, pool=L.AvgPool2D)

CAPACITY = 8
TOLERANCE = {"rtol": 2e-4, "atol": 2e-5}
"""Sums of a few thousand float32 products in another order: error about sqrt(1000) * 6e-8, with room to spare."""


def examples(model: Sequential, count: int = CAPACITY) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(7)
    x = rng.normal(size=(count, *model.input_shape)).astype(np.float32)
    return x, rng.integers(0, model.output_shape[-1], count).astype(np.int32)


def make_feed(model: Sequential, x: np.ndarray, targets: np.ndarray, weights: np.ndarray | None = None) -> Feed:
    channels = x.shape[-1]
    ones, zeros = np.ones(channels, np.float32), np.zeros(channels, np.float32)
    return Feed(x, targets, weights, capacity=CAPACITY, picture=model.input_shape, scale=ones, offset=zeros)


def by_layers(model: Sequential, x: np.ndarray, targets: np.ndarray, seed: int, step: int) -> tuple[float, np.ndarray]:
    """Mean loss and the flat gradient, every layer by its own forward and backward."""
    body = strip_head(model.graph, model.loss.joint_activation)
    caches, y = [], x
    for position, layer in enumerate(body.layers):
        y, cache = layer.forward(y, training=True, key=(seed, step, position))
        caches.append(cache)
    losses, dy = model.loss.value_and_gradient(targets, y, None)
    flat = np.zeros_like(model.parameters.gradients)
    for layer, cache in zip(reversed(body.layers), reversed(caches), strict=True):
        dy, gradients = layer.backward(dy, cache)
        for name, segment in model.parameters.of(layer).items():
            if segment.trainable:
                model.parameters.slot(flat, segment)[...] = gradients[f"d{name}"]
    return float(losses.mean()), flat


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("n", [CAPACITY, 3])
def test_training_plan_agrees_with_layers(name: str, n: int) -> None:
    model = NETWORKS[name]()
    model.compile("sgd", "sparse_categorical_crossentropy")
    x, targets = examples(model)
    loss, expected = by_layers(model, x[:n], targets[:n], seed=3, step=5)
    before = model.parameters.vector.copy()
    plan = training_plan(model, make_feed(model, x, targets))
    assert plan.run(n, step=5, learning_rate=0.0)
    np.testing.assert_allclose(plan.totals[LOSS] / n, loss, rtol=1e-5)
    assert plan.totals[COUNT] == n
    np.testing.assert_allclose(model.parameters.gradients, expected, **TOLERANCE)
    assert np.abs(expected).max() > 0
    np.testing.assert_array_equal(model.parameters.vector, before)


@pytest.mark.parametrize("name", NETWORKS)
def test_inference_and_evaluation_agree_with_layers(name: str) -> None:
    model = NETWORKS[name]()
    model.compile("sgd", "sparse_categorical_crossentropy")
    x, targets = examples(model, count=CAPACITY + 3)
    y = x
    for layer in model.layers:
        y, _ = layer.forward(y)
    np.testing.assert_allclose(model.predict(x, batch_size=CAPACITY), y, **TOLERANCE)
    plan = InferencePlan(model.graph, model.parameters, capacity=CAPACITY)
    plan.inputs[:2] = x[:2]
    np.testing.assert_allclose(plan.run(2)[0], y[:2], **TOLERANCE)

    feed = make_feed(model, x, targets)
    judge = EvaluationPlan(EvaluationTask(model.graph, model.parameters, model.loss, feed, "categorical"))
    judge.run(CAPACITY)
    feed.seek(CAPACITY)
    judge.run(3)
    assert judge.totals[COUNT] == len(x)
    assert judge.totals[HITS] == np.sum(y.argmax(-1) == targets)


@pytest.mark.parametrize("optimizer", optimizers.NAMES)
def test_optimizer_in_the_plan_is_the_optimizer(optimizer: str) -> None:
    model = NETWORKS["lrn_and_averages"]()
    model.compile(optimizer, "sparse_categorical_crossentropy")
    x, targets = examples(model)
    plan = training_plan(model, make_feed(model, x, targets))
    params = model.parameters.vector.copy()
    slots = model.optimizer.slots(model.parameters.gradients.size)
    for step in range(3):
        plan.run(CAPACITY, step=step, learning_rate=0.01)
        decay = model.optimizer.weight_decay or 0.0
        model.optimizer.update(
            params, model.parameters.gradients.copy(), slots, learning_rate=0.01, step=step + 1, weight_decay=decay
        )
        np.testing.assert_allclose(model.parameters.vector, params, rtol=1e-5, atol=1e-7)


def test_frozen_layers_get_no_gradient_and_stay() -> None:
    model = NETWORKS["cifar_net"]()
    model.compile("adam", "sparse_categorical_crossentropy")
    for layer in model.layers[:8]:
        layer.trainable = False
    x, targets = examples(model)
    assert {s.layer for s in model.parameters.segments if s.trainable} == {"conv3", "dense1", "dense2"}
    frozen = {s.key: model.parameters.view(s).copy() for s in model.parameters.segments if not s.trainable}
    before = model.parameters.vector.copy()
    plan = training_plan(model, make_feed(model, x, targets))
    plan.run(CAPACITY, step=0, learning_rate=0.1)
    for segment in model.parameters.segments:
        if not segment.trainable:
            np.testing.assert_array_equal(model.parameters.view(segment), frozen[segment.key])
    assert np.any(model.parameters.vector != before)


def test_everything_frozen_is_an_error() -> None:
    model = NETWORKS["simple_convnet"]()
    model.compile("adam", "sparse_categorical_crossentropy")
    for layer in model.layers:
        layer.trainable = False
    x, targets = examples(model)
    with pytest.raises(ConfigError, match="nothing to train"):
        training_plan(model, make_feed(model, x, targets))


def test_a_subclass_runs_by_its_own_code() -> None:
    calls = []

    class Doubled(L.Dense):
        def forward(self, x, *, training=False, key=None):  # type: ignore[no-untyped-def]
            calls.append(len(x))
            y, cache = super().forward(x, training=training, key=key)
            return 2 * y, cache

        def backward(self, dy, cache, *, need_dx=True):  # type: ignore[no-untyped-def]
            return super().backward(2 * dy, cache, need_dx=need_dx)

    model = Sequential([L.Input((4, 4, 1)), L.Flatten(), Doubled(5), L.ReLU(), L.Dense(3)])
    model.compile("sgd", "sparse_categorical_crossentropy")
    x, targets = examples(model)
    _, expected = by_layers(model, x, targets, seed=3, step=0)
    calls.clear()
    training_plan(model, make_feed(model, x, targets)).run(CAPACITY, step=0, learning_rate=0.0)
    assert calls == [CAPACITY]
    np.testing.assert_allclose(model.parameters.gradients, expected, **TOLERANCE)


def test_penalties_and_clipping_reach_the_gradient() -> None:
    from pellucid.optimizers import SGD

    model = Sequential(
        [L.Input((3, 3, 1)), L.Flatten(), L.Dense(4, kernel_regularizer=L.L2(0.5)), L.ReLU(), L.Dense(2)]
    )
    x, targets = examples(model)
    model.compile(SGD(0.0), "sparse_categorical_crossentropy")
    loss, plain = by_layers(model, x, targets, seed=3, step=0)
    plan = training_plan(model, make_feed(model, x, targets))
    plan.run(CAPACITY, step=0, learning_rate=0.0)
    kernel = model.layers[1].params["kernel"]
    segment = model.parameters.of(model.layers[1])["kernel"]
    difference = model.parameters.gradient(segment) - model.parameters.slot(plain, segment)
    np.testing.assert_allclose(difference, 2 * 0.5 * kernel, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(plan.totals[LOSS] / CAPACITY, loss + 0.5 * np.square(kernel).sum(), rtol=1e-5)

    model.compile(SGD(0.0, global_clipnorm=0.01), "sparse_categorical_crossentropy")
    training_plan(model, make_feed(model, x, targets)).run(CAPACITY, step=0, learning_rate=0.0)
    np.testing.assert_allclose(np.linalg.norm(model.parameters.gradients), 0.01, rtol=1e-4)


def test_a_loss_that_is_no_number_leaves_the_parameters() -> None:
    model = NETWORKS["simple_convnet"]()
    model.compile("adam", "sparse_categorical_crossentropy")
    x, targets = examples(model)
    x[2, 3, 3, 0] = np.nan
    before = model.parameters.vector.copy()
    plan = training_plan(model, make_feed(model, x, targets))
    assert not plan.run(CAPACITY, step=0, learning_rate=0.1)
    np.testing.assert_array_equal(model.parameters.vector, before)


def test_sample_weights_scale_loss_and_gradient() -> None:
    model = NETWORKS["simple_convnet"]()
    model.compile("sgd", "sparse_categorical_crossentropy")
    x, targets = examples(model)
    weights = np.zeros(CAPACITY, np.float32)
    weights[1] = CAPACITY
    loss, expected = by_layers(model, x[1:2], targets[1:2], seed=3, step=0)
    plan = training_plan(model, make_feed(model, x, targets, weights))
    plan.run(CAPACITY, step=0, learning_rate=0.0)
    np.testing.assert_allclose(plan.totals[LOSS] / CAPACITY, loss, rtol=1e-5)
    np.testing.assert_allclose(model.parameters.gradients, expected, **TOLERANCE)
