"""Losses against PyTorch, finite differences and numbers worked out by hand."""

from __future__ import annotations

import json
import math
from collections.abc import Callable

import numpy as np
import pytest

from pellucid import losses
from pellucid.errors import ConfigError, DataError
from pellucid.layers import check_gradients
from pellucid.losses import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    Loss,
    MAPCriterion,
    MeanAbsoluteError,
    MeanSquaredError,
    SparseCategoricalCrossentropy,
)

ALL = [
    CategoricalCrossentropy(),
    CategoricalCrossentropy(label_smoothing=0.1),
    MAPCriterion(),
    MAPCriterion(0.5),
    BinaryCrossentropy(),
    BinaryCrossentropy(label_smoothing=0.2),
    MeanSquaredError(),
    MeanAbsoluteError(),
]


def identity(loss: Loss) -> str:
    return f"{type(loss).__name__}-{getattr(loss, 'rubbish_penalty', getattr(loss, 'label_smoothing', 0))}"


@pytest.mark.parametrize("loss", ALL, ids=identity)
def test_gradients_against_finite_differences(loss: Loss) -> None:
    result = check_gradients(loss, (6,))
    assert result.ok, str(result)
    assert result.arrays[0].tried == 18


@pytest.mark.parametrize("loss", ALL, ids=identity)
def test_what_a_loss_compares_makes_its_gradient(loss: Loss) -> None:
    rng = np.random.default_rng(3)
    logits = rng.normal(size=(4, 6)).astype(np.float32)
    targets = loss.prepare_targets(rng.integers(0, 6, 4), 6)
    compared, (_, gradient) = loss.compared(targets, logits), loss.value_and_gradient(targets, logits)
    if compared is None:
        assert isinstance(loss, MeanSquaredError | MeanAbsoluteError)
        return
    given, wanted, counts = compared
    np.testing.assert_allclose((given - wanted) / counts[:, None], gradient, atol=1e-7)


def test_a_wrong_loss_gradient_is_noticed() -> None:
    def twice(targets, logits, weights=None):
        values, d = MeanSquaredError().value_and_gradient(targets, logits, weights)
        return values, 2 * d

    assert not check_gradients(twice, (4,)).ok


def test_cross_entropy_by_hand() -> None:
    logits = np.log(np.array([[0.7, 0.2, 0.1], [0.25, 0.25, 0.5]], np.float32))
    values, d = CategoricalCrossentropy().value_and_gradient(np.array([0, 2], np.int32), logits)
    np.testing.assert_allclose(values, [-math.log(0.7), -math.log(0.5)], rtol=1e-5)
    np.testing.assert_allclose(d, np.array([[-0.3, 0.2, 0.1], [0.25, 0.25, -0.5]]) / 2, atol=1e-6)


def test_the_map_criterion_is_equation_9() -> None:
    """Written out in the paper's own sign: y the penalties, y_d the right class's, j the constant."""
    y = np.array([[3.0, 8.5, 20.0], [6.0, 0.5, 7.0], [50.0, 60.0, 90.0]])
    right, j = np.array([0, 2, 1]), 9.0
    expected = y[np.arange(3), right] + np.log(math.exp(-j) + np.exp(-y).sum(axis=1))
    values, d = MAPCriterion(j).value_and_gradient(right.astype(np.int32), -y)
    np.testing.assert_allclose(values, expected, rtol=1e-12)
    # far beyond j nothing is pushed away any more: only the right class is drawn near
    np.testing.assert_allclose(d[2], np.array([0, -1, 0]) / 3, atol=1e-12)
    same, _ = CategoricalCrossentropy().value_and_gradient(right.astype(np.int32), -y)
    np.testing.assert_allclose(MAPCriterion(1e3).value_and_gradient(right.astype(np.int32), -y)[0], same, rtol=1e-12)
    with pytest.raises(ConfigError, match="rubbish_penalty must be a number above 0, got 0"):
        MAPCriterion(0)


