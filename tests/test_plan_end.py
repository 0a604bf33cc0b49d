"""The end of a training step, compiled: losses, penalties, clipping and optimizers against their NumPy selves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from small_model import training_plan

from pellucid import layers as L
from pellucid import losses, optimizers
from pellucid.model import Sequential
from pellucid.ops import backend, native, reference
from pellucid.ops.table import row
from pellucid.plan import HITS, LOSS, Feed, TrainingPlan

pytestmark = pytest.mark.skipif(backend().name != "native", reason="the kernels are not built")

BATCH = 5
OPTIMIZERS = (
    optimizers.SGD(0.1),
    optimizers.SGD(0.1, momentum=0.9, nesterov=True, clipvalue=0.01),
    optimizers.Adagrad(0.1, clipnorm=0.05),
    optimizers.RMSprop(0.01, global_clipnorm=0.05),
    optimizers.RMSprop(0.01, momentum=0.9, centered=True, weight_decay=0.1),
    optimizers.Adadelta(1.0, clipvalue=0.02),
    optimizers.Adam(0.01, clipnorm=0.03),
    optimizers.AdamW(0.01, global_clipnorm=0.2),
    optimizers.Adam(0.01, amsgrad=True),
    optimizers.Adamax(0.01, weight_decay=0.1, decoupled_weight_decay=True),
    optimizers.Nadam(0.01, weight_decay=0.1),
    optimizers.Lion(0.01),
    optimizers.Ftrl(0.1, l1_regularization_strength=0.01),
)


def network(units: int = 4) -> Sequential:
    hidden = L.Dense(7, activation="tanh", kernel_regularizer=L.L1L2(0.01, 0.02))
    return Sequential([L.Input((3, 3, 2)), L.Flatten(), hidden, L.Dense(units)])


def plan_of(model: Sequential, targets: np.ndarray, weights: np.ndarray | None, accuracy: str | None) -> TrainingPlan:
    x = np.random.default_rng(1).normal(size=(BATCH, *model.input_shape)).astype(np.float32)
    scale, offset = np.ones(2, np.float32), np.zeros(2, np.float32)
    feed = Feed(x, targets, weights, capacity=BATCH, picture=model.input_shape, scale=scale, offset=offset)
    return training_plan(model, feed, accuracy=accuracy)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda o: f"{type(o).__name__}-{OPTIMIZERS.index(o)}")
def test_clipping_and_optimizer_are_in_the_program(optimizer: optimizers.Optimizer) -> None:
    targets = np.array([0, 1, 2, 3, 0], np.int32)
    model = network()
    model.compile(optimizers.SGD(0.0), "sparse_categorical_crossentropy")
    plan_of(model, targets, None, "categorical").run(BATCH, step=0, learning_rate=0.0)
    gradients = model.parameters.gradients.astype(np.float64)
    optimizer.clip([model.parameters.slot(gradients, s) for s in model.parameters.segments])
    expected = model.parameters.vector.astype(np.float64)
    moments = {name: slot.astype(np.float64) for name, slot in optimizer.slots(gradients.size).items()}
    options: dict[str, Any] = {"weight_decay": optimizer.weight_decay or 0.0}
    optimizer.update(expected, gradients, moments, learning_rate=0.05, step=1, **options)

    model.compile(optimizer, "sparse_categorical_crossentropy")
    plan = plan_of(model, targets, None, "categorical")
    assert plan.num_stages == 1
    plan.run(BATCH, step=0, learning_rate=0.05)
    np.testing.assert_allclose(model.parameters.vector, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("accuracy", ["categorical", "binary", None])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "loss",
    [
        losses.BinaryCrossentropy(),
        losses.BinaryCrossentropy(label_smoothing=0.2),
        losses.MeanSquaredError(),
        losses.MeanAbsoluteError(),
    ],
    ids=lambda loss: f"{type(loss).__name__}-{getattr(loss, 'label_smoothing', 0):g}",
)
def test_losses_by_numbers_are_in_the_program(loss: losses.Loss, weighted: bool, accuracy: str | None) -> None:
    rng = np.random.default_rng(2)
    targets = rng.random((BATCH, 4)).round().astype(np.float32)
    weights = rng.random(BATCH).astype(np.float32) if weighted else None
    model = network()
    model.compile(optimizers.SGD(0.0), loss)
    plan = plan_of(model, targets, weights, accuracy)
    assert plan.num_stages == 1
    plan.run(BATCH, step=0, learning_rate=0.0)
    outputs = model.predict(plan.feed.inputs)
    values, gradient = loss.value_and_gradient(targets, outputs, weights)
    penalty = model.layers[1].penalties()["kernel"].loss(model.layers[1].params["kernel"])
    share = np.ones(BATCH) if weights is None else weights
    np.testing.assert_allclose(plan.totals[LOSS], (values * share).sum() + BATCH * penalty, rtol=1e-5)
    right = {
        "categorical": outputs.argmax(axis=1) == targets.argmax(axis=1),
        "binary": ((outputs > 0) == (targets > 0.5)).mean(axis=1),
        None: np.zeros(BATCH),
    }
    np.testing.assert_allclose(plan.totals[HITS], right[accuracy].sum(), rtol=1e-6)
    bias = model.parameters.of(model.layers[2])["bias"]
    np.testing.assert_allclose(model.parameters.gradient(bias), gradient.sum(axis=0), rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("count", [1, 17, 16384, 40_001])
def test_clipping_kernels_agree_with_their_twins(count: int) -> None:
    start = np.random.default_rng(3).normal(size=count).astype(np.float32)
    start[count // 2] = 50
    for op, limit in (("clip_by_value", 0.5), ("clip_by_norm", 3.0), ("clip_by_norm", 1e6)):
        got, expected = start.copy(), start.astype(np.float64)
        native.run(getattr(native, op)(got, limit=limit))
        row(op).twin(expected, limit=limit)
        np.testing.assert_allclose(got, expected, rtol=1e-6)
    got[0] = np.nan
    native.run(native.clip_by_value(got, limit=0.5))
    assert np.isnan(got[0])


@pytest.mark.parametrize("count", [1, 17, 40_001])
def test_the_penalty_kernel_agrees_with_its_twin(count: int) -> None:
    rng = np.random.default_rng(4)
    param, grad = (rng.normal(size=count).astype(np.float32) for _ in range(2))
    param[0] = 0
    expected, totals, wanted = grad.astype(np.float64), np.ones(3), np.ones(3)
    options = {"l1": 0.1, "l2": 0.02, "pictures": 7}
    reference.optimizer.add_penalty(param.astype(np.float64), expected, wanted, **options)
    native.run(native.add_penalty(param, grad, totals, **options))
    np.testing.assert_allclose(grad, expected, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(totals, wanted, rtol=1e-6)
