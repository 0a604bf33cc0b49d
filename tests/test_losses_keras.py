"""Keras's losses: values and gradients against Keras itself; functions of one's own."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest

from pellucid import Sequential, losses
from pellucid.autodiff import GradientTape, Variable
from pellucid.errors import ConfigError
from pellucid.layers import Dense, Flatten


@pytest.fixture(scope="module")
def keras() -> Any:
    os.environ.setdefault("KERAS_BACKEND", "torch")
    pytest.importorskip("torch")
    return pytest.importorskip("keras")


RNG = np.random.default_rng(3)
SHARES = RNG.dirichlet(np.ones(4), 5).astype(np.float32)
TRUE_SHARES = RNG.dirichlet(np.ones(4), 5).astype(np.float32)
ONE_HOT = np.eye(4, dtype=np.float32)[[0, 3, 1, 1, 2]]
BITS = (RNG.random((5, 4)) < 0.5).astype(np.float32)
SCORES = RNG.standard_normal((5, 4)).astype(np.float32)
PIXELS = RNG.dirichlet(np.ones(3), (2, 3, 2)).astype(np.float32)
MASKS = np.eye(3, dtype=np.float32)[RNG.integers(0, 3, (2, 3, 2))]

CASES = [
    ("MeanAbsolutePercentageError", {}, TRUE_SHARES, SHARES),
    ("MeanSquaredLogarithmicError", {}, TRUE_SHARES, SHARES),
    ("Huber", {"delta": 0.6}, SCORES, SHARES),
    ("LogCosh", {}, SCORES, SHARES),
    ("Poisson", {}, TRUE_SHARES, SHARES),
    ("Hinge", {}, BITS, SCORES),
    ("SquaredHinge", {}, BITS, SCORES),
    ("CategoricalHinge", {}, ONE_HOT, SCORES),
    ("KLDivergence", {}, TRUE_SHARES, SHARES),
    ("CosineSimilarity", {}, SCORES, SHARES),
    ("BinaryFocalCrossentropy", {"label_smoothing": 0.1}, BITS, SHARES),
    ("BinaryFocalCrossentropy", {"apply_class_balancing": True, "gamma": 1.5, "from_logits": True}, BITS, SCORES),
    ("CategoricalFocalCrossentropy", {"label_smoothing": 0.1}, ONE_HOT, SHARES),
    ("CategoricalFocalCrossentropy", {"from_logits": True, "gamma": 3.0}, ONE_HOT, SCORES),
    ("CategoricalFocalCrossentropy", {}, MASKS, PIXELS),
    ("Dice", {}, MASKS, PIXELS),
    ("Tversky", {"alpha": 0.3, "beta": 0.8}, MASKS, PIXELS),
    ("Huber", {}, MASKS, PIXELS),
    ("CategoricalGeneralizedCrossEntropy", {"q": 0.7}, np.array([0, 3, 1, 1, 2]), SHARES),
]


@pytest.mark.parametrize(("name", "arguments", "t", "y"), CASES, ids=[f"{c[0]}-{c[1]}" for c in CASES])
def test_values_and_gradients_are_kerass(keras: Any, name: str, arguments: dict[str, Any], t: Any, y: Any) -> None:
    import torch

    ours = getattr(losses, name)(**arguments)
    tensor = torch.tensor(y, requires_grad=True)
    theirs = getattr(keras.losses, name)(**arguments)(torch.tensor(t), tensor)
    theirs.backward()
    assert ours(t, y) == pytest.approx(float(theirs.detach()), rel=2e-5)
    _, slopes = ours.value_and_gradient(ours.prepare_targets(t, y.shape[1:]), y)
    assert tensor.grad is not None
    np.testing.assert_allclose(slopes, tensor.grad.numpy(), rtol=2e-4, atol=2e-7)
    for reduction in ("sum", "none"):
        reduced = getattr(keras.losses, name)(**arguments, reduction=reduction)(torch.tensor(t), torch.tensor(y))
        mine = getattr(losses, name)(**arguments, reduction=reduction)(t, y)
        np.testing.assert_allclose(np.squeeze(mine), reduced.numpy(), rtol=2e-5)


@pytest.mark.parametrize("name", ["SparseCategoricalCrossentropy", "CategoricalCrossentropy", "BinaryCrossentropy"])
def test_reductions_of_pixels_are_kerass(keras: Any, name: str) -> None:
    t = MASKS.argmax(-1) if name.startswith("Sparse") else MASKS
    for reduction in ("sum_over_batch_size", "sum", "none"):
        theirs = getattr(keras.losses, name)(reduction=reduction)(t, PIXELS)
        np.testing.assert_allclose(getattr(losses, name)(reduction=reduction)(t, PIXELS), theirs.numpy(), rtol=2e-5)
    weights = np.array([2.0, 0.5], np.float32)
    function = losses.FUNCTIONS["categorical_crossentropy"]
    each = function(MASKS, PIXELS)
    np.testing.assert_allclose(each, keras.losses.categorical_crossentropy(MASKS, PIXELS).numpy(), rtol=2e-5)
    weighted = losses.CategoricalCrossentropy(reduction="sum")(MASKS, PIXELS, weights)
    assert weighted == pytest.approx(float((each * weights[:, None, None]).sum()), rel=1e-5)


def test_ignored_pixels_count_for_nothing() -> None:
    masks = MASKS.argmax(-1)
    answers = PIXELS.copy()
    before = losses.SparseCategoricalCrossentropy(ignore_class=1)(masks, answers)
    answers[masks == 1] = [0.9, 0.05, 0.05]
    assert losses.SparseCategoricalCrossentropy(ignore_class=1)(masks, answers) == pytest.approx(before, rel=1e-6)
    assert losses.SparseCategoricalCrossentropy()(masks, answers) != pytest.approx(before, rel=1e-3)


def test_names_and_functions_find_their_losses() -> None:
    for spec in ("mape", "MSLE", "logcosh", "kl_divergence", "Huber", losses.FUNCTIONS["hinge"], losses.Poisson):
        assert isinstance(losses.get(spec), losses.Loss)
    assert type(losses.get("cosine_similarity")) is losses.CosineSimilarity
    for cls in losses.CLASSES.values():
        assert losses.get(cls().config()).config() == cls().config()


def _small(loss: Any, units: int = 3) -> Sequential:
    model = Sequential([Flatten(input_shape=(2, 2, 1)), Dense(units, activation="softmax")], seed=4)
    model.compile("sgd", loss)
    return model


X = np.random.default_rng(0).random((12, 2, 2, 1), np.float32)
Y = np.arange(12) % 3


def test_a_function_of_ones_own_trains_as_the_loss_it_is() -> None:
    def squares(y_true: Any, y_pred: Any) -> Any:
        return np.mean(np.square(y_true - y_pred), axis=-1)

    class Squares(losses.Loss):
        def call(self, y_true: Any, y_pred: Any) -> Any:  # type: ignore[override]
            return squares(y_true, y_pred)

    def numbered(y_true: Any, y_pred: Any) -> Any:
        return -np.log(np.take_along_axis(y_pred, y_true.astype(int), axis=-1))[..., 0]

    rows = np.eye(3, dtype=np.float32)[Y]
    expected = _small("mse")
    expected.fit(X, rows, epochs=2, verbose=0, doctor=False)
    for loss in (squares, Squares(name="own")):
        model = _small(loss)
        model.fit(X, rows, epochs=2, verbose=0, doctor=False)
        for mine, theirs in zip(model.get_weights(), expected.get_weights(), strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-6)
    expected, model = _small("categorical_crossentropy"), _small(numbered)
    for one in (expected, model):
        one.fit(X, Y, epochs=2, verbose=0, doctor=False)
    np.testing.assert_allclose(model.get_weights()[0], expected.get_weights()[0], rtol=1e-4, atol=1e-6)


def test_a_function_that_gives_another_shape_is_refused_with_what_to_write() -> None:
    with pytest.raises(ConfigError, match=r"<lambda>|OwnLoss.*axis=-1"):
        _small(lambda t, y: np.mean(np.square(t - y), axis=0)).fit(X, np.eye(3)[Y], verbose=0, doctor=False)


def test_rows_that_sum_to_anything_count_in_proportion() -> None:
    torch = pytest.importorskip("torch")
    rows, scores = RNG.integers(0, 2, (4, 5)).astype(np.float32), RNG.random((4, 5), np.float32)
    rows[0] = 0
    given = torch.tensor(scores, requires_grad=True)
    expected = -(torch.tensor(rows) * torch.log_softmax(given, 1)).sum(1)
    (expected * torch.arange(4)).sum().backward()
    variable = Variable(scores)
    with GradientTape() as tape:
        found = losses.FUNCTIONS["categorical_crossentropy"](rows, variable, from_logits=True)
        total = (found * np.arange(4, dtype=np.float32)).sum()
    np.testing.assert_allclose(found, expected.detach(), atol=1e-6)
    np.testing.assert_allclose(tape.gradient(total, variable), given.grad, atol=1e-6)