def test_all_forms_of_labels_mean_the_same() -> None:
    rng = np.random.default_rng(0)
    logits = rng.standard_normal((5, 4)).astype(np.float32)
    numbers = np.array([3, 0, 1, 2, 2])
    forms = [numbers, numbers[:, None], numbers.astype(np.float64), np.eye(4)[numbers], np.eye(4, dtype=int)[numbers]]
    for loss in (CategoricalCrossentropy(), SparseCategoricalCrossentropy()):
        results = [loss.value_and_gradient(loss.prepare_targets(form, 4), logits) for form in forms]
        for values, d in results[1:]:
            np.testing.assert_array_equal(values, results[0][0])
            np.testing.assert_array_equal(d, results[0][1])
        assert loss.prepare_targets(forms[3].tolist(), 4).dtype == np.int32


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_against_torch(smoothing: float) -> None:
    torch = pytest.importorskip("torch")
    f = torch.nn.functional
    rng = np.random.default_rng(1)
    logits = (3 * rng.standard_normal((7, 5))).astype(np.float32)
    labels = rng.integers(0, 5, 7)
    soft = rng.random((7, 5))
    soft = (soft / soft.sum(1, keepdims=True)).astype(np.float32)
    several = rng.integers(0, 2, (7, 5)).astype(np.float32)
    values = rng.standard_normal((7, 5)).astype(np.float32)
    weights = rng.random(7).astype(np.float32)
    smoothed = several * (1 - smoothing) + smoothing / 2

    def cross_entropy(z, t):
        return f.cross_entropy(z, t, reduction="none", label_smoothing=smoothing)

    rows: list[tuple[Loss, np.ndarray, Callable]] = [
        (CategoricalCrossentropy(label_smoothing=smoothing), labels, lambda z: cross_entropy(z, torch.tensor(labels))),
        (CategoricalCrossentropy(label_smoothing=smoothing), soft, lambda z: cross_entropy(z, torch.tensor(soft))),
        (
            BinaryCrossentropy(label_smoothing=smoothing),
            several,
            lambda z: f.binary_cross_entropy_with_logits(z, torch.tensor(smoothed), reduction="none").mean(1),
        ),
        (MeanSquaredError(), values, lambda z: ((z - torch.tensor(values)) ** 2).mean(1)),
        (MeanAbsoluteError(), values, lambda z: (z - torch.tensor(values)).abs().mean(1)),
    ]
    for loss, targets, truth in rows:
        z = torch.tensor(logits, requires_grad=True)
        expected = truth(z)
        (expected * torch.tensor(weights)).mean().backward()
        got, d = loss.value_and_gradient(loss.prepare_targets(targets, 5), logits, weights)
        np.testing.assert_allclose(got, expected.detach().numpy(), rtol=2e-5, atol=1e-6)
        np.testing.assert_allclose(d, z.grad.numpy(), rtol=2e-5, atol=1e-7)


def test_huge_logits_do_not_overflow() -> None:
    for loss in (CategoricalCrossentropy(), BinaryCrossentropy()):
        logits = np.array([[1e4, -1e4]], np.float32)
        values, d = loss.value_and_gradient(loss.prepare_targets([[0.0, 1.0]], 2), logits)
        assert np.isfinite(values).all() and np.isfinite(d).all() and values[0] > 1e3


def test_targets_of_the_other_losses() -> None:
    assert BinaryCrossentropy().prepare_targets([0, 1, 1], 1).tolist() == [[0], [1], [1]]
    assert BinaryCrossentropy().prepare_targets([True, False], 1).tolist() == [[1], [0]]
    assert MeanSquaredError().prepare_targets([2, 0], 3).tolist() == [[0, 0, 1], [1, 0, 0]]
    assert MeanAbsoluteError().prepare_targets([[2], [0]], (3,)).tolist() == [[0, 0, 1], [1, 0, 0]]
    assert MeanSquaredError().prepare_targets([2.5, 0.5], 1).tolist() == [[2.5], [0.5]]
    pictures = np.arange(24).reshape(2, 2, 3, 2)
    assert MeanSquaredError().prepare_targets(pictures, (2, 3, 2)).dtype == np.float32


