"""Networks with several outputs: `compile`, `fit` and `evaluate` of pellucid.keras against Keras."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pellucid.keras as ours
from pellucid.errors import ConfigError, DataError

theirs = pytest.importorskip("keras", reason="Keras is not installed")

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # PyTorch and NumPy 2

RNG = np.random.default_rng(0)
X = [RNG.random((20, 4)).astype(np.float32), RNG.random((20, 3)).astype(np.float32)]
Y: list[Any] = [np.arange(20) % 3, X[0][:, :1]]
CROSS = "sparse_categorical_crossentropy"
WEIGHTS = [RNG.normal(0, 0.3, shape).astype(np.float32) for shape in ((4, 6), (6,), (9, 3), (3,), (9, 1), (1,))]


def network(keras: Any) -> Any:
    left, right = keras.Input((4,), name="left"), keras.Input((3,), name="right")
    x = keras.layers.concatenate([keras.layers.Dense(6, activation="relu")(left), right])
    answers = [keras.layers.Dense(3, activation="softmax", name="kind")(x), keras.layers.Dense(1, name="size")(x)]
    model = keras.Model([left, right], answers)
    model.set_weights(WEIGHTS)
    return model


@pytest.mark.parametrize(
    ("loss", "metrics", "loss_weights"),
    [
        ([CROSS, "mse"], [["accuracy"], ["mae"]], [1.0, 0.5]),
        ({"kind": CROSS, "size": "mae"}, {"kind": "acc"}, {"kind": 1, "size": 2.5}),
        ("mse", None, None),
    ],
)
def test_history_and_judgement_are_those_of_keras(loss: Any, metrics: Any, loss_weights: Any) -> None:
    """Twelve steps, the last of each epoch with fewer pictures, and everything that is recorded of them."""
    targets = [np.eye(3, dtype=np.float32)[Y[0]], Y[1]] if loss == "mse" else Y
    named = dict(zip(("kind", "size"), targets, strict=True))
    found = []
    for keras in (theirs, ours):
        model = network(keras)
        model.compile(keras.optimizers.Adam(0.02), loss, metrics=metrics, loss_weights=loss_weights)
        options = {"verbose": 0, "batch_size": 6, "epochs": 4, "shuffle": False, "validation_split": 0.2}
        history = model.fit(X, named if isinstance(loss, dict) else targets, **options).history
        history.pop("learning_rate", None)
        judged = model.evaluate({"left": X[0], "right": X[1]}, targets, verbose=0)
        by_name = model.evaluate(X, targets, verbose=0, return_dict=True)
        stepped = model.train_on_batch(X, targets)
        answers = model.predict(X, verbose=0)
        found.append((history, judged, by_name, stepped, answers, model.get_weights()))
    for one, other in zip(*found, strict=True):
        if isinstance(one, dict):
            assert one.keys() == other.keys()
            one, other = ([each[key] for key in sorted(each)] for each in (one, other))
        for a, b in zip(one, other, strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=5e-5)


def test_batches_weights_and_outputs_without_a_loss() -> None:
    model = network(ours)
    model.compile("adam", {"kind": CROSS})
    with pytest.warns(UserWarning, match="no gradient came to size/kernel"):
        model.fit(X, {"kind": Y[0]}, verbose=0)
    assert list(model.evaluate(X, {"kind": Y[0]}, verbose=0, return_dict=True)) == ["loss", "kind_loss"]
    model.compile("sgd", [CROSS, "mse"], metrics=["mae"])
    batches: list[Any] = [((X[0][:9], X[1][:9]), (Y[0][:9], Y[1][:9])), ((X[0][9:], X[1][9:]), (Y[0][9:], Y[1][9:]))]
    stream = (([pair[0], pair[1]], list(labels)) for _ in range(9) for pair, labels in batches)
    history = model.fit(stream, steps_per_epoch=2, epochs=2, verbose=0).history
    assert set(history) - {"learning_rate"} == {"loss", "kind_loss", "size_loss", "kind_mae", "size_mae"}
    nothing = model.evaluate(X, Y, sample_weight=np.zeros(20), verbose=0)
    assert nothing[0] == 0


def test_what_does_not_fit_the_outputs_is_refused() -> None:
    model = network(ours)
    with pytest.raises(ConfigError, match="loss names 'colour'; the outputs are kind, size"):
        model.compile("adam", {"colour": "mse"})
    with pytest.raises(ConfigError, match="loss_weights are 3, the outputs kind, size"):
        model.compile("adam", "mse", loss_weights=[1, 2, 3])
    model.compile("adam", [CROSS, "mse"])
    with pytest.raises(DataError, match="labels must be an array for each of kind, size"):
        model.fit(X, Y[0], verbose=0)


def test_a_formula_that_reads_no_labels_takes_one_number_for_all() -> None:
    x = ours.Input((4,))
    code = ours.layers.Dense(3)(x)
    model = ours.Model(x, [ours.layers.Dense(4)(code), code])
    model.compile("sgd", ["mse", lambda y_true, y_pred: ours.ops.mean(ours.ops.square(y_pred), -1)])
    batches = ours.tensorflow.data.Dataset.from_tensor_slices(X[0]).batch(5).map(lambda x: (x, (x, 0)))
    first, second = model.fit(batches, epochs=2, verbose=0).history["loss"]
    assert second < first


def test_weights_over_steps_may_be_of_one_column() -> None:
    x = ours.Input((5, 3))
    shares = ours.layers.Softmax(axis=1)(ours.layers.Dense(1)(x))
    model = ours.Model(x, ours.layers.Dense(2, activation="softmax")(ours.layers.Flatten()(x * shares)))
    model.compile("sgd", CROSS, metrics=["accuracy"])
    model.fit(np.ones((4, 5, 3)), [0, 1, 0, 1], verbose=0, validation_data=(np.ones((2, 5, 3)), [0, 1]))
    with pytest.raises(ConfigError, match="softmax over one unit"):
        ones = ours.Sequential([ours.Input((5, 3)), ours.layers.Dense(1, activation="softmax")])
        ones.compile("sgd", "mse")
        ones.fit(np.ones((4, 5, 3)), np.ones((4, 5, 1)), verbose=0)
