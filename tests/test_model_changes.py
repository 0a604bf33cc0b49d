"""Layers that come, go, freeze and are copied; several threads; layers of one's own."""

from __future__ import annotations

import copy
import threading
import warnings

import numpy as np
import pytest
from small_model import fit, pictures, small

import pellucid
from pellucid import layers as L
from pellucid import optimizers
from pellucid.errors import ConfigError, ShapeError
from pellucid.model import Sequential
from pellucid.plan import predictor
from pellucid.train import EarlyStopping

RNG = np.random.default_rng(3)


def momentum_of(model: Sequential, name: str) -> np.ndarray:
    parameters = model.parameters
    segment = next(s for s in parameters.segments if s.key == f"{name}/kernel")
    return parameters.slot(model.optimizer_state.slots["m"], segment).copy()


def test_moments_stay_with_the_layers_that_stay() -> None:
    model, (x, y) = small(), pictures()
    model.compile("adam", "categorical_crossentropy")
    fit(model, x, y, epochs=2)
    conv, weights = momentum_of(model, "conv"), model.get_weights()
    assert np.any(conv != 0)
    model.pop()
    model.add(L.Dense(3, activation="softmax", name="out"))  # another layer under the old name
    np.testing.assert_array_equal(momentum_of(model, "conv"), conv)
    np.testing.assert_array_equal(momentum_of(model, "out"), 0)
    np.testing.assert_array_equal(model.get_weights()[0], weights[0])
    history = fit(model, x, y, epochs=3)
    assert history["loss"][-1] < history["loss"][0]
    assert np.any(momentum_of(model, "out") != 0)


def test_new_layers_start_with_the_optimizers_own_moments() -> None:
    model, (x, y) = small(), pictures()
    model.compile(optimizers.Adagrad(initial_accumulator_value=0.25), "categorical_crossentropy")
    fit(model, x, y)
    model.pop()
    model.add(L.Dense(3, name="new"))
    segment = next(s for s in model.parameters.segments if s.key == "new/kernel")
    (name,) = model.optimizer_state.slots
    np.testing.assert_array_equal(model.parameters.slot(model.optimizer_state.slots[name], segment), 0.25)


def test_frozen_layers_stay_and_thawed_ones_move() -> None:
    model, (x, y) = small(), pictures()
    model.compile("adam", "categorical_crossentropy")
    model.get_layer("conv").trainable = False
    before = model.get_weights()
    fit(model, x, y)
    after = model.get_weights()
    np.testing.assert_array_equal(after[0], before[0])
    assert np.any(after[2] != before[2])
    assert model.outline().trainable_parameters == sum(w.size for w in before[2:])
    model.get_layer("conv").trainable = True
    fit(model, x, y)
    assert np.any(model.get_weights()[0] != before[0])


def test_a_layer_frozen_by_a_listener_is_frozen_from_the_next_epoch() -> None:
    from pellucid.train import EpochEnded

    model, (x, y) = small(), pictures()
    model.compile("adam", "categorical_crossentropy")
    kept: list[list[np.ndarray]] = []

    def freeze(event: object) -> None:
        if isinstance(event, EpochEnded):
            model.get_layer("conv").trainable = False
            kept.append(model.get_weights())

    fit(model, x, y, epochs=2, callbacks=freeze)
    np.testing.assert_array_equal(kept[0][0], kept[1][0])
    assert np.any(kept[0][2] != kept[1][2])
    np.testing.assert_array_equal(model(x), small_like(model)(x))


def small_like(model: Sequential) -> Sequential:
    twin = small()
    twin.set_weights(model.get_weights())
    return twin


