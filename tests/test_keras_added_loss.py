"""Losses that `add_loss` is given as calculations of a network's values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pellucid.errors import ConfigError, DataError
from pellucid.keras import Model, layers, losses, optimizers
from pellucid.keras import backend as K
from pellucid.keras import tensorflow as tf

X = np.random.default_rng(0).random((6, 4, 4, 1), np.float32)


def network(seed: int = 3) -> tuple[Any, Any, Any]:
    """An autoencoder: its input, what it makes of it in the middle, and its output."""
    rng = np.random.default_rng(seed)
    picture = layers.Input((4, 4, 1))
    code, answer = layers.Dense(2), layers.Dense(16, activation="sigmoid")
    middle = code(layers.Flatten()(picture))
    out = layers.Reshape((4, 4, 1))(answer(middle))
    Model(picture, out).set_weights([rng.normal(size=size) for size in ((16, 2), 2, (2, 16), 16)])
    return picture, middle, out


def test_fit_takes_the_step_of_the_same_loss_by_hand() -> None:
    picture, middle, out = network()
    model = Model(picture, out)
    model.add_loss(K.mean(losses.mse(K.flatten(picture), K.flatten(out)) * 16 + K.sum(K.square(middle), axis=-1)))
    model.compile(optimizers.SGD(0.1))
    before = [weight.copy() for weight in model.get_weights()]
    loss = model.fit(X, epochs=1, batch_size=6, shuffle=False, verbose=0).history["loss"]

    code = X.reshape(6, 16) @ before[0] + before[1]
    answers = 1 / (1 + np.exp(-(code @ before[2] + before[3])))
    assert loss == pytest.approx([((answers - X.reshape(6, 16)) ** 2).mean() * 16 + (code**2).sum(-1).mean()], 1e-5)
    d_scores = 2 / 6 * (answers - X.reshape(6, 16)) * answers * (1 - answers)
    d_code = d_scores @ before[2].T + 2 / 6 * code
    slopes = (X.reshape(6, 16).T @ d_code, d_code.sum(0), code.T @ d_scores, d_scores.sum(0))
    for was, slope, now in zip(before, slopes, model.get_weights(), strict=True):
        np.testing.assert_allclose(now, was - 0.1 * slope, rtol=1e-4, atol=1e-6)


def test_a_layer_adds_a_loss_of_values_it_is_not_given() -> None:
    picture, middle, out = network()

    class Added(layers.Layer):
        def call(self, inputs: Any) -> Any:
            self.add_loss(K.mean(K.square(middle)), inputs=inputs)
            return inputs

    model = Model(picture, Added()(out))
    model.compile("sgd", "mse")
    alone = Model(picture, out)
    alone.compile("sgd", "mse")
    more = float(np.square(Model(picture, middle).predict(X, verbose=0)).mean())
    assert model.evaluate(X, X, verbose=0) == pytest.approx(alone.evaluate(X, X, verbose=0) + more, 1e-5)


def test_a_layer_called_twice_on_one_value_gives_one_value() -> None:
    picture, middle, _ = network()
    encoder = Model(picture, middle)
    assert encoder.layers[1](picture) is encoder.layers[1](picture)
    assert encoder(picture) is not middle  # as in Keras: a call of another model
    noise = layers.Dropout(0.5)
    assert noise(middle) is not noise(middle)


def test_what_has_no_row_for_each_picture_goes_into_no_layer() -> None:
    picture, _, out = network()
    with pytest.raises(DataError, match="no row for each picture"):
        layers.Dense(2)(K.mean(out))
    with pytest.raises(ConfigError, match="add_loss takes what is calculated of this network's values"):
        Model(picture, out).add_loss(1.0)


def test_functions_of_losses_take_one_row_and_several_axes() -> None:
    y, p = np.float32([0, 1, 1, 0]), np.float32([0.1, 0.9, 0.6, 0.4])
    each = -(y * np.log(p) + (1 - y) * np.log(1 - p))
    assert losses.binary_crossentropy(y, p) == pytest.approx(each.mean(), 1e-5)
    assert losses.mse(y, p).shape == ()
    pictures, answers = y.reshape(1, 2, 2, 1), p.reshape(1, 2, 2, 1)
    np.testing.assert_allclose(losses.binary_crossentropy(pictures, answers, axis=(1, 2, 3)), [each.mean()], 1e-5)
    with tf.GradientTape() as tape:
        answers = tf.Variable(p)
        loss = tf.reduce_mean(losses.mse(y, answers * 1.0))
    np.testing.assert_allclose(tape.gradient(loss, answers), (p - y) / 2, 1e-5)
