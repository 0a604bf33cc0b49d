"""Gradients of gradients beside PyTorch's: a penalty on a critic's slope, a step within a step, Jacobians."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pellucid import keras
from pellucid.keras import layers
from pellucid.keras import tensorflow as tf

torch = pytest.importorskip("torch")
RNG = np.random.default_rng(7)
PICTURES = RNG.normal(size=(3, 6, 5, 2)).astype(np.float32)


def _critic() -> tuple[Any, Any]:
    """Ours and PyTorch's, with the same weights."""
    model = keras.Sequential(
        [
            layers.Input((6, 5, 2)),
            layers.Conv2D(4, 3, strides=2, padding="same", activation="tanh"),
            layers.BatchNormalization(),
            layers.Conv2D(3, 2, activation="swish"),
            layers.Flatten(),
            layers.Dense(1),
        ]
    )
    model(PICTURES)
    weights = [torch.tensor(np.array(w), requires_grad=True) for w in model.trainable_variables]

    def theirs(x: Any) -> Any:
        kernel, bias, gamma, beta, kernel2, bias2, dense, last = weights
        x = torch.nn.functional.pad(x.permute(0, 3, 1, 2), (1, 1, 0, 1))  # TensorFlow's rule of padding
        x = torch.tanh(torch.nn.functional.conv2d(x, kernel.permute(3, 2, 0, 1), bias, stride=2))
        x = torch.nn.functional.batch_norm(x, None, None, gamma, beta, True, eps=1e-3)
        x = torch.nn.functional.silu(torch.nn.functional.conv2d(x, kernel2.permute(3, 2, 0, 1), bias2))
        return x.permute(0, 2, 3, 1).flatten(1) @ dense + last

    return model, (theirs, weights)


def test_a_penalty_on_gradients_trains_as_in_pytorch() -> None:
    """Of Gulrajani et al. 2017: the critic's slope at each picture is to be 1."""
    model, (theirs, weights) = _critic()
    with tf.GradientTape() as tape:
        x = tf.constant(PICTURES)
        with tf.GradientTape() as inner:
            inner.watch(x)
            scores = model(x, training=True)
        slope = inner.gradient(scores, x)
        norm = tf.sqrt(tf.reduce_sum(tf.square(slope), axis=[1, 2, 3]))
        loss = tf.reduce_mean(scores) + 10.0 * tf.reduce_mean((norm - 1.0) ** 2)
    found = tape.gradient(loss, model.trainable_variables)
    y = torch.tensor(PICTURES, requires_grad=True)
    answers = theirs(y)
    (their_slope,) = torch.autograd.grad(answers.sum(), y, create_graph=True)
    wanted = answers.mean() + 10 * ((their_slope.square().sum((1, 2, 3)).sqrt() - 1) ** 2).mean()
    wanted.backward()
    assert float(loss) == pytest.approx(wanted.item(), rel=1e-5)
    for ours, weight in zip(found, weights, strict=True):
        own = np.zeros(weight.shape) if weight.grad is None else weight.grad.numpy()
        np.testing.assert_allclose(ours, own, rtol=2e-4, atol=2e-5)


def test_a_step_within_a_step_has_pytorchs_gradient() -> None:
    """As in Finn et al. 2017: weights are judged by how good they are after a step of their own."""
    start, x, y = (RNG.normal(size=shape) for shape in ((4, 2), (5, 4), (5, 2)))
    w = tf.Variable(start, dtype="float64")
    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            loss = tf.reduce_mean(tf.square(tf.sin(x @ w) - y))
        later = w - 0.5 * inner.gradient(loss, w)
        judged = tf.reduce_mean(tf.square(tf.sin(x @ later) - y))
    v, a, b = torch.tensor(start, requires_grad=True), torch.tensor(x), torch.tensor(y)
    (step,) = torch.autograd.grad((torch.sin(a @ v) - b).square().mean(), v, create_graph=True)
    (torch.sin(a @ (v - 0.5 * step)) - b).square().mean().backward()
    np.testing.assert_allclose(outer.gradient(judged, w), v.grad, rtol=1e-9)


def test_jacobians_are_pytorchs() -> None:
    x = RNG.normal(size=(3, 4))
    given = tf.constant(x, "float64")
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(given)
        rows = tf.sin(given[:, :3]) * given[:, 1:]
        total = tf.reduce_sum(rows, axis=0)
    wanted = torch.autograd.functional.jacobian(lambda v: (torch.sin(v[:, :3]) * v[:, 1:]).sum(0), torch.tensor(x))
    np.testing.assert_allclose(tape.jacobian(total, given), wanted, rtol=1e-12)
    each = torch.stack(
        [torch.autograd.functional.jacobian(lambda v: torch.sin(v[:3]) * v[1:], row) for row in torch.tensor(x)]
    )
    np.testing.assert_allclose(tape.batch_jacobian(rows, given), each, rtol=1e-12)
    assert tape.jacobian(total, tf.constant([1.0])) is None


def test_steps_by_hand_and_by_fit_are_steps_of_one_optimizer() -> None:
    x, y = RNG.normal(size=(8, 5)).astype(np.float32), RNG.integers(0, 3, 8)

    def made() -> Any:
        keras.utils.set_random_seed(2)
        model = keras.Sequential([layers.Input((5,)), layers.Dense(4, activation="tanh"), layers.Dense(3)])
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(keras.optimizers.schedules.ExponentialDecay(0.1, 1, 0.5)), loss)
        return model

    def by_fit(model: Any, epochs: int) -> None:
        model.fit(x, y, epochs=epochs, batch_size=8, shuffle=False, verbose=0)

    def by_hand(model: Any) -> None:
        with tf.GradientTape() as tape:
            loss = model.loss(y, model(x, training=True))
        model.optimizer.apply_gradients(
            zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables, strict=True)
        )

    one, other = made(), made()
    by_fit(one, 5)
    by_hand(other)
    assert int(other.optimizer.iterations) == 1
    by_fit(other, 2)
    by_hand(other)
    by_fit(other, 1)
    assert int(other.optimizer.iterations) == int(one.optimizer.iterations) == 5
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    ours, theirs = one.optimizer.variables, other.optimizer.variables
    assert [v.name for v in ours[:3]] == ["iteration", "learning_rate", "dense/kernel/m"] and len(ours) == 2 + 2 * 4
    assert float(ours[1]) == pytest.approx(0.1 * 0.5**5)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-7)


def test_variables_begin_by_initializers_and_parts_are_assigned() -> None:
    drawn = keras.Variable("zeros", shape=(2, 3), name="start")
    drawn[0, 1].assign(3.0)
    drawn[1].assign([4.0, 5.0, 6.0])
    assert drawn.numpy().tolist() == [[0, 3, 0], [4, 5, 6]] and drawn.name == "start"
    assert abs(keras.Variable(shape=(50,), initializer="random_normal").numpy()).sum() > 0
    assert keras.Variable([1.0, 2.0]).numpy().tolist() == [1.0, 2.0]
    metric = keras.metrics.Mean(name="own")
    assert metric.add_variable(shape=(2,), initializer="zeros", name="sums").numpy().tolist() == [0, 0]
