"""Judging a classifier: calibration by hand, and figures that show the right numbers and pictures."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from pellucid import Sequential, layers, metrics
from pellucid.errors import ConfigError, DataError, ShapeError
from pellucid.visualise import confusion_figure, mistakes_figure, probabilities, reliability_figure

RNG = np.random.default_rng(8)
MATRIX = np.array([[8, 2, 0], [1, 4, 0], [0, 3, 2]])

# four pictures: sure and right, sure and wrong, half sure and right, at a bin's upper edge and wrong
SURE = np.array([[0.95, 0.05], [0.1, 0.9], [0.45, 0.55], [0.6, 0.4]])
TRUTH = np.array([0, 0, 1, 1])


def test_calibration_by_hand() -> None:
    found = metrics.calibration(TRUTH, SURE, bins=5)
    # (0.4, 0.6] holds 0.55 and 0.6, of which one is right; (0.8, 1] holds 0.95 and 0.9, of which one is right
    assert found.counts.tolist() == [0, 0, 2, 0, 2]
    np.testing.assert_allclose(found.confidence, [np.nan, np.nan, 0.575, np.nan, 0.925])
    np.testing.assert_allclose(found.accuracy, [np.nan, np.nan, 0.5, np.nan, 0.5])
    np.testing.assert_allclose(found.edges, [0, 0.2, 0.4, 0.6, 0.8, 1])
    assert found.error == pytest.approx(0.5 * 0.075 + 0.5 * 0.425)


def test_calibration_against_scikit_learn() -> None:
    curve = pytest.importorskip("sklearn.calibration").calibration_curve
    table = RNG.dirichlet(np.ones(4), 500)
    labels = RNG.integers(0, 4, 500)
    found = metrics.calibration(labels, table, bins=10)
    right, confidence = table.argmax(axis=1) == labels, table.max(axis=1)
    accuracy, mean = curve(right, confidence, n_bins=10)
    used = found.counts > 0
    np.testing.assert_allclose(found.accuracy[used], accuracy)
    np.testing.assert_allclose(found.confidence[used], mean)


def test_a_network_that_is_as_right_as_it_is_sure_has_no_error() -> None:
    table = np.tile([0.75, 0.25], (4, 1))
    assert metrics.calibration([0, 0, 0, 1], table).error == pytest.approx(0)
    assert metrics.calibration([0] * 4, np.tile([1.0, 0.0], (4, 1))).error == 0


def test_the_most_confident_mistakes_come_first() -> None:
    assert metrics.confident_mistakes(TRUTH, SURE).tolist() == [1, 3]
    assert metrics.confident_mistakes(TRUTH, SURE, 1).tolist() == [1]
    assert metrics.confident_mistakes([0, 1, 1, 0], SURE).tolist() == []


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: metrics.calibration([0], [[0.5, 0.5]], bins=0), ConfigError, "at least 1, got 0"),
        (lambda: metrics.calibration([0], [[3.0, -1.0]]), DataError, "from -1 to 3"),
        (lambda: metrics.calibration([0], [0.5]), DataError, r"shape \(1,\)"),
        (lambda: metrics.calibration([0, 1], [[0.5, 0.5]]), DataError, "1 predictions but 2 labels"),
        (lambda: metrics.confident_mistakes(TRUTH, SURE, 0), ConfigError, "at least 1, got 0"),
        (lambda: confusion_figure(np.zeros((2, 3))), ShapeError, r"got shape \(2, 3\)"),
        (lambda: confusion_figure(MATRIX, ["a", "b"]), ShapeError, "3 classes, got 2 names"),
        (lambda: mistakes_figure([], [], np.zeros((0, 2))), DataError, "got 0 pictures"),
    ],
)
def test_wrong_input(call, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_probabilities_whatever_the_network_ends_in() -> None:
    x = RNG.random((5, 3, 2, 1), dtype=np.float32)
    kernel = RNG.normal(size=(6, 3)).astype(np.float32)

    def answers(ends: list[layers.Layer], weights: np.ndarray) -> np.ndarray:
        model = Sequential([layers.Flatten(input_shape=(3, 2, 1)), *ends])
        model.layers[1].set_weights([weights, np.zeros(weights.shape[1])])
        return probabilities(model, x)

    logits = x.reshape(5, 6) @ kernel
    wanted = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    for ends in ([layers.Dense(3)], [layers.Dense(3, "softmax")], [layers.Dense(3), layers.Softmax()]):
        np.testing.assert_allclose(answers(ends, kernel), wanted, rtol=1e-5)
    second = 1 / (1 + np.exp(-logits[:, 0]))
    for ends in ([layers.Dense(1)], [layers.Dense(1, "sigmoid")]):
        np.testing.assert_allclose(answers(ends, kernel[:, :1]), np.stack([1 - second, second], axis=1), rtol=1e-5)


def test_cells_hold_the_counts_and_margins_the_shares() -> None:
    figure = confusion_figure(MATRIX, ["cat", "dog", "owl"], title="a network")
    axes = figure.axes[0]
    np.testing.assert_array_equal(np.asarray(axes.images[0].get_array()), MATRIX)
    written = {text.get_position(): text.get_text() for text in axes.texts}
    assert written == {(c, r): str(MATRIX[r, c]) for r in range(3) for c in range(3) if MATRIX[r, c]}
    assert [label.get_text() for label in axes.get_yticklabels()] == ["cat", "dog", "owl"]
    beside, above = axes.child_axes
    assert [label.get_text() for label in beside.get_yticklabels()] == ["80.0", "80.0", "40.0"]  # recall
    assert [label.get_text() for label in above.get_xticklabels()] == ["88.9", "44.4", "100.0"]  # precision
    assert "20 pictures, 70.00 % right" in axes.get_title()


def test_rows_can_be_shares() -> None:
    axes = confusion_figure(MATRIX, normalise=True).axes[0]
    np.testing.assert_allclose(np.asarray(axes.images[0].get_array()), MATRIX / MATRIX.sum(axis=1, keepdims=True))
    assert {text.get_text() for text in axes.texts} == {"80", "20", "60", "40"}


def test_a_hundred_classes_are_named_and_not_numbered() -> None:
    figure = confusion_figure(np.eye(100, dtype=int), [f"class {index}" for index in range(100)])
    axes = figure.axes[0]
    assert not axes.texts and len(axes.get_xticklabels()) == 100
    figure.draw_without_rendering()
    boxes = [label.get_window_extent() for label in axes.get_yticklabels()]
    assert all(not one.overlaps(other) for one, other in pairwise(boxes))


def test_bars_are_the_accuracies() -> None:
    calibration = metrics.calibration(TRUTH, SURE, bins=5)
    figure = reliability_figure(calibration, title="a network")
    axes = figure.axes[0]
    bars = [(patch.get_x(), patch.get_height()) for patch in axes.patches]
    assert bars == [(pytest.approx(40), 50), (pytest.approx(80), 50)]
    assert "error 25.00 %" in axes.get_title()
    shares = [patch.get_height() for patch in axes.child_axes[0].patches]
    assert shares == [0, 0, 50, 0, 50]


def test_mistakes_say_what_was_said_and_what_is() -> None:
    pictures = RNG.integers(0, 256, (4, 6, 5, 1), np.uint8)
    rows = metrics.confident_mistakes(TRUTH, SURE)
    figure = mistakes_figure(pictures[rows], TRUTH[rows], SURE[rows], ["one", "seven"])
    first, second = figure.axes
    assert first.get_title() == "said seven (90 %)\nis one" and second.get_title() == "said one (60 %)\nis seven"
    np.testing.assert_allclose(np.asarray(first.images[0].get_array()), pictures[1, :, :, 0] / 255)
    digits = mistakes_figure(pictures[rows], TRUTH[rows], SURE[rows])
    assert digits.axes[0].get_title() == "said 1 (90 %), is 0"


def test_pictures_go_into_axes_of_ones_own() -> None:
    from pellucid.visualise.drawing.figure import new_figure

    figure = new_figure(8, 4)
    left, right = figure.subplots(1, 2)
    assert confusion_figure(MATRIX, axes=left) is figure
    assert reliability_figure(metrics.calibration(TRUTH, SURE), axes=right) is figure