def test_a_frozen_batch_norm_uses_and_keeps_its_running_statistics() -> None:
    x, y = pictures()
    model = Sequential([L.Input((6, 5, 2)), L.Conv2D(3, 2), L.BatchNorm(), L.Flatten(), L.Dense(3)])
    model.compile("sgd", "categorical_crossentropy")
    fit(model, x, y)
    norm = model.layers[1]
    assert np.any(norm.state["mean"] != 0)
    norm.trainable = False
    before = norm.get_weights()
    fit(model, x, y)
    for now, then in zip(norm.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_a_deep_copy_trains_by_itself() -> None:
    model, (x, y) = small(), pictures()
    model.compile("adam", "categorical_crossentropy")
    fit(model, x, y)
    twin = copy.deepcopy(model)
    before = model.get_weights()
    np.testing.assert_array_equal(twin.predict(x), model.predict(x))
    fit(twin, x, y)
    for now, then in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(now, then)
    np.testing.assert_allclose(twin.predict(x), twin(x), rtol=1e-5, atol=1e-6)
    fit(model, x, y)
    np.testing.assert_array_equal(twin.parameters.vector, model.parameters.vector)
    with pytest.raises(ConfigError, match="belongs to"):
        Sequential([L.Input((6, 5, 2)), twin.layers[0]])


def test_threads_may_predict_at_once() -> None:
    model = small()
    batches = [RNG.normal(size=(64, 6, 5, 2)).astype(np.float32) for _ in range(4)]
    expected = [model.predict(batch) for batch in batches]
    wrong: list[int] = []

    def ask(i: int) -> None:
        for _ in range(40):
            if not np.array_equal(model.predict(batches[i]), expected[i]):
                wrong.append(i)

    workers = [threading.Thread(target=ask, args=(i,)) for i in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


def test_predict_in_any_batches_and_without_keeping_much(monkeypatch: pytest.MonkeyPatch) -> None:
    model, (x, _) = small(), pictures(23)
    whole = model.predict(x)
    for size in (1, 5, 23, 100):
        np.testing.assert_allclose(model.predict(x, batch_size=size), whole, rtol=1e-5, atol=1e-6)
    big = Sequential([L.Input((128, 128, 1)), L.Conv2D(64, 1), L.GlobalAvgPool2D()])
    assert big._predictor.pictures_together(lambda: big.graph) == 32
    one = np.zeros((1, 128, 128, 1), np.float32)
    big.predict(one)
    assert big._predictor._idle
    monkeypatch.setattr(predictor, "KEPT_BYTES", 2**20)
    big._predictor.forget()
    big.predict(one)
    assert not big._predictor._idle
    big.add(L.Dense(2))
    assert big._predictor.pictures_together(lambda: big.graph) == 1


def test_predictions_follow_the_weights_whoever_changed_them() -> None:
    model, (x, y) = small(), pictures(64)
    model.compile("adam", "categorical_crossentropy")
    model.predict(x, batch_size=64)  # the plan, and what kernels packed of the weights, stay
    fit(model, x, y)
    np.testing.assert_array_equal(model.predict(x, batch_size=64), copy.deepcopy(model).predict(x, batch_size=64))
    model.set_weights([-weights for weights in model.get_weights()])
    np.testing.assert_array_equal(model.predict(x, batch_size=64), copy.deepcopy(model).predict(x, batch_size=64))


# Layers of one's own


class Scale(L.Layer):
    """y = factor * x, the least a layer needs."""

    def __init__(self, start: float = 1.0, *, name: str | None = None) -> None:
        super().__init__(name=name)
        self.start = start

    def build(self, input_shape, rng):  # type: ignore[no-untyped-def]
        self.params = {"factor": np.full(input_shape[-1], self.start, np.float32)}

    def forward(self, x, *, training=False, key=None):  # type: ignore[no-untyped-def]
        return x * self.params["factor"], x

    def backward(self, dy, cache, *, need_dx=True):  # type: ignore[no-untyped-def]
        axes = tuple(range(dy.ndim - 1))
        return dy * self.params["factor"], {"dfactor": (dy * cache).sum(axis=axes)}


def test_a_layer_of_ones_own_is_trained() -> None:
    x, y = pictures()
    model = Sequential([L.Input((6, 5, 2)), Scale(0.5), L.Flatten(), L.Dense(3)])
    model.compile(optimizers.SGD(0.5), "categorical_crossentropy")
    assert pellucid.check_gradients(Scale(0.5), (6, 5, 2)).ok
    before = model.get_weights()[0]
    fit(model, x, y)
    assert np.any(model.get_weights()[0] != before)

    # the gradient, by finite differences of the loss
    model.compile(optimizers.SGD(1.0), "categorical_crossentropy")
    weights = model.get_weights()

    def loss(shift: np.ndarray) -> float:
        model.set_weights([weights[0] + shift, *weights[1:]])
        return model.evaluate(x, y, verbose=0)["loss"]

    step = 1e-2
    numeric = [(loss(step * unit) - loss(-step * unit)) / (2 * step) for unit in np.eye(2)]
    model.set_weights(weights)
    fit(model, x, y, batch_size=len(x))
    np.testing.assert_allclose(weights[0] - model.get_weights()[0], numeric, rtol=2e-2, atol=1e-4)


@pytest.mark.parametrize(
    ("gradients", "message"),
    [
        ({}, "backward gave dfactor of shape None"),
        ({"dfactor": np.float32(1)}, r"dfactor of shape \(\), expected \(2,"),
    ],
)
def test_a_wrong_backward_of_ones_own_is_named(gradients: dict[str, object], message: str) -> None:
    class Wrong(Scale):
        def backward(self, dy, cache, *, need_dx=True):  # type: ignore[no-untyped-def]
            return dy, gradients

    x, y = pictures()
    model = Sequential([L.Input((6, 5, 2)), Wrong(name="mine"), L.Flatten(), L.Dense(3)])
    model.compile("sgd", "categorical_crossentropy")
    with pytest.raises(ShapeError, match=message) as caught:
        fit(model, x, y)
    assert "layer 0 'mine'" in str(caught.value)


def test_no_warning_is_raised_by_an_ordinary_run() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model, (x, y) = small(), pictures()
        model.compile()
        fit(model, x, y, validation_split=0.25, callbacks=[EarlyStopping(patience=2)])
