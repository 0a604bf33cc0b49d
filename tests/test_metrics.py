"""Metrics against scikit-learn and counts by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pellucid import metrics
from pellucid.errors import ConfigError, DataError


def random_case(seed: int, n: int = 200, classes: int = 7) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, classes, n), rng.standard_normal((n, classes)).astype(np.float32)


def test_against_sklearn() -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    labels, scores = random_case(0)
    guesses = scores.argmax(1)
    assert metrics.accuracy(labels, scores) == sklearn.accuracy_score(labels, guesses)
    for k in (1, 3, 6):
        expected = sklearn.top_k_accuracy_score(labels, scores, k=k)
        assert metrics.top_k(labels, scores, k) == pytest.approx(expected)
    np.testing.assert_array_equal(metrics.confusion_matrix(labels, scores), sklearn.confusion_matrix(labels, guesses))
    np.testing.assert_allclose(
        metrics.precision(labels, scores), sklearn.precision_score(labels, guesses, average=None)
    )
    np.testing.assert_allclose(metrics.recall(labels, scores), sklearn.recall_score(labels, guesses, average=None))


def test_every_form_of_labels_and_predictions() -> None:
    labels, scores = random_case(1)
    truth = metrics.accuracy(labels, scores)
    for form in (labels[:, None], labels.tolist(), np.eye(7)[labels], labels.astype(np.float32)):
        assert metrics.accuracy(form, scores) == truth
    assert metrics.accuracy(labels, scores.argmax(1)) == truth


def test_binary_scores() -> None:
    assert metrics.accuracy([0, 1, 1, 0], [[0.2], [0.51], [0.5], [0.0]]) == 0.75  # a half is class 0, as in training
    assert metrics.accuracy([[0.0], [1.0]], [0.1, 0.9]) == 1.0


def test_confusion_matrix_rows_are_truth() -> None:
    matrix = metrics.confusion_matrix([0, 0, 1, 2], [0, 1, 1, 1], classes=4)
    assert matrix.tolist() == [[1, 1, 0, 0], [0, 1, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]]
    np.testing.assert_array_equal(metrics.recall([0, 0, 1, 2], [0, 1, 1, 1], 4), [0.5, 1, 0, np.nan])
    np.testing.assert_array_equal(metrics.precision([0, 0, 1, 2], [0, 1, 1, 1], 4), [1, 1 / 3, np.nan, np.nan])


def test_ties_go_to_the_first_class() -> None:
    scores = np.zeros((3, 3))
    assert metrics.accuracy([0, 1, 2], scores) == pytest.approx(1 / 3)
    assert metrics.top_k([0, 1, 2], scores, k=2) == pytest.approx(2 / 3)


def test_running_mean_weights_batches_by_size() -> None:
    mean = metrics.Mean()
    assert math.isnan(mean.value)
    values = np.random.default_rng(2).standard_normal(103)
    for start in range(0, 103, 25):
        part = values[start : start + 25]
        mean.add(part.mean(), len(part))
    assert mean.value == pytest.approx(values.mean())


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: metrics.accuracy([0, 1], [0, 1, 1]), DataError, "3 predictions but 2 labels"),
        (lambda: metrics.accuracy([], []), DataError, "no pictures"),
        (lambda: metrics.accuracy(["a"], [0]), DataError, "got an array of <U1"),
        (lambda: metrics.confusion_matrix([0, 3], [0, 1], classes=3), DataError, "run from 0 to 3, expected 0 to 2"),
        (lambda: metrics.confusion_matrix([-1, 1], [0, 1]), DataError, "run from -1"),
        (lambda: metrics.top_k([0], [0]), DataError, r"got shape \(1,\)"),
        (lambda: metrics.top_k([0], [[0.0, 1.0]], k=0), ConfigError, "at least 1, got 0"),
    ],
)
def test_wrong_input(call, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
