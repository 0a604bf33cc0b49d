"""Precision and recall at every threshold: by hand, against scikit-learn, and drawn."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from commands import Command

from pellucid.errors import DataError, ShapeError
from pellucid.visualise.precision_recall import NAMED, precision_recall, precision_recall_figure


def test_by_hand() -> None:
    """Ranked by the second column: right, wrong, right and wrong together, right."""
    scores = np.array([0.9, 0.8, 0.6, 0.6, 0.1])
    found = precision_recall([1, 0, 1, 0, 1], np.stack([1 - scores, scores], axis=1))[1]
    assert found.pictures == 3 and found.thresholds.tolist() == [0.9, 0.8, 0.6, 0.1]
    assert found.precision.tolist() == [1, 1 / 2, 2 / 4, 3 / 5]
    assert found.recall.tolist() == pytest.approx([1 / 3, 1 / 3, 2 / 3, 1])
    assert found.average == pytest.approx((1 + 1 / 2 + 3 / 5) / 3)


def test_against_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 200)
    table = rng.dirichlet([1, 1, 1], 200).round(2)  # with ties
    for index, found in enumerate(precision_recall(labels, table)):
        precision, recall, thresholds = metrics.precision_recall_curve(labels == index, table[:, index])
        np.testing.assert_allclose(found.precision[::-1], precision[:-1])
        np.testing.assert_allclose(found.recall[::-1], recall[:-1])
        np.testing.assert_allclose(found.thresholds[::-1], thresholds)
        assert found.average == pytest.approx(metrics.average_precision_score(labels == index, table[:, index]))


def test_a_class_without_pictures_has_no_curve_and_is_not_drawn() -> None:
    curves = precision_recall([0, 0, 1], np.full((3, 3), 1 / 3))
    assert math.isnan(curves[2].average) and not len(curves[2].recall)
    assert len(precision_recall_figure(curves, ["a", "b", "c"]).axes[0].lines) == 2
    with pytest.raises(DataError, match="got none"):
        precision_recall_figure(precision_recall([], np.zeros((0, 3))), ["a", "b", "c"])
    with pytest.raises(ShapeError, match=r"got \(2,\) and \(3, 2\)"):
        precision_recall([0, 1], np.zeros((3, 2)))


def test_the_hardest_classes_are_named_and_the_others_counted() -> None:
    rng = np.random.default_rng(1)
    labels = np.arange(90) % 9
    curves = precision_recall(labels, rng.dirichlet(np.ones(9), 90))
    figure = precision_recall_figure(curves, [f"class {place}" for place in range(9)], lang="en")
    words = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    order = np.argsort([curve.average for curve in curves])[:NAMED]
    assert [word.split(",")[0] for word in words] == [*(f"class {place}" for place in order), "4 other classes"]


def test_the_command_draws_and_lists(command: Command, run_folder: Path, tmp_path: Path) -> None:
    assert command("show", "precision-recall", run_folder, "--out", tmp_path / "p.svg")[0] == 0
    status, out, _ = command("show", "precision-recall", run_folder, "--json")
    rows = json.loads(out)
    assert status == 0 and len(rows) == 10 and set(rows[0]) == {"class", "pictures", "average precision"}
