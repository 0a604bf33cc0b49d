"""A function, or a layer, as the activation of a layer: a layer of its own behind it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pellucid.keras as keras
from pellucid import layers
from pellucid.keras import backend as K

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

X = np.random.default_rng(0).random((12, 8)).astype(np.float32)


def swish_above(x: Any) -> Any:
    return K.maximum(-0.2, K.relu(x) * K.sigmoid(x) - 0.2)


def by_hand(z: Any) -> Any:
    return np.maximum(-0.2, np.maximum(z, 0) / (1 + np.exp(-z)) - 0.2)


def test_a_function_or_a_layer_acts_on_what_a_layer_gives() -> None:
    """Alone, in a Sequential, and called on values; its gradient too."""
    dense = layers.Dense(6, activation=swish_above)
    z = np.asarray(dense.alone(X))
    np.testing.assert_allclose(dense(X), by_hand(z), rtol=0, atol=1e-6)
    assert np.abs(by_hand(z) - z).max() > 0.1
    last = keras.layers.Dense(3, activation=keras.layers.LeakyReLU(0.3))
    row = keras.Sequential([keras.Input((8,)), dense, last])
    inputs = keras.Input((8,))
    values = keras.Model(inputs, last(dense(inputs)))
    hidden = by_hand(z) @ last.get_weights()[0]
    want = np.where(hidden > 0, hidden, 0.3 * hidden)
    for model in (row, values):
        assert [type(layer).__name__ for layer in model.flat_layers] == ["Dense", "Function", "Dense", "LeakyReLU"]
        assert [layer.name for layer in model.layers if layer.weights] == ["dense", "dense_1"]
        np.testing.assert_allclose(model.predict(X, verbose=0), want, rtol=0, atol=1e-6)
        np.testing.assert_allclose(model(X), want, rtol=0, atol=1e-6)
    before = [torch.tensor(array, requires_grad=True) for array in row.get_weights()]
    row.compile(keras.optimizers.SGD(1.0), "mse")
    row.fit(X, X[:, :3], batch_size=12, verbose=0)
    t = torch.from_numpy(X) @ before[0] + before[1]
    t = torch.clamp(torch.relu(t) * torch.sigmoid(t) - 0.2, min=-0.2) @ before[2] + before[3]
    torch.nn.functional.mse_loss(torch.nn.functional.leaky_relu(t, 0.3), torch.from_numpy(X[:, :3])).backward()
    for tensor, now in zip(before, row.get_weights(), strict=True):
        assert tensor.grad is not None
        np.testing.assert_allclose(tensor.detach().numpy() - now, tensor.grad.numpy(), rtol=0, atol=1e-6)


def test_an_activation_of_a_function_alone() -> None:
    doubled = keras.layers.Activation(lambda x: 2 * x)
    np.testing.assert_allclose(doubled(X), 2 * X)
    np.testing.assert_allclose(keras.Sequential([keras.Input((8,)), doubled]).predict(X, verbose=0), 2 * X)
