"""Training against numbers computed by hand: labels, losses, weights, validation; same seed, same bits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from small_model import fit, pictures, small

import pellucid
from pellucid import layers as L
from pellucid import losses, optimizers, zoo
from pellucid.errors import ConfigError, DataError
from pellucid.model import Sequential
from pellucid.train import EarlyStopping

RNG = np.random.default_rng(3)


def test_labels_in_every_form_give_the_same_training() -> None:
    x, y = pictures()
    weights = []
    for labels in (y, y[:, None], y.astype(np.float64), np.eye(3)[y], y.tolist(), y.astype(np.uint8)):
        model = small()
        model.compile("sgd", "categorical_crossentropy")
        history = fit(model, x, labels, batch_size=7)
        weights.append(model.parameters.vector.copy())
        assert "accuracy" in history.history
    for other in weights[1:]:
        np.testing.assert_array_equal(weights[0], other)


@pytest.mark.parametrize(
    "end",
    [
        lambda: [L.Dense(3, activation="softmax")],
        lambda: [L.Dense(3, "SoftMax")],
        lambda: [L.Dense(3), L.Softmax()],
        lambda: [L.Dense(3), L.Activation("softmax")],
        lambda: [L.Dense(3)],
    ],
)
def test_a_final_softmax_in_any_spelling_is_part_of_the_loss(end: object) -> None:
    x, y = pictures()
    logits = Sequential([L.Input((6, 5, 2)), L.Flatten(), L.Dense(3)])
    model = Sequential([L.Input((6, 5, 2)), L.Flatten(), *end()])  # type: ignore[operator]
    for each in (logits, model):
        each.compile("adam", losses.CategoricalCrossentropy(from_logits=True))
        fit(each, x, y, batch_size=10, epochs=2)
    np.testing.assert_array_equal(model.parameters.vector, logits.parameters.vector)
    assert tuple(model.evaluate(x, y, verbose=0)) == tuple(logits.evaluate(x, y, verbose=0))
    z = logits.predict(x).astype(np.float64)
    by_hand = np.mean(np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(y)), y])
    assert model.evaluate(x, y, verbose=0)["loss"] == pytest.approx(by_hand, rel=1e-5)


@pytest.mark.parametrize("end", [lambda: [L.Dense(1, "sigmoid")], lambda: [L.Dense(1), L.Sigmoid()]])
def test_one_sigmoid_unit_learns_two_classes(end: object) -> None:
    x, _ = pictures(60)
    y = (x.mean(axis=(1, 2, 3)) > 0).astype(int)
    model = Sequential([L.Input((6, 5, 2)), L.Flatten(), *end()])  # type: ignore[operator]
    model.compile(optimizers.Adam(0.05), "binary_crossentropy")
    history = fit(model, x, y, batch_size=20, epochs=40)
    p = model.predict(x)[:, 0].astype(np.float64)
    loss, accuracy = model.evaluate(x, y, verbose=0)
    assert accuracy == pytest.approx(np.mean((p > 0.5) == y)) and accuracy > 0.95
    assert loss == pytest.approx(-np.mean(y * np.log(p) + (1 - y) * np.log(1 - p)), rel=1e-4)
    assert history["loss"][-1] < history["loss"][0] / 2


def test_several_classes_at_once() -> None:
    x, _ = pictures(40)
    y = (x[:, 0, 0, :] > 0).astype(np.float32)
    model = Sequential([L.Input((6, 5, 2)), L.Flatten(), L.Dense(2, "sigmoid")])
    model.compile(optimizers.Adam(0.05), "binary_crossentropy")
    fit(model, x, y, batch_size=20, epochs=30, validation_data=(x[:2], np.array([[1, 0], [0, 1]])))
    loss, accuracy = model.evaluate(x, y, verbose=0)
    p = model.predict(x).astype(np.float64)
    assert accuracy == pytest.approx(np.mean((p > 0.5) == y), rel=1e-6) and accuracy > 0.9
    assert loss == pytest.approx(-np.mean(y * np.log(p) + (1 - y) * np.log(1 - p)), rel=1e-4)


def test_validation_counts_right_answers_as_training_does() -> None:
    x, _ = pictures(8)
    both = np.array([[1, 1], [1, 0]] * 4, np.float32)
    model = Sequential([L.Input((6, 5, 2)), L.Flatten(), L.Dense(2, "sigmoid", kernel_initializer="zeros")])
    model.compile(optimizers.SGD(0.0), "binary_crossentropy")
    model.layers[1].set_weights([np.zeros((60, 2)), [1, 1]])
    history = fit(model, x, both, validation_data=(x[1::2], both[1::2]))  # held-out rows that look one-hot
    assert history["accuracy"] == [0.75] and history["val_accuracy"] == [0.5]


@pytest.mark.parametrize("loss", ["mse", "mae"])
def test_regression(loss: str) -> None:
    x, _ = pictures(50)
    y = 2 * x.mean(axis=(1, 2, 3)) - 1
    model = Sequential([L.Input((6, 5, 2)), L.Flatten(), L.Dense(1)])
    model.compile(optimizers.Adam(0.02), loss)
    history = fit(model, x, y, batch_size=25, epochs=60)
    assert "accuracy" not in history.history and history["loss"][-1] < history["loss"][0] / 5
    error = model.predict(x)[:, 0] - y
    expected = np.mean(error**2) if loss == "mse" else np.mean(np.abs(error))
    (found,) = model.evaluate(x, y, verbose=0)
    assert found == pytest.approx(expected, rel=1e-4)


def cross_entropies(model: Sequential, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return -np.log(model.predict(x).astype(np.float64)[np.arange(len(y)), y])


def test_sample_and_class_weights_scale_the_loss() -> None:
    x, y = pictures(10)
    weights = np.linspace(0, 3, 10)
    model = small()
    model.compile(optimizers.SGD(0.0), "categorical_crossentropy")
    own = cross_entropies(model, x, y)
    history = fit(model, x, y, batch_size=4, sample_weight=weights)
    assert history["loss"][0] == pytest.approx(np.mean(weights * own), rel=1e-5)
    assert model.evaluate(x, y, sample_weight=weights, verbose=0)["loss"] == pytest.approx(np.mean(weights * own), 1e-5)
    by_class = {0: 2.0, 2: 0.5}
    factors = np.array([2.0, 1.0, 0.5])[y]
    history = fit(model, x, y, batch_size=4, sample_weight=weights, class_weight=by_class)
    assert history["loss"][0] == pytest.approx(np.mean(weights * factors * own), rel=1e-5)
    history = fit(model, x, y, class_weight="balanced")
    counts = np.bincount(y)
    assert history["loss"][0] == pytest.approx(np.mean((10 / (3 * counts))[y] * own), rel=1e-5)


def test_weights_change_the_gradient_as_repeating_pictures_does() -> None:
    x, y = pictures(6)
    repeated, weighted = small(), small()
    for model in (repeated, weighted):
        model.compile(optimizers.SGD(0.5), "categorical_crossentropy")
    fit(repeated, np.concatenate([x, x[:2]]), np.concatenate([y, y[:2]]), batch_size=8)
    fit(weighted, x, y, sample_weight=np.array([2, 2, 1, 1, 1, 1]) * 6 / 8, batch_size=6)
    np.testing.assert_allclose(weighted.parameters.vector, repeated.parameters.vector, rtol=1e-4, atol=1e-6)


def test_class_weights_of_one_sigmoid_unit() -> None:
    x, _ = pictures(9)
    y = np.array([0, 1, 1] * 3)
    model = Sequential([L.Input((6, 5, 2)), L.Flatten(), L.Dense(1, "sigmoid")])
    model.compile(optimizers.SGD(0.0), "binary_crossentropy")
    p = model.predict(x)[:, 0].astype(np.float64)
    own = -(y * np.log(p) + (1 - y) * np.log(1 - p))
    history = fit(model, x, y, class_weight={1: 5.0})
    assert history["loss"][0] == pytest.approx(np.mean(np.where(y, 5, 1) * own), rel=1e-5)


def test_class_weights_do_not_judge() -> None:
    x, y = pictures(30)
    model = small()
    model.compile(optimizers.SGD(0.0), "categorical_crossentropy")
    plain = fit(model, x, y, validation_split=0.2)
    heavy = fit(model, x, y, validation_split=0.2, class_weight={0: 9.0, 1: 9.0, 2: 9.0})
    assert heavy["loss"][0] == pytest.approx(9 * plain["loss"][0], rel=1e-5)
    assert heavy["val_loss"][0] == pytest.approx(plain["val_loss"][0], rel=1e-6)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"sample_weight": np.ones(5)}, DataError, "sample_weight must be 24 numbers"),
        ({"sample_weight": -np.ones(24)}, DataError, "at least 0"),
        ({"class_weight": {3: 1.0}}, ConfigError, r"names classes \[3\], but the classes are 0 to 2"),
        ({"class_weight": {0: -1.0}}, ConfigError, "at least 0"),
        ({"class_weight": "balance"}, ConfigError, '"balanced"'),
        ({"validation_split": 1.0}, ConfigError, "validation_split"),
        ({"validation_data": (1, 2, 3, 4)}, ConfigError, "validation_data must be"),
        ({"epochs": -1}, ConfigError, "epochs must be a whole number"),
        ({"batch_size": 0}, ConfigError, "batch_size must be a whole number"),
        ({"callbacks": [object()]}, ConfigError, "callbacks are functions"),
        ({"callbacks": [EarlyStopping("val_los")], "validation_split": 0.5}, ConfigError, "did you mean 'val_loss'"),
    ],
)
def test_wrong_arguments_of_fit(options: dict[str, object], error: type[Exception], message: str) -> None:
    model, (x, y) = small(), pictures()
    model.compile("sgd", "categorical_crossentropy")
    with pytest.raises(error, match=message):
        fit(model, x, y, **options)


def test_wrong_arguments_elsewhere() -> None:
    model, (x, y) = small(), pictures()
    for use in (lambda: model.fit(x, y), lambda: model.evaluate(x, y)):
        with pytest.raises(ConfigError, match="not compiled"):
            use()
    with pytest.raises(ConfigError, match="unknown metric 'aucc'; did you mean 'auc'"):
        model.compile("sgd", "mse", metrics=["aucc"])
    model.compile("sgd", "categorical_crossentropy", metrics="accuracy")
    with pytest.raises(ConfigError, match="verbose must be"):
        model.fit(x, y, verbose=3)
    with pytest.raises(ConfigError, match="batch_size"):
        model.predict(x, batch_size=0)
    with pytest.raises(ConfigError, match="batch_size"):
        model.evaluate(x, y, batch_size=0, verbose=0)
    with pytest.raises(ConfigError, match="needs one class a picture"):
        regression = Sequential([L.Input((6, 5, 2)), L.Flatten(), L.Dense(1)])
        regression.compile("sgd", "mse")
        fit(regression, x, y, class_weight={0: 2.0})


def test_validation_split_holds_out_its_share_of_each_class() -> None:
    x, y = pictures(50, classes=2)
    y[:] = 0
    y[:10] = 1
    seen: list[np.ndarray] = []

    class Watch(L.Layer):
        def forward(self, x, *, training=False, key=None):  # type: ignore[no-untyped-def]
            if not training:
                seen.append(x.copy())
            return x, None

        def backward(self, dy, cache, *, need_dx=True):  # type: ignore[no-untyped-def]
            return dy, {}

    model = Sequential([L.Input((6, 5, 2)), Watch(), L.Flatten(), L.Dense(2)])
    model.compile("sgd", "categorical_crossentropy")
    fit(model, x, y, validation_split=0.2)
    held = np.concatenate(seen)
    rows = [int(np.flatnonzero((x == picture).all(axis=(1, 2, 3)))[0]) for picture in held]
    assert len(set(rows)) == 10 and np.bincount(y[rows]).tolist() == [8, 2]
    with pytest.raises(DataError, match="holds out none"):
        fit(model, x[9:11], y[9:11], validation_split=0.2)


def test_penalties_are_in_the_loss_and_the_validation_loss() -> None:
    x, y = pictures()
    model = Sequential([L.Input((6, 5, 2)), L.Flatten(), L.Dense(3, kernel_regularizer=L.L2(0.3))])
    model.compile(optimizers.SGD(0.0), "categorical_crossentropy")
    history = fit(model, x, y, validation_data=(x, y))
    penalty = 0.3 * float(np.square(model.weights[0]).sum())
    assert penalty > 0.1 and history["val_loss"][0] == pytest.approx(history["loss"][0], rel=1e-5)
    logits = model.predict(x).astype(np.float64)
    plain = np.mean(np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(y)), y])
    assert history["loss"][0] == pytest.approx(plain + penalty, rel=1e-5)


def test_two_fits_of_one_epoch_are_one_of_two() -> None:
    x, y = pictures()
    together, apart = small(), small()
    for model in (together, apart):
        model.compile("adam", "categorical_crossentropy")
    both = fit(together, x, y, batch_size=7, epochs=2)
    parts = [fit(apart, x, y, batch_size=7) for _ in range(2)]
    np.testing.assert_array_equal(together.parameters.vector, apart.parameters.vector)
    assert both["loss"] == [part["loss"][0] for part in parts]


@pytest.fixture
def threads() -> Iterator[None]:
    before = pellucid.num_threads()
    yield
    pellucid.set_num_threads(before)


def test_the_same_bits_for_any_number_of_threads(threads: None) -> None:
    x, y = RNG.integers(0, 256, (50, 32, 32, 3), np.uint8), RNG.integers(0, 10, 50)
    found = []
    for number in (2, 1, 3, 8, 2):
        pellucid.set_num_threads(number)
        model = zoo.cifar_net(n_filter=6)
        model.compile("adam", "categorical_crossentropy")
        history = fit(model, x, y, batch_size=16, epochs=2, validation_split=0.2)
        found.append((model.parameters.vector.tobytes(), history.history, model.predict(x).tobytes()))
    assert all(each == found[0] for each in found[1:])


@pytest.mark.parametrize("name", ["accuracy", "acc", "binary_accuracy", "categorical_accuracy"])
def test_the_accuracy_has_the_name_it_was_asked_for(name: str, tmp_path: Path) -> None:
    model, (x, y) = small(), pictures()
    model.compile("sgd", metrics=[name])
    stop = EarlyStopping(f"val_{name}", patience=3)
    history = model.fit(x, y, epochs=2, verbose=0, validation_split=0.25, callbacks=stop)
    assert list(history.history) == ["loss", name, "val_loss", f"val_{name}", "learning_rate"]
    result = model.evaluate(x, y, verbose=0)
    assert result.keys() == ["loss", name] and history._repr_html_() is not None
    model.save(tmp_path / "m.safetensors")
    assert pellucid.load(tmp_path / "m.safetensors").evaluate(x, y, verbose=0).keys() == ["loss", name]
    model.compile("sgd", metrics=["acc", "accuracy"])
    assert list(model.fit(x, y, verbose=0).history) == ["loss", "acc", "accuracy", "learning_rate"]
    before = model.compiled_config()
    for wrong in (["msee"], 5, [["acc"]], [None]):
        with pytest.raises(ConfigError, match="metrics"):
            model.compile("adam", "mse", metrics=wrong)
    assert model.compiled_config() == before