@pytest.mark.parametrize(
    ("loss", "labels", "units", "message"),
    [
        ("cross_entropy", [0, 1, 5], 3, "label 5 of picture 2 is not one of the 3 classes 0 to 2"),
        ("cross_entropy", [0, -1], 3, "label -1 of picture 1"),
        ("cross_entropy", [1, 2, 3], 3, "subtract 1"),
        ("cross_entropy", [0.0, 1.5], 3, "label 1.5 of picture 1 is not a class number"),
        ("cross_entropy", [0.0, float("nan")], 3, "labels: nan of picture 1 is not a finite number"),
        ("cross_entropy", [[1.0, 0, 0], [0.4, 0.4, 0.4]], 3, "picture 1 are neither one-hot nor probabilities"),
        ("cross_entropy", [[1.0, 0], [0, 1]], 3, r"got shape \(2, 2\)"),
        ("cross_entropy", ["cat", "dog"], 2, "labels must be real numbers, got an array of <U3"),
        ("cross_entropy", 3, 3, "one entry a picture"),
        ("binary_crossentropy", [0, 2], 1, "label 2 of picture 1 is outside 0 to 1"),
        ("binary_crossentropy", [[0, 1], [1, 1], [-1, 0]], 2, "label -1 of picture 2"),
        ("mse", [[1.0, 2.0]], 3, r"must have shape \(N, 3\)"),
        ("mse", [1.5, 2.5], 3, r"must have shape \(N, 3\)"),
        ("mae", [0, 3], 3, "label 3 of picture 1"),
    ],
)
def test_wrong_labels(loss: str, labels: object, units: int, message: str) -> None:
    with pytest.raises(DataError, match=message):
        losses.get(loss).prepare_targets(labels, units)


def test_lengths_must_match() -> None:
    for loss in ALL:
        with pytest.raises(DataError, match="3 pictures but 2 labels"):
            loss.prepare_targets([0, 1], 2, examples=3)


def test_networks_that_do_not_fit_cross_entropy() -> None:
    with pytest.raises(ConfigError, match="at least 2 units, the network has 1"):
        CategoricalCrossentropy().prepare_targets([0, 1], 1)
    with pytest.raises(DataError, match=r"for one class a picture, end it in Flatten\(\) and Dense\(classes\)"):
        CategoricalCrossentropy().prepare_targets([0, 1], (4, 4, 10))
    with pytest.raises(ConfigError, match=r"the network gives \(4, 4, 10\)"):
        MAPCriterion().prepare_targets([0, 1], (4, 4, 10))


@pytest.mark.parametrize("name", losses.NAMES)
def test_every_name_and_config(name: str) -> None:
    loss = losses.get(name.upper())
    again = losses.get(json.loads(json.dumps(loss.config())))
    assert type(again) is type(loss) and again.config() == loss.config()


