"""Keras models as estimators of scikit-learn: trained, judged, searched."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pellucid import datasets, keras
from pellucid.errors import ConfigError

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from pellucid.keras.wrappers.scikit_learn import KerasClassifier, KerasRegressor


def classifier(units: int = 8, rate: float = 0.02, loss: str = "categorical_crossentropy", answers: int = 10) -> Any:
    layers = [keras.Input((8, 8)), keras.layers.Flatten(), keras.layers.Dense(units, activation="relu")]
    layers.append(keras.layers.Dense(answers, activation="softmax" if answers > 1 else "sigmoid"))
    model = keras.Sequential(layers)
    model.compile(keras.optimizers.Adam(rate), loss, metrics=["accuracy"])
    return model


@pytest.fixture(scope="module")
def digits() -> Any:
    (x, y), _ = datasets.digits.load_data()
    return x[:600].astype(np.float32) / 16, y[:600]


@pytest.mark.parametrize("form", ["numbers", "words", "one-hot"])
def test_a_classifier_learns_labels_of_any_form(digits: Any, form: str) -> None:
    x, y = digits
    labels = {"numbers": y, "words": np.char.add("d", y.astype(str)), "one-hot": np.eye(10)[y]}[form]
    found = KerasClassifier(classifier, units=32, epochs=12, batch_size=50, verbose=0)
    history = found.fit(x, labels)
    assert len(history.history["loss"]) == 12 and found.score(x, labels) > 0.9
    assert found.predict_proba(x).shape == (600, 10)
    wanted = y if form == "one-hot" else labels
    assert np.mean(found.predict(x) == wanted) == pytest.approx(found.score(x, labels))


def test_two_classes_of_one_answer(digits: Any) -> None:
    x, y = digits
    small = KerasClassifier(model=classifier, model__loss="binary_crossentropy", answers=1, epochs=5, verbose=0)
    small.fit(x, y < 5)
    assert small.predict_proba(x).shape == (600, 2) and small.predict(x).dtype == bool
    assert small.score(x, y < 5) > 0.8


def test_a_search_goes_through_what_the_function_and_fit_take(digits: Any) -> None:
    x, y = digits
    search = GridSearchCV(KerasClassifier(classifier, verbose=0), {"units": [1, 24], "epochs": [4]}, cv=2)
    search.fit(x, y)
    assert search.best_params_ == {"epochs": 4, "units": 24}
    assert search.best_estimator_.model.layers[1].units == 24
    copied = clone(search.best_estimator_)
    assert copied.get_params() == search.best_estimator_.get_params() and not hasattr(copied, "model")


def test_a_regressor_gives_numbers() -> None:
    def build(rate: float = 0.1) -> Any:
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
        model.compile(keras.optimizers.Adam(rate), "mse")
        return model

    x = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
    y = x @ np.array([1.0, -2.0, 0.5]) + 0.3
    found = KerasRegressor(build_fn=build, epochs=1, verbose=0)
    found.fit(x, y, epochs=60)
    np.testing.assert_allclose(found.predict(x), y, atol=0.1)
    assert found.score(x, y) == pytest.approx(-float(np.mean((found.predict(x) - y) ** 2)), rel=1e-3)
    assert len(KerasRegressor(build()).fit(x, y, epochs=2, verbose=0).epoch) == 2


def test_unknown_parameters_are_said() -> None:
    with pytest.raises(ConfigError, match="unknown parameter of KerasClassifier 'unit'; did you mean 'units'"):
        KerasClassifier(classifier, unit=3)
    with pytest.raises(ConfigError, match="build_fn must be a function that gives a model, got 3"):
        KerasClassifier(3)  # type: ignore[arg-type]
    assert keras.wrappers.scikit_learn.KerasClassifier is KerasClassifier
