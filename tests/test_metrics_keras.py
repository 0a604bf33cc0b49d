"""Metric objects: numbers of several batches against Keras itself."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid import metrics


@pytest.fixture(scope="module")
def keras() -> Any:
    os.environ.setdefault("KERAS_BACKEND", "torch")
    pytest.importorskip("torch")
    return pytest.importorskip("keras")


RNG = np.random.default_rng(8)
NUMBERS = RNG.integers(0, 4, 24)
ROWS = RNG.dirichlet(np.ones(4), 24).astype(np.float32)
ONE_HOT = np.eye(4, dtype=np.float32)[NUMBERS]
BITS = (RNG.random((24, 4)) < 0.4).astype(np.float32)
BIT, SHARE = (RNG.random(24) < 0.5).astype(np.float32), RNG.random(24).astype(np.float32)
MASKS, SAID = RNG.integers(0, 3, (24, 4, 3)), RNG.integers(0, 3, (24, 4, 3))
PIXELS = RNG.dirichlet(np.ones(3), (24, 4, 3)).astype(np.float32)

CASES: list[tuple[str, dict[str, Any], Any, Any]] = [
    ("Accuracy", {}, NUMBERS[:, None], NUMBERS[::-1, None].copy()),
    ("BinaryAccuracy", {"threshold": 0.3}, BITS, ROWS),
    ("CategoricalAccuracy", {}, ONE_HOT, ROWS),
    ("SparseCategoricalAccuracy", {}, NUMBERS, ROWS),
    ("SparseCategoricalAccuracy", {}, MASKS, PIXELS),
    ("TopKCategoricalAccuracy", {"k": 2}, ONE_HOT, ROWS),
    ("SparseTopKCategoricalAccuracy", {"k": 3}, NUMBERS, ROWS),
    ("RootMeanSquaredError", {}, BITS, ROWS),
    ("MeanSquaredError", {}, BITS, ROWS),
    ("MeanAbsoluteError", {}, BITS, ROWS),
    ("LogCoshError", {}, BITS, ROWS),
    ("KLDivergence", {}, ROWS[::-1].copy(), ROWS),
    ("CosineSimilarity", {}, BITS, ROWS),
    ("CategoricalCrossentropy", {"label_smoothing": 0.1}, ONE_HOT, ROWS),
    ("BinaryCrossentropy", {}, BITS, ROWS),
    ("Precision", {}, BIT, SHARE),
    ("Precision", {"thresholds": [0.2, 0.6]}, BITS, ROWS),
    ("Precision", {"top_k": 2}, ONE_HOT, ROWS),
    ("Recall", {"class_id": 2, "thresholds": 0.3}, BITS, ROWS),
    ("Recall", {"top_k": 2, "class_id": 1}, ONE_HOT, ROWS),
    ("TruePositives", {}, BIT, SHARE),
    ("FalsePositives", {"thresholds": 0.7}, BIT, SHARE),
    ("FalseNegatives", {}, BIT, SHARE),
    ("TrueNegatives", {}, BIT, SHARE),
    ("AUC", {}, BIT, SHARE),
    ("AUC", {"curve": "PR"}, BITS, ROWS),
    ("AUC", {"multi_label": True, "num_thresholds": 50}, BITS, ROWS),
    ("F1Score", {}, ONE_HOT, ROWS),
    ("F1Score", {"average": "macro"}, ONE_HOT, ROWS),
    ("F1Score", {"average": "weighted", "threshold": 0.4}, BITS, ROWS),
    ("FBetaScore", {"average": "micro", "beta": 2.0}, ONE_HOT, ROWS),
    ("IoU", {"num_classes": 3, "target_class_ids": [0, 2]}, MASKS, SAID),
    ("MeanIoU", {"num_classes": 3}, MASKS, SAID),
    ("MeanIoU", {"num_classes": 3, "sparse_y_pred": False, "ignore_class": 1}, MASKS, PIXELS),
    ("OneHotIoU", {"num_classes": 3, "target_class_ids": [1]}, np.eye(3, dtype=np.float32)[MASKS], PIXELS),
    ("OneHotMeanIoU", {"num_classes": 3}, np.eye(3, dtype=np.float32)[MASKS], PIXELS),
    ("BinaryIoU", {"threshold": 0.4}, BIT, SHARE),
]


@pytest.mark.parametrize(("name", "arguments", "t", "y"), CASES, ids=[f"{c[0]}-{c[1]}" for c in CASES])
def test_two_batches_give_kerass_number(keras: Any, name: str, arguments: dict[str, Any], t: Any, y: Any) -> None:
    ours, theirs = getattr(metrics, name)(**arguments), getattr(keras.metrics, name)(**arguments)
    for rows in (slice(0, 15), slice(15, None)):
        ours.update_state(t[rows], y[rows])
        theirs.update_state(t[rows], y[rows])
    np.testing.assert_allclose(ours.result(), theirs.result().numpy(), rtol=2e-5, atol=1e-7)
    assert ours.name == theirs.name.rstrip("0123456789").removesuffix("_") or name in ("LogCoshError", "F1Score")
    assert type(metrics.get(ours.config())).__name__ == name
    ours.reset_state()
    ours.update_state(t[:5], y[:5])
    again = getattr(metrics, name)(**arguments)
    np.testing.assert_array_equal(ours.result(), again(t[:5], y[:5]))


def test_weights_count_as_in_keras(keras: Any) -> None:
    weights = RNG.random(24).astype(np.float32)
    for name, t, y in (("SparseCategoricalAccuracy", NUMBERS, ROWS), ("Precision", BIT, SHARE), ("AUC", BIT, SHARE)):
        theirs = getattr(keras.metrics, name)()
        theirs.update_state(t, y, weights)
        ours = getattr(metrics, name)()
        ours.update_state(t, y, weights)
        assert ours.result() == pytest.approx(float(theirs.result()), rel=2e-5)
    mean, theirs = metrics.Mean("loss"), keras.metrics.Mean()
    mean.update_state([1.0, 3.0, 5.0], [1, 0, 2])
    theirs.update_state([1.0, 3.0, 5.0], [1, 0, 2])
    assert mean.result() == pytest.approx(float(theirs.result()))


def test_class_numbers_serve_metrics_of_rows_and_the_other_way() -> None:
    assert metrics.Precision()(NUMBERS, ROWS) == metrics.Precision()(ONE_HOT, ROWS)
    assert metrics.CategoricalAccuracy()(NUMBERS[:, None], ROWS) == metrics.CategoricalAccuracy()(ONE_HOT, ROWS)


@pytest.mark.parametrize("labels", [ONE_HOT, NUMBERS])
def test_a_function_of_ones_own_sees_labels_as_they_were_given(labels: Any) -> None:
    seen = []

    def own(y_true: Any, y_pred: Any) -> Any:
        seen.append(np.shape(y_true))
        return np.square(y_true - y_pred).mean(axis=-1)

    model = pellucid.Sequential([pellucid.Dense(ROWS.shape[1], activation="softmax", input_shape=(2,))])
    model.compile("sgd", "categorical_crossentropy", metrics=[own, metrics.Accuracy(), metrics.MeanIoU(ROWS.shape[1])])
    x = np.random.default_rng(0).normal(size=(len(ROWS), 2)).astype(np.float32)
    found = model.evaluate(x, labels, verbose=0)
    answers, width = model.predict(x), np.size(labels[0])
    assert seen[0] == (len(x), width)
    assert found["own"] == pytest.approx(np.square(labels.reshape(-1, width) - answers).mean(), rel=1e-5)


def test_one_of_ones_own_is_written_as_in_keras() -> None:
    class Largest(metrics.Metric):
        def __init__(self, name: str = "largest", **rest: Any) -> None:
            super().__init__(name=name, **rest)
            self.most = self.add_weight(name="most", initializer="zeros")

        def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
            self.most.assign(np.maximum(self.most, np.max(y_pred)))

        def result(self) -> Any:
            return self.most

    largest = Largest(dtype="float32")
    largest(NUMBERS, ROWS)
    assert float(largest.result()) == ROWS.max()
    largest.reset_state()
    assert largest.most == 0


CONSTRAINED = ("PrecisionAtRecall", "RecallAtPrecision", "SensitivityAtSpecificity", "SpecificityAtSensitivity")


@pytest.mark.parametrize(("name", "given"), [
    *((name, (value,)) for name in CONSTRAINED for value in (0.3, 0.8)), ("R2Score", ()), ("R2Score", (None,)),
    ("R2Score", ("variance_weighted_average", 1)), ("PearsonCorrelation", ()), ("ConcordanceCorrelation", ()),
])  # fmt: skip
def test_more_metrics_are_kerass(keras: Any, name: str, given: tuple[Any, ...]) -> None:
    """Over two batches, weighted in the second."""
    rng = np.random.default_rng(4)
    t, y = rng.random((2, 20, 3)).astype(np.float32)
    t = (t > 0.5).astype(np.float32) if name in CONSTRAINED else t
    ours, theirs = getattr(metrics, name)(*given), getattr(keras.metrics, name)(*given)
    for rows, weights in ((slice(0, 8), None), (slice(8, 20), rng.random(12).astype(np.float32))):
        if name == "R2Score" and len(given) > 1:
            weights = None
        of = None if weights is None else weights[:, None] if name == "R2Score" else weights
        ours.update_state(t[rows], y[rows], weights)
        theirs.update_state(t[rows], y[rows], of)
    found = theirs.result()
    np.testing.assert_allclose(ours.result(), getattr(found, "detach", lambda: found)(), rtol=1e-5, atol=1e-6)
    assert metrics.get(ours.config()).config() == ours.config()
