"""Gradients of layers' own gradients, by the calculation that a layer is, for every row of the layers' contract."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from test_layer_contract import KEY, Row, every_row

from pellucid import layers
from pellucid.autodiff import GradientTape, tensor
from pellucid.errors import ConfigError
from pellucid.layers import Layer, check_gradients
from pellucid.layers.recorded import nested_layers


class GradientOf(Layer):
    """The gradient of a layer's input, as a layer: its backward is the gradient of that gradient, by `calculate`."""

    def __init__(self, inner: Layer, training: bool) -> None:
        super().__init__()
        self.inner, self.how = inner, {"training": training, "key": KEY}
        self.table_rows = inner.table_rows

    def build(self, input_shape: Any, rng: np.random.Generator) -> None:
        self.inner.ensure_built(input_shape, rng)
        self.params, self.state = dict(self.inner.params), dict(self.inner.state)
        self.built = True

    def forward(self, x: Any, *, training: bool = False, key: Any = None) -> Any:
        self.inner.params, self.inner.state = self.params, self.state
        y, cache = self.inner.forward(x, **self.how)
        d = np.random.default_rng(4).standard_normal(y.shape)
        dx, grads = self.inner.backward(d, cache)
        return dx, (x, d, dx, grads)

    def backward(self, dy: Any, cache: Any, *, need_dx: bool = True) -> Any:
        kept, d, first, grads = cache
        x, *weights = (tensor(np.array(each)) for each in (kept, *self.params.values()))
        with GradientTape(persistent=True) as tape:
            tape.watch([x, *weights])
            y = self.inner.calculate(x, dict(zip(self.params, weights, strict=True)), **self.how)
            assert y is not None, "it does not say how it is calculated"
            dx, *own = tape.gradient(y, [x, *weights], output_gradients=d, unconnected_gradients="zero")
            total = (dx * dy).sum()
        for found, wanted in zip(
            (dx, *own), (first, *(grads[f"d{n}"] for n in self.params)), strict=True
        ):  # the same as of backward itself
            np.testing.assert_allclose(found, wanted, 1e-9, 1e-9 * abs(wanted).max(initial=1e-30))
        again, *of_weights = tape.gradient(total, [x, *weights], unconnected_gradients="zero")
        return np.asarray(again), {f"d{n}": np.asarray(g) for n, g in zip(self.params, of_weights, strict=True)}


UNKNOWN = {
    "AdaptiveMaxPool1D", "AdaptiveMaxPool2D", "AlphaDropout", "LSTM", "LocalResponseNorm", "RBF", "RandomBrightness",
    "RandomContrast", "UnitNormalization",
}  # fmt: skip
"""Layers of which no gradient of a gradient is known; they say so."""


@every_row
@pytest.mark.parametrize("training", [True, False])
def test_gradients_of_gradients_against_finite_differences(row: Row, training: bool) -> None:
    inner = row.make()
    if UNKNOWN & {type(each).__name__ for each in (inner, *nested_layers(inner))}:
        x = tensor(np.zeros((2, *row.input_shape), np.float32))
        inner(x)
        with GradientTape() as outer:
            outer.watch(x)
            with GradientTape() as tape:
                tape.watch(x)
                y = inner(x, training=training)
            with pytest.raises(ConfigError, match="gradient of its gradient is not known"):
                tape.gradient(y, x)
        return
    result = check_gradients(GradientOf(inner, training), row.input_shape)
    assert result.ok, str(result)


def of_the_penalty(layer: Layer, x: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """The gradients of sum(g^2), g that of sum(y^3) for x: of x and of the weights that are trained."""
    given = tensor(x)
    with GradientTape() as outer:
        outer.watch(given)
        with GradientTape() as tape:
            tape.watch(given)
            loss = (layer(given) ** 3).sum()
        total = (tape.gradient(loss, given) ** 2).sum()
    found, *own = outer.gradient(total, [given, *layer.trainable_weights])
    return np.asarray(found), [np.asarray(each) for each in own]


@pytest.mark.parametrize(
    "make",
    [
        lambda: layers.Dense(3, "tanh"),
        lambda: layers.PReLU(alpha_initializer="ones"),
        lambda: layers.BatchNorm(),
        lambda: layers.EinsumDense("abc,cd->abd", (None, 4), "tanh", "d"),
        lambda: layers.TimeDistributed(layers.Dense(3, "tanh")),
    ],
)
def test_a_frozen_layer_passes_the_same_gradient_of_a_gradient(make: Any) -> None:
    x, layer = np.random.default_rng(0).standard_normal((2, 4, 3)).astype(np.float32), make()
    layer(x)
    wanted, _ = of_the_penalty(layer, x)
    assert layer.trainable_weights and abs(wanted).max() > 0.1
    layer.trainable = False
    assert not layer.trainable_weights
    np.testing.assert_array_equal(of_the_penalty(layer, x)[0], wanted)


def test_a_layer_at_each_step_against_pytorch() -> None:
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).standard_normal((2, 4, 3)).astype(np.float32)
    layer = layers.TimeDistributed(layers.Dense(5, "tanh"))
    layer(x)
    kernel, bias = (torch.tensor(each, requires_grad=True) for each in layer.get_weights())
    given = torch.tensor(x, requires_grad=True)
    loss = (torch.tanh(given @ kernel + bias) ** 3).sum()
    (torch.autograd.grad(loss, given, create_graph=True)[0] ** 2).sum().backward()
    found, own = of_the_penalty(layer, x)
    for ours, wanted in zip((found, *own), (given, kernel, bias), strict=True):
        np.testing.assert_allclose(ours, wanted.grad.numpy(), 1e-4, 1e-5)


def test_a_table_against_pytorch() -> None:
    torch = pytest.importorskip("torch")
    rows = np.array([[1, 4, 1], [0, 4, 4]])
    layer = layers.Embedding(6, 2, "glorot_uniform")
    layer(rows)
    table = torch.tensor(layer.get_weights()[0], requires_grad=True)
    loss = (torch.nn.functional.embedding(torch.tensor(rows), table) ** 3).sum()
    (torch.autograd.grad(loss, table, create_graph=True)[0] ** 2).sum().backward()
    with GradientTape() as outer:
        with GradientTape() as tape:
            loss = (layer(rows) ** 3).sum()
        (first,) = tape.gradient(loss, layer.trainable_weights)
        total = (first**2).sum()
    (found,) = outer.gradient(total, layer.trainable_weights)
    np.testing.assert_allclose(found, table.grad.numpy(), 1e-5, 1e-9)


def test_layers_of_two_directions_say_that_it_is_not_known() -> None:
    x, layer = np.zeros((2, 4, 3), np.float32), layers.Bidirectional(layers.GRU(2))
    layer(x)
    with pytest.raises(ConfigError, match="gradient of its gradient is not known"):
        of_the_penalty(layer, x)
    with GradientTape() as tape:
        y = layer(x + 1).sum()
    shapes = [np.shape(each) for each in tape.gradient(y, layer.trainable_weights)]
    assert shapes == [weight.shape for weight in layer.get_weights()]
