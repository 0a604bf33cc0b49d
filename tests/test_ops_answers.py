"""Answers of operations that are known: not a number, large logits, words of the generator, optimizers' first steps."""

from __future__ import annotations

import numpy as np
import pytest
from test_ops_api import F

from pellucid import ops
from pellucid.ops import reference


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nan_goes_through_and_padding_is_never_picked(dtype: type) -> None:
    x = np.zeros((1, 3, 3, 1), dtype)
    x[0, 1, 1, 0] = np.nan
    y, argmax = ops.max_pool2d(x, pool_size=(2, 2), strides=(1, 1), padding=((0, 0), (0, 0)))
    assert np.isnan(y).all()
    np.testing.assert_array_equal(argmax.reshape(-1), [3, 2, 1, 0])
    assert np.isnan(ops.activation(x, "relu")[0, 1, 1, 0])
    x[...] = -np.inf
    y, argmax = ops.max_pool2d(x, pool_size=(2, 2), strides=(1, 1), padding=((1, 1), (1, 1)))
    assert (y == -np.inf).all()
    np.testing.assert_array_equal(argmax[0, :, :, 0], [[3, 2, 2, 2], [1, 0, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_large_logits_neither_overflow_nor_lose_the_loss(dtype: type) -> None:
    z = np.array([[1e4, -1e4, 0.0], [-1e4, 1e4, 1e4]], dtype)
    losses, dlogits = ops.softmax_cross_entropy(np.array([1, 2]), z)
    np.testing.assert_allclose(losses, [2e4, np.log(2)], rtol=1e-6)
    np.testing.assert_allclose(dlogits, [[0.5, -0.5, 0], [0, 0.25, -0.25]], atol=1e-7)
    losses, dlogits = ops.binary_cross_entropy(np.array([[0, 0, 1]]), z[:1])
    np.testing.assert_allclose(losses, [(1e4 + np.log(2)) / 3], rtol=1e-6)
    np.testing.assert_allclose(dlogits, [[1 / 3, 0, -0.5 / 3]], atol=1e-7)
    np.testing.assert_array_equal(ops.activation(z, "sigmoid"), [[1, 0, 0.5], [0, 1, 1]])


@pytest.mark.parametrize(
    ("key", "counter", "words"),
    [
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
        ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
    ],
)
def test_threefry_known_answers(key: tuple[int, int], counter: tuple[int, int], words: tuple[int, int]) -> None:
    """Source: kat_vectors of Random123 (Salmon et al. 2011)."""
    found = reference.random.threefry(key, *(np.array([word], np.uint32) for word in counter))
    assert tuple(int(word[0]) for word in found) == words


def test_dropout_draws_words_as_documented() -> None:
    x, (seed, step, layer) = np.ones(5, F), (2**32 + 9, 4, 2)
    y = ops.dropout(x, 0.5, (seed, step, layer))
    words = []
    for i in range(5):
        both = reference.random.threefry((9, layer), np.array([i // 2], np.uint32), np.array([step], np.uint32))
        words.append(int(both[i % 2][0]))
    np.testing.assert_array_equal(y, [2.0 if word >= 2**31 else 0.0 for word in words])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dropout_keeps_a_word_equal_to_the_threshold(dtype: type) -> None:
    word = 0x6B200159  # element 0 of key (0, 0, 0), by the first known answer
    assert ops.dropout(np.ones(1, dtype), word / 2**32, (0, 0, 0))[0] > 0
    assert ops.dropout(np.ones(1, dtype), (word + 1) / 2**32, (0, 0, 0))[0] == 0


def test_dropout_keeps_the_right_share_and_the_mean() -> None:
    y = ops.dropout(np.ones(200_000, F), 0.3, (5, 6, 7))
    kept = np.count_nonzero(y) / y.size
    assert abs(kept - 0.7) < 5 * np.sqrt(0.21 / y.size)
    assert set(np.unique(y)) == {F(0), F(1 / 0.7)}
    again = [ops.dropout(np.ones(200_000, F), 0.3, key) for key in ((5, 6, 7), (5, 6, 8), (5, 7, 7), (6, 6, 7))]
    np.testing.assert_array_equal(y, again[0])
    for other in again[1:]:  # independent: both kept with probability 0.49
        assert abs(np.count_nonzero(y * other) / y.size - 0.49) < 0.006


def test_adagrad_and_adadelta_have_their_papers_first_step() -> None:
    p, g = np.zeros(3), np.array([1.0, -2.0, 0.5])
    ops.adagrad_update(p, g, np.zeros(3), lr=0.1, epsilon=0.0)
    np.testing.assert_allclose(p, -0.1 * np.sign(g))  # Duchi et al. 2011: every coordinate moves by lr at first
    p = np.zeros(3)
    ops.adadelta_update(p, g, np.zeros(3), np.zeros(3), lr=1.0, rho=0.95, epsilon=1e-6)
    np.testing.assert_allclose(p, -np.sqrt(1e-6) / np.sqrt(0.05 * g**2 + 1e-6) * g)  # Zeiler 2012, algorithm 1
