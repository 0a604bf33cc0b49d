"""Batch norm folded into the layer before it: in use alone, within a bound, and anew whenever weights have changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from small_model import fit

import pellucid
from pellucid import Sequential, layers, zoo
from pellucid.layers import BatchNorm
from pellucid.model.inputs import make_examples
from pellucid.ops import backend
from pellucid.ops.geometry import Array
from pellucid.ops.reference.conv import conv2d
from pellucid.plan import InferencePlan
from pellucid.plan.lowering import strip_head
from pellucid.train import training_plan
from pellucid.train.feeding import Feeder

RNG = np.random.default_rng(4)
X = RNG.standard_normal((6, 9, 7, 3), np.float32)
Y = RNG.integers(0, 5, 6)
native_only = pytest.mark.skipif(backend().name != "native", reason="looks at native programs")


def norms(model: pellucid.Model) -> list[BatchNorm]:
    return [layer for layer in model.layers if isinstance(layer, BatchNorm)]


def lived(model: pellucid.Model, spread: float = 1.0) -> pellucid.Model:
    """With running statistics, scales and shifts that are no longer the first ones."""
    rng = np.random.default_rng(8)
    for norm in norms(model):
        for kept in (norm.params, norm.state):
            for name, array in kept.items():
                positive = name in ("gamma", "variance")
                kept[name] = np.exp(rng.normal(0, spread, array.size)) if positive else rng.normal(0, 1, array.size)
    return model


def small(*between: layers.Layer, **options: Any) -> Sequential:
    rows = [layers.Conv2D(8, 3, padding="same", **options), *between, layers.BatchNorm(epsilon=1e-5), layers.ReLU()]
    ends = [layers.MaxPool2D(), layers.Flatten(), layers.Dense(5), layers.BatchNorm(scale=False), layers.Softmax()]
    return Sequential([layers.Input((9, 7, 3)), *rows, *ends], seed=1)


def by_layers(model: pellucid.Model, x: Array = X) -> Array:
    y = model.graph.run(x, lambda number, layer, read: layer.forward(read)[0])
    assert y is not None
    return y


def kernels_of(model: pellucid.Model) -> list[str]:
    return [step.kernel for step in InferencePlan(model.graph, model.parameters, capacity=4).steps]


@native_only
def test_a_norm_behind_a_linear_layer_is_no_step() -> None:
    assert kernels_of(small()) == ["conv2d_pool", "dense", "softmax"]
    assert kernels_of(small(use_bias=False)) == ["conv2d_pool", "dense", "softmax"]
    assert "batch_norm_inference" not in kernels_of(zoo.photo_net((32, 32, 3), 4))


@native_only
def test_a_residual_block_is_one_step_a_convolution() -> None:
    """Convolution + folded batch norm + what is added + activation."""
    kernels = kernels_of(zoo.resnet20())
    assert kernels == ["conv2d"] * 21 + ["global_avg_pool2d", "dense", "softmax"]
    sums: dict[int, Callable[[Any, Any], Any]] = {
        0: lambda inputs, x: layers.Conv2D(3, 1)(x) + x,
        1: lambda inputs, x: layers.Conv2D(3, 1, activation="relu")(x) + x,  # its own activation comes before the sum
        2: lambda inputs, x: layers.Add()([layers.Conv2D(3, 1)(x), x, inputs]),
    }
    for count, make in sums.items():
        inputs = layers.Input((9, 7, 3))
        assert kernels_of(pellucid.Model(inputs, make(inputs, layers.Conv2D(3, 1)(inputs)))).count("add") == count


@native_only
def test_an_inverted_residual_block_is_one_step_a_convolution() -> None:
    """As in MobileNetV2: pointwise, depthwise, pointwise, each with its norm, the last added to what came in."""
    inputs = layers.Input((9, 7, 4))
    x = layers.ReLU()(BatchNorm()(layers.Conv2D(12, 1, use_bias=False)(inputs)))
    x = layers.ReLU()(BatchNorm()(layers.DepthwiseConv2D(3, 1, 1, use_bias=False)(x)))
    x = layers.Add()([BatchNorm()(layers.Conv2D(4, 1, use_bias=False)(x)), inputs])
    x = layers.ReLU()(BatchNorm()(layers.SeparableConv2D(5, 3, padding="same", use_bias=False)(x)))
    model = lived(pellucid.Model(inputs, x))
    assert kernels_of(model) == ["conv2d"] * 5
    pictures = RNG.standard_normal((6, 9, 7, 4), np.float32)
    wanted = by_layers(model, pictures)
    np.testing.assert_allclose(model.predict(pictures), wanted, rtol=1e-4, atol=1e-5 * np.abs(wanted).max())


@native_only
def test_where_something_stands_between_a_norm_is_a_step() -> None:
    for model in (small(activation="tanh"), small(layers.Dropout(0.1)), small(layers.ReLU())):
        assert kernels_of(model).count("batch_norm_inference") == 1
    inputs = layers.Input((9, 7, 3))
    x = layers.Conv2D(3, 1)(inputs)
    assert "batch_norm_inference" in kernels_of(pellucid.Model(inputs, layers.BatchNorm()(x) + x))  # x is read twice
    model = small()
    model.layers[0].trainable = False  # what it gives may be kept, so it is computed by itself
    assert kernels_of(model).count("batch_norm_inference") == 1


@pytest.mark.parametrize("activation", [None, "relu"])
@pytest.mark.parametrize("groups", [1, 3])
def test_folded_answers_are_within_the_bound(activation: str | None, groups: int) -> None:
    """|error| <= (n + 8) u (sum |x| |s k| + |s| (|b| + |mean|) + |beta|): n products and a few roundings more."""
    model = Sequential(
        [
            layers.Conv2D(9, (3, 2), padding="same", groups=groups, bias_initializer="random_normal"),
            layers.BatchNorm(epsilon=1e-3),
            layers.Activation(activation),
        ],
        exact_convolution=True,
    )
    model.build((9, 7, 3))
    lived(model, spread=2.0)
    conv, norm = model.layers[:2]
    kernel, bias, gamma, beta, mean, variance = (a.astype(np.float64) for a in (*conv.weights, *norm.weights))
    s = gamma / np.sqrt(variance + norm.epsilon)
    options: Any = {"strides": (1, 1), "padding": ((1, 1), (0, 1)), "dilation": (1, 1), "groups": groups}

    def convolved(x: Array, k: Array, b: Array) -> Array:
        y = np.empty((*x.shape[:3], 9))
        conv2d(x.astype(np.float64), k, b, y, **options)
        return y

    truth = s * (convolved(X, kernel, bias) - mean) + beta
    bound = convolved(np.abs(X), np.abs(s * kernel), np.abs(s) * (np.abs(bias) + np.abs(mean)) + np.abs(beta))
    bound *= (kernel[..., 0].size + 8) * np.finfo(np.float32).eps / 2
    if activation == "relu":
        truth = np.maximum(truth, 0)
    for answers in (model.predict(X), by_layers(model)):
        assert (np.abs(answers - truth) <= bound).all()


@pytest.mark.parametrize(
    "make",
    [small, lambda: zoo.photo_net((9, 7, 3), 5, filters=(8, 8)), lambda: zoo.resnet20((9, 7, 3), 5)],
    ids=["small", "photo-net", "resnet20"],
)
def test_folded_answers_are_the_layers(make: Callable[[], pellucid.Model]) -> None:
    model = lived(make(), 0.3)
    for count in (1, 6):
        np.testing.assert_allclose(model.predict(X[:count]), by_layers(model, X[:count]), rtol=2e-4, atol=2e-6)


def _write(model: pellucid.Model) -> None:
    model.set_weights([1.5 * weights for weights in model.get_weights()])


def _assign(model: pellucid.Model) -> None:
    norms(model)[0].state["mean"] = np.full(8, 0.7)


def _write_in_place(model: pellucid.Model) -> None:
    norms(model)[0].state["variance"][:] = 3.0


def _apply_state(model: pellucid.Model) -> None:
    norm = norms(model)[0]
    norm.apply_state(norm.forward(RNG.standard_normal((4, 9, 7, 8), np.float32), training=True)[1])


def _freeze(model: pellucid.Model) -> None:
    norms(model)[0].trainable = False


def _train(model: pellucid.Model) -> None:
    fit(model, X, Y, epochs=2)


@pytest.mark.parametrize("change", [_write, _assign, _write_in_place, _apply_state, _freeze, _train])
def test_whatever_changes_weights_is_seen(change: Callable[[pellucid.Model], None]) -> None:
    model = lived(small(), 0.3)
    model.compile("adam", "sparse_categorical_crossentropy")
    before = model.predict(X)
    change(model)
    after = model.predict(X)
    np.testing.assert_allclose(after, by_layers(model), rtol=2e-4, atol=2e-6)
    assert change is _freeze or np.abs(after - before).max() > 1e-4


def test_an_epoch_is_judged_by_its_own_weights() -> None:
    """Held-out loss in training is that of `evaluate` afterwards, to the bit."""
    model = small()
    model.compile("adam", "sparse_categorical_crossentropy")
    for _ in range(2):
        history = model.fit(X, Y, validation_data=(X, Y), verbose=0, doctor=False)
        assert history["val_loss"][-1] == model.evaluate(X, Y, verbose=0)[0]


def test_frozen_layers_are_folded_for_each_state_of_their_weights() -> None:
    """What lies below the trained layers is the same computed once, in every step, and by steps that run in a row."""

    def trained(*, cache: bool, watched: bool) -> Array:
        model = lived(small(), 0.3)
        model.compile("sgd", "sparse_categorical_crossentropy")
        for layer in model.layers[:3]:
            layer.trainable = False

        def look(event: object) -> None:
            if isinstance(event, pellucid.train.EpochEnded):
                norms(model)[0].state["mean"] = np.full(8, 0.1 * event.epoch)

        look.every_batch = watched  # type: ignore[attr-defined]
        model.fit(X, Y, batch_size=2, epochs=3, verbose=0, callbacks=[look], cache_features=cache, doctor=False)
        return model.parameters.vector

    truth = trained(cache=False, watched=True)
    for cache, watched in ((True, True), (True, False), (False, False)):
        np.testing.assert_array_equal(trained(cache=cache, watched=watched), truth)


def gradients_by_layers(model: pellucid.Model) -> dict[str, Array]:
    """Those of the mean cross-entropy of X, Y, layer by layer."""
    body, caches, found = strip_head(model.graph, "softmax"), dict[int, Any](), dict[str, Array]()

    def forward(number: int, layer: layers.Layer, read: Any) -> Array:
        y, caches[number] = layer.forward(read, training=True, key=(0, 0, number))
        return y

    def backward(number: int, layer: layers.Layer, dy: Array) -> Any:
        dx, own = layer.backward(dy, caches[number])
        found.update({f"{layer.name}/{name[1:]}": each for name, each in own.items()})
        return dx

    scores = body.run(X, forward).astype(np.float64)
    shares = np.exp(scores - scores.max(1, keepdims=True))
    dy = (shares / shares.sum(1, keepdims=True) - np.eye(scores.shape[1])[Y]) / len(Y)
    body.back(dy.astype(np.float32), backward)
    return found


@native_only
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("depthwise", [False, True])
def test_a_frozen_norm_is_no_step_in_training_and_gradients_stay(bias: bool, depthwise: bool) -> None:
    between = [layers.BatchNorm(), layers.DepthwiseConv2D(3, padding="same", use_bias=bias)] if depthwise else []
    model = lived(small(*between, use_bias=bias), spread=0.3)
    for norm in norms(model):
        norm.trainable = False
    model.compile("sgd", "sparse_categorical_crossentropy")
    examples, _ = make_examples(model, X, Y, None, None)
    feeder = Feeder(examples, len(X))
    feed = feeder.make_feed(model)
    plan = training_plan(model, feed, seed=0, accuracy=None)
    assert not [step.kernel for step in plan.steps if step.kernel.startswith("batch_norm")]
    for step in range(2):  # what is folded is folded anew
        wanted = gradients_by_layers(model)
        feeder.reorder(feed, 0)
        feed.seek(0)
        assert plan.run(len(X), step=step, learning_rate=0.1)
        for segment in model.parameters.segments:
            if segment.trainable:
                exact, found = wanted[segment.key], model.parameters.gradient(segment)
                np.testing.assert_allclose(found, exact, rtol=0, atol=1e-5 * np.abs(exact).max(), err_msg=segment.key)