def test_config_keeps_arguments() -> None:
    loss = losses.get(CategoricalCrossentropy(True, 0.1).config())
    assert loss.config() == {"type": "CategoricalCrossentropy", "from_logits": True, "label_smoothing": 0.1}
    assert CategoricalCrossentropy.joint_activation == "softmax" and BinaryCrossentropy.joint_activation == "sigmoid"
    assert losses.get("CategoricalCrossentropy").joint_activation == "softmax"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: losses.get("categorical_crossentopy"), "did you mean 'categorical_crossentropy'"),
        (lambda: losses.get(None), "got None"),
        (lambda: losses.get({"type": "MeanSquareError"}), "did you mean 'MeanSquaredError'"),
        (lambda: CategoricalCrossentropy(label_smoothing=1.5), "from 0 to 1, got 1.5"),
    ],
)
def test_wrong_arguments(call, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        call()


def test_called_by_hand_labels_come_first_and_predictions_are_probabilities() -> None:
    y_true, y_pred = np.array([1.0, 0.0]), np.array([0.9, 0.2])
    expected = -(math.log(0.9) + math.log(0.8)) / 2
    assert BinaryCrossentropy()(y_true, y_pred) == pytest.approx(expected, rel=1e-6)
    scores = np.log(y_pred / (1 - y_pred))
    assert BinaryCrossentropy(from_logits=True)(y_true, scores) == pytest.approx(expected, rel=1e-6)
    rows = np.array([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]])
    for labels in ([0, 2], [[0], [2]], np.eye(3)[[0, 2]]):
        mean = -(math.log(0.7) + math.log(0.8)) / 2
        assert CategoricalCrossentropy()(labels, rows) == pytest.approx(mean, rel=1e-6)
        assert CategoricalCrossentropy()(labels, rows, [2, 0]) == pytest.approx(-math.log(0.7), rel=1e-6)
    assert BinaryCrossentropy()([1, 0], [0.0, 1.0]) == pytest.approx(16.03, rel=1e-2)  # kept off 0 and 1
    assert MAPCriterion()([0], [[-1.0, -2.0]]) == pytest.approx(1 + math.log(math.exp(-5) + 1 / math.e + math.exp(-2)))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: SparseCategoricalCrossentropy(True, 1)([0], [[1.0, 2.0]]), ConfigError, "ignore_class=1 is of pixels"),
        (lambda: SparseCategoricalCrossentropy(True, "1"), ConfigError, "ignore_class must be a class number"),
        (lambda: CategoricalCrossentropy()([[0.1, 0.9]], [1]), ConfigError, "at least 2 units"),
        (lambda: MeanSquaredError()([[1.0, 2.0]], [[1.0, 2.0, 3.0]]), DataError, r"must have shape \(N, 3\)"),
        (lambda: MeanSquaredError()([1.0], ["a"]), DataError, "y_pred must be real numbers"),
        (lambda: MeanSquaredError()([1.0, 2.0], [1.0, 2.0], [1.0]), DataError, "2 pictures but 1 sample_weight"),
        (lambda: MeanSquaredError()([], []), DataError, "empty"),
    ],
)
def test_what_is_refused_by_hand(call: Callable, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_scores_where_probabilities_belong_are_said() -> None:
    with pytest.warns(UserWarning, match="no probabilities.*from_logits=True"):
        BinaryCrossentropy()([0, 1], [-3.0, 5.0])
    with pytest.warns(UserWarning, match="no probabilities"):
        CategoricalCrossentropy()([0, 1], [[-3.0, 5.0], [1.0, 2.0]])


NAMED_LOSSES = [getattr(losses, name) for name in losses.__all__ if name.endswith(("entropy", "Error", "Criterion"))]


@pytest.mark.parametrize("cls", NAMED_LOSSES, ids=lambda cls: cls.__name__)
def test_kerass_arguments_are_taken_at_their_defaults_and_others_are_refused(cls: type[losses.Loss]) -> None:
    usual = cls(reduction="sum_over_batch_size", name="judge", axis=-1, dtype=None)
    assert usual.config() == cls().config()
    for given in (
        {"reduction": "product"},
        {"reduction": 1},
        {"axis": 1},
        {"name": 5},
        {"width": 1.0},
        {"dtype": "f8"},
    ):
        with pytest.raises(ConfigError, match=f"{cls.__name__}.*{next(iter(given))}"):
            cls(**given)
    with pytest.raises(ConfigError, match=cls.__name__):
        cls(*[False] * 9)


def test_a_reduction_by_position_is_refused() -> None:
    for cls in (losses.MeanSquaredError, losses.MeanAbsoluteError):
        with pytest.raises(ConfigError, match="too many positional arguments"):
            cls("sum")  # type: ignore[call-arg]
