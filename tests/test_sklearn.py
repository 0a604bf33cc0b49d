"""A network as an estimator of scikit-learn."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="needs scikit-learn")

import joblib
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import VotingClassifier
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import check_estimator

import pellucid
from pellucid import datasets
from pellucid.datasets.pictures import read_picture
from pellucid.errors import ConfigError, DataError
from pellucid.sklearn import ImageClassifier


@pytest.fixture(scope="module")
def digits() -> tuple[Any, Any, Any, Any]:
    """600 rows to learn from and 200 to judge by, labels as words."""
    data = pellucid.datasets.load("digits")
    words = np.array([f"digit {number}" for number in range(10)])
    rows = [split.images.reshape(len(split), -1).astype(float) for split in (data.train, data.test)]
    return rows[0][:600], words[data.train.labels[:600]], rows[1][:200], words[data.test.labels[:200]]


def test_it_passes_the_checks_of_scikit_learn() -> None:
    found = check_estimator(ImageClassifier(), on_fail=None, on_skip=None)
    assert len(found) > 50
    assert [one["check_name"] for one in found if one["status"] not in ("passed", "skipped")] == []
    assert {one["check_name"] for one in found if one["status"] == "skipped"} <= {"check_array_api_input"}


def test_rows_are_pictures_where_their_shape_is_given(digits: Any) -> None:
    x, y, x_test, y_test = digits
    classifier = ImageClassifier("simple-convnet", settings={"pad": 2}, image_shape=(8, 8), epochs=4).fit(x, y)
    assert classifier.model_.input_shape == (8, 8, 1)
    assert classifier.score(x_test, y_test) > 0.85
    again = pickle.loads(pickle.dumps(classifier))
    np.testing.assert_array_equal(again.predict_proba(x_test), classifier.predict_proba(x_test))
    np.testing.assert_array_equal(clone(classifier).fit(x, y).predict_proba(x_test), classifier.predict_proba(x_test))


def test_it_stands_in_a_pipeline_and_is_searched(digits: Any) -> None:
    x, y, x_test, y_test = digits
    pipeline = make_pipeline(FunctionTransformer(lambda rows: rows / 16), ImageClassifier(epochs=4))
    search = GridSearchCV(pipeline, {"imageclassifier__learning_rate": [1e-6, 0.01]}, cv=2).fit(x, y)
    assert search.best_params_ == {"imageclassifier__learning_rate": 0.01}
    assert search.score(x_test, y_test) > 0.8


def test_it_learns_on(digits: Any) -> None:
    x, y, _, _ = digits
    classifier = ImageClassifier()
    for _ in range(3):
        classifier.partial_fit(x[:64], y[:64], classes=np.unique(y))
    assert classifier.n_iter_ == 3 and len(classifier.classes_) == 10
    with pytest.raises(DataError, match="unknown class 'seven'"):
        classifier.partial_fit(x[:2], np.array(["seven", "digit 1"]))


def test_pictures_of_levels_are_scaled_as_the_network_scales_them() -> None:
    data = pellucid.datasets.load("digits").train.take(64)
    classifier = ImageClassifier("simple-convnet", settings={"pad": 2}, epochs=1).fit(data.images, data.labels)
    own = classifier.model_.predict(data.images, verbose=0)
    np.testing.assert_allclose(classifier.predict_proba(data.images), own, atol=1e-6)


def test_files_are_read(pets: Path) -> None:
    pandas = pytest.importorskip("pandas", reason="needs pandas")
    files = [str(path) for path in sorted(pets.rglob("*.png"))]
    kinds = [Path(file).parent.name for file in files]
    given = {"epochs": 2, "image_shape": (32, 40)}
    classifier = ImageClassifier(**given).fit(files, kinds)
    assert classifier.model_.input_shape == (32, 40, 3)
    pictures = np.stack([read_picture(file, (32, 40), 3) for file in files])
    answers = ImageClassifier(**given).fit(pictures, kinds).predict_proba(pictures)
    for names in (files, np.array(files), [Path(file) for file in files], pandas.DataFrame({"file": files})):
        np.testing.assert_array_equal(pickle.loads(pickle.dumps(classifier)).predict_proba(names), answers)
    found = cross_val_predict(ImageClassifier(epochs=1), pandas.Series(files), kinds, cv=2)
    assert found.shape == (len(files),) and set(found) <= {"cat", "dog"}
    assert ImageClassifier(epochs=1).fit(files, kinds).model_.input_shape == datasets.load(pets).image_shape
    (pets / "cat" / "broken.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"broken\.png"):
        classifier.predict([str(pets / "cat" / "broken.png")])


@pytest.mark.parametrize(
    ("made", "score"),
    [
        (lambda one: CalibratedClassifierCV(one, cv=2), 0.8),
        (lambda one: VotingClassifier([("one", one), ("other", clone(one))], voting="soft"), 0.8),
        (lambda one: GridSearchCV(one, {"batch_size": [16, 64]}, cv=2, n_jobs=2), 0.8),
    ],
    ids=["calibrated", "voting", "two threads"],
)
def test_it_stands_where_estimators_stand(digits: Any, made: Any, score: float) -> None:
    x, y, x_test, y_test = digits
    with joblib.parallel_config("threading"):  # processes take seconds to start; one that is kept is judged below
        assert made(ImageClassifier(epochs=6)).fit(x, y).score(x_test, y_test) > score


def test_one_that_is_kept_learns_on_to_the_same_bits(digits: Any, tmp_path: Path) -> None:
    x, y, x_test, _ = digits
    classifier = ImageClassifier().partial_fit(x[:64], y[:64], classes=np.unique(y))
    joblib.dump(classifier, tmp_path / "kept")
    again = joblib.load(tmp_path / "kept").partial_fit(x[64:128], y[64:128])
    np.testing.assert_array_equal(
        again.predict_proba(x_test), classifier.partial_fit(x[64:128], y[64:128]).predict_proba(x_test)
    )


def test_early_stopping_keeps_the_best(digits: Any) -> None:
    x, y, _, _ = digits
    classifier = ImageClassifier(patience=1, epochs=50, validation_fraction=0.2).fit(x, y)
    assert classifier.n_iter_ < 50 and "val_accuracy" in classifier.history_.history


def test_a_network_of_ones_own_with_one_output() -> None:
    def tiny(input_shape: Any, classes: int, *, seed: int, units: int = 4) -> pellucid.Sequential:
        layers = [pellucid.Dense(units, activation="relu", input_shape=input_shape), pellucid.Dense(1, "sigmoid")]
        return pellucid.Sequential(layers, seed=seed)

    x = np.random.default_rng(0).normal(size=(80, 2))
    y = x[:, 0] > 0
    classifier = ImageClassifier(tiny, settings={"units": 8}, class_weight={True: 2.0}, learning_rate=0.05).fit(x, y)
    assert classifier.score(x, y) > 0.95 and classifier.predict_proba(x).shape == (80, 2)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"network": "photo-net"}, ConfigError, r"photo-net takes pictures, X has rows of 64 numbers"),
        ({"image_shape": (9, 8)}, DataError, r"image_shape=\(9, 8\) has 72 numbers, X 64"),
        ({"network": 3}, ConfigError, "network is a name in pellucid.zoo or a function"),
    ],
)
def test_what_does_not_fit_is_said(digits: Any, arguments: Any, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        ImageClassifier(**arguments).fit(*digits[:2])
