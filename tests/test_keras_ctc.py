"""The loss of words without places, beside PyTorch's, and their decoding."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pellucid import keras
from pellucid.errors import ConfigError, DataError
from pellucid.keras import tensorflow as tf

RNG = np.random.default_rng(0)
SCORES = RNG.normal(size=(5, 12, 6)).astype(np.float32)
WORDS = RNG.integers(0, 5, (5, 4))
WORDS[1] = 2  # a letter again and again
STEPS, LETTERS = np.array([12, 12, 9, 12, 7]), np.array([4, 4, 2, 1, 3])


def test_losses_and_gradients_are_those_of_pytorch() -> None:
    torch = pytest.importorskip("torch")
    theirs = torch.tensor(SCORES, requires_grad=True)
    logs = torch.log(torch.softmax(theirs, -1) + 1e-7).log_softmax(-1).transpose(0, 1)
    words, steps, letters = map(torch.tensor, (WORDS, STEPS, LETTERS))
    expected = torch.nn.functional.ctc_loss(logs, words, steps, letters, blank=5, reduction="none")
    expected.sum().backward()
    with tf.GradientTape() as tape:
        tape.watch(ours := tf.constant(SCORES))
        losses = keras.backend.ctc_batch_cost(WORDS, tf.nn.softmax(ours), STEPS[:, None], LETTERS[:, None])
        total = tf.reduce_sum(losses)
    np.testing.assert_allclose(losses[:, 0], expected.detach().numpy(), rtol=1e-6)
    np.testing.assert_allclose(tape.gradient(total, ours), theirs.grad.numpy(), atol=1e-5)


def test_words_that_do_not_fit_are_refused() -> None:
    shares = np.full((5, 12, 6), 1 / 6, np.float32)
    for words, steps in ((WORDS + 4, STEPS), (WORDS, STEPS + 4)):
        with pytest.raises(DataError, match="classes 0 to 4, of at most 12 steps"):
            keras.backend.ctc_batch_cost(words, shares, steps, LETTERS)


def test_the_likeliest_classes_without_repeats_and_blanks_are_the_word() -> None:
    shares = np.full((2, 6, 4), 0.1, np.float32)
    for row, classes in zip(shares, ((1, 1, 3, 1, 0, 0), (3, 2, 2, 2, 3, 3)), strict=True):
        row[np.arange(6), classes] = 0.7
    (words,), scores = keras.backend.ctc_decode(shares, np.array([6, 6]))
    assert words.numpy().tolist() == [[1, 1, 0], [2, -1, -1]]
    np.testing.assert_allclose(scores, [[-6 * np.log(0.7)]] * 2, rtol=1e-5)
    with pytest.raises(ConfigError, match="greedy=True"):
        keras.backend.ctc_decode(shares, [6, 6], greedy=False)


class Endpoint(keras.layers.Layer):
    """As programs add this loss: called on words and scores, it gives the scores back."""

    def call(self, words: Any, shares: Any) -> Any:
        ones = tf.ones((tf.shape(words)[0], 1))
        self.add_loss(keras.backend.ctc_batch_cost(words, shares, 12 * ones, 4 * ones))
        return shares


def test_a_network_learns_words_by_a_layer_called_on_two_values() -> None:
    pictures, words = keras.Input((12, 3)), keras.Input((4,))
    shares = keras.layers.Dense(6, activation="softmax")(pictures)
    model = keras.Model([pictures, words], Endpoint()(words, shares))
    model.compile(keras.optimizers.Adam(0.1))
    x = [RNG.normal(size=(8, 12, 3)).astype(np.float32), RNG.integers(0, 5, (8, 4)).astype(np.float32)]
    history = model.fit(x, epochs=6, batch_size=8, verbose=0).history["loss"]
    ways = np.full((8, 1), 12), np.full((8, 1), 4)
    assert history[-1] < 0.8 * history[0]
    loss = float(np.mean(keras.backend.ctc_batch_cost(x[1], model.predict(x, verbose=0), *ways)))
    assert loss < history[-1] and abs(model.evaluate(x, verbose=0) - loss) < 1e-3
